package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"
)

// backEnd is what both drivers are connected to in turn.
type backEnd struct {
	*process
	socket string
	// count reads the meter: how many packets of the work the back end has seen
	// in its life, and when that was so.
	count func() (uint64, time.Time, error)
	close func() error
}

// stop ends the back end.
func (b *backEnd) stop() error { return errors.Join(b.close(), b.process.stop()) }

// ready is for how long a program may take to come up.
const ready = 30 * time.Second

// startBackEnd starts the back end of a heat for some work with frames of so
// many bytes.
func (l *lab) startBackEnd(ctx context.Context, heat int, w work, size int) (*backEnd, error) {
	l.sockets++
	socket := filepath.Join(l.dir, "s"+strconv.Itoa(l.sockets))
	if heat == 1 {
		return l.startVhost(ctx, w, size, socket)
	}
	return l.startRaw(ctx, w, size, socket)
}

// startVhost starts dpdk-testpmd with net_vhost. Its own telemetry is the meter.
func (l *lab) startVhost(ctx context.Context, w work, size int, socket string) (*backEnd, error) {
	mode := map[work]string{receive: "txonly", transmit: "rxonly", forward: "flowgen"}[w]
	if mode == "flowgen" {
		size += flowgenChecksum
	}
	prefix := "backend" + strconv.Itoa(l.sockets)
	argv := append(l.dpdkCommand(l.options.BackEndCPU, prefix, false), "--vdev",
		"net_vhost0,iface="+socket+",queues=1", "--")
	p, err := startProcess(l.options.BackEndCPU, l.dpdkEnv(),
		append(argv, l.dpdkForward(mode, size, dpdkBuffers)...)...)
	if err != nil {
		return nil, err
	}
	var t *telemetry
	err = p.waitFor(ctx, "telemetry", ready, 10*time.Millisecond, func() bool {
		if !exists(socket) {
			return false
		}
		t, err = l.dial(prefix)
		return err == nil
	})
	if err != nil {
		p.kill()
		return nil, err
	}
	count := func() (uint64, time.Time, error) {
		asked := time.Now()
		s, err := t.port(0)
		at := asked.Add(time.Since(asked) / 2)
		if w == receive {
			return s.TxPackets, at, err
		}
		return s.RxPackets, at, err
	}
	return &backEnd{process: p, socket: socket, count: count, close: t.close}, nil
}

// dial connects to the telemetry of a DPDK program and notes its version.
func (l *lab) dial(prefix string) (*telemetry, error) {
	t, g, err := dialTelemetry(l.dir, prefix)
	if err == nil {
		l.dpdkVersion = g.Version
	}
	return t, err
}

// startRaw starts vhostdev --raw. Its screens are the meter, with the time at
// which they came.
func (l *lab) startRaw(ctx context.Context, w work, size int, socket string) (*backEnd, error) {
	kind := "gen"
	if w == transmit {
		kind = "null"
	}
	p, err := startProcess(l.options.BackEndCPU, []string{"GOMAXPROCS=2"},
		filepath.Join(l.options.Bin, "vhostdev"), "--raw", "--backend", kind,
		"--socket", socket, "--cpus", strconv.Itoa(l.options.BackEndCPU), "--size",
		strconv.Itoa(size), "--stats-period", screenPeriod.String())
	if err != nil {
		return nil, err
	}
	up := func() bool {
		_, _, shown := screenCounters(p.output.String())
		return shown && exists(socket)
	}
	if err := p.waitFor(ctx, "the socket", ready, 10*time.Millisecond, up); err != nil {
		p.kill()
		return nil, err
	}
	count := func() (uint64, time.Time, error) {
		text, at := p.output.Last()
		rx, tx, ok := screenCounters(text)
		switch {
		case p.early() != nil:
			return 0, at, p.early()
		case !ok:
			return 0, at, fmt.Errorf("vhostdev shows no counters: %s", tail(text))
		case w == receive: // vhostdev counts in the words of the driver
			return rx, at, nil
		}
		return tx, at, nil
	}
	return &backEnd{process: p, socket: socket, count: count, close: func() error {
		return nil
	}}, nil
}
