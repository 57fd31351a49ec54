package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// TestIntegrity: numbered frames of 60 to 1514 bytes each way arrive exactly
// once, in order, payload intact, addresses rewritten as promised, whatever the
// rings look like.
func TestIntegrity(t *testing.T) {
	const frames = 1500 // each way: more than one of every length
	for i := range 48 {
		size := []int{64, 256, 1024}[i%3]
		f := i / 3 // one bit for each feature; in-order completion with every other set of them
		keys := fmt.Sprintf(",packed=%d,mrg_rxbuf=%d,event_idx=%d,indirect=%d,in_order=%d,rx_queue_size=%d,tx_queue_size=%d",
			f&1, f>>1&1, f>>2&1, f>>3&1, (f^f>>1^f>>2^f>>3^i)&1, size, size)
		t.Run(keys[1:], func(t *testing.T) {
			l := newLab(t, keys, "", true, nil)
			l.exchange(t, frames, 60, 1514, 48)
			checkCounts(t, l, frames)
		})
	}
}

// TestNoMACUpdating: frames leave as they came.
func TestNoMACUpdating(t *testing.T) {
	l := newLab(t, "", "", false, nil)
	l.exchange(t, 1000, 60, 1514, 48)
	checkCounts(t, l, 1000)
}

// TestDrain: a frame alone is not kept until a burst is full: with one frame
// under way, each has to be sent by the drain timer.
func TestDrain(t *testing.T) {
	l := newLab(t, "", "", true, nil)
	l.exchange(t, 200, 60, 60, 1)
	checkCounts(t, l, 200)
}

// TestJumbo: frames longer than a buffer are forwarded as chains.
func TestJumbo(t *testing.T) {
	for _, packed := range []int{0, 1} {
		keys := fmt.Sprintf(",mtu=9000,packed=%d", packed)
		l := newLab(t, keys, ",mtu=9000", true, nil)
		l.exchange(t, 500, 60, 9014, 16)
		checkCounts(t, l, 500)
	}
}

// TestQueues: several queue pairs a port, on as many pollers as there are ports
// and with an unequal number of queues. Order holds within a queue only.
func TestQueues(t *testing.T) {
	for _, cpus := range [][]int{nil, {0, 0}} {
		l := newLab(t, ",queues=4", ",queues=2", true, func(p *plan) { p.options.CPUs = cpus })
		l.exchange(t, 2000, 60, 1514, 48)
		checkCounts(t, l, 2000)
	}
}

// TestSelf: an odd port sends to itself.
func TestSelf(t *testing.T) {
	p := emulated(t, "", "emu:cable=r,mac=52:54:00:00:00:bb", "emu:null", "emu:cable=l,mac=52:54:00:00:00:aa")
	p.updateMACs, p.cables = true, new(devargs.Cables)
	l := startLab(t, p, "")
	l.near.mac = &[12]byte{2, 0, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 0xaa}
	l.near.seen = make([]bool, 1000)
	for start := time.Now(); l.near.received < 1000 && l.near.fault == nil; runtime.Gosched() {
		l.near.round(l.near, 1000, 60, 1514, 48)
		if time.Since(start) > hang {
			t.Fatalf("sent %d, received %d", l.near.sent, l.near.received)
		}
	}
	if l.near.fault != nil {
		t.Error(l.near.fault)
	}
	if o := l.stop(t); o.Ports[2].TxPackets != 1000 || o.Ports[0].RxPackets != 0 {
		t.Errorf("port 2 sent %d, and port 0 received %d; want 1000 and 0", o.Ports[2].TxPackets, o.Ports[0].RxPackets)
	}
}

// TestPortmap: with (0,2) the second port is not opened, and frames of port 0
// leave by the third with the third's number in the destination.
func TestPortmap(t *testing.T) {
	p := emulated(t, "(0,2)", "emu:cable=l,mac=52:54:00:00:00:aa", "emu:tap=never", "emu:cable=r,mac=52:54:00:00:00:bb")
	p.updateMACs, p.cables = true, new(devargs.Cables)
	l := startLab(t, p, "")
	l.near.mac = &[12]byte{2, 0, 0, 0, 0, 0, 0x52, 0x54, 0, 0, 0, 0xaa}
	l.far.mac = &[12]byte{2, 0, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 0xbb}
	l.exchange(t, 500, 60, 1514, 48)
	checkCounts(t, l, 500)
	if !strings.Contains(l.stderr.String(), "no pair of --portmap names port emu:tap=never") {
		t.Errorf("nothing is said about the port that is not used:\n%s", l.stderr.String())
	}
}

// TestUnplugged: a device that is removed in the middle of traffic ends l2fwd
// with an error that names the port.
func TestUnplugged(t *testing.T) {
	for name, pull := range map[string]func(*pcifn.Function){
		"asked for": (*pcifn.Function).RequestRemoval,
		"at once":   (*pcifn.Function).Unplug,
	} {
		t.Run(name, func(t *testing.T) {
			p := emulated(t, "", "emu:gen", "emu:null")
			p.options.StatsPeriod = 10 * time.Millisecond
			functions := ownFunctions(p)
			done := make(chan error, 1)
			stderr := newWatcher("Rx-pps:     [1-9]")
			go func() { done <- p.run(t.Context(), new(bytes.Buffer), stderr) }()
			fn := <-functions
			select {
			case <-stderr.found: // packets flow
			case err := <-done:
				t.Fatalf("l2fwd ended early: %v\n%s", err, stderr)
			}
			pull(fn)
			var err error
			select {
			case err = <-done:
			case <-time.After(hang):
				t.Fatal("l2fwd does not end")
			}
			if !errors.Is(err, transport.ErrRemoved) || !strings.Contains(err.Error(), "port emu:gen") {
				t.Errorf("error %v, want transport.ErrRemoved that names the port", err)
			}
		})
	}
}

// TestNoAllocation: a round over the queues allocates nothing.
func TestNoAllocation(t *testing.T) {
	for _, keys := range []string{"", ",packed=0"} {
		p := emulated(t, "", "emu:gen"+keys, "emu:null"+keys)
		p.updateMACs = true
		f := openForwarder(t, p)
		poller := f.pollers[0]
		for f.set.Ports[1].Stats().TxPackets < 10000 { // everything has grown to its size
			poller.poll()
		}
		if n := testing.AllocsPerRun(2000, func() { poller.poll() }); n != 0 {
			t.Errorf("%s: %v allocations a round", keys, n)
		}
		f.finish()
		if err := f.set.Close(); err != nil {
			t.Error(err)
		}
	}
}

// checkCounts stops l2fwd and compares its figures with what was exchanged.
func checkCounts(t *testing.T, l *lab, frames uint64) report.Object {
	t.Helper()
	o := l.stop(t)
	for _, p := range o.Ports {
		if p.RxPackets != frames || p.TxPackets != frames || p.TxDropped != 0 || p.RxErrors != 0 {
			t.Errorf("%s: received %d, sent %d, dropped %d, errors %d; want %d, %d, 0, 0",
				p.Port, p.RxPackets, p.TxPackets, p.TxDropped, p.RxErrors, frames, frames)
		}
	}
	return o
}

// emulated is the plan for a command line.
func emulated(t testing.TB, portmap string, ports ...string) *plan {
	t.Helper()
	p, err := newPlan(ports, portmap)
	if err != nil {
		t.Fatal(err)
	}
	p.options = command.Options{JSON: true, Burst: 32, Logger: slog.New(slog.DiscardHandler)}
	return p
}

// TestRecording: what was sent is in the capture file to the last frame.
func TestRecording(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.pcap")
	p := emulated(t, "", "emu:gen", "emu:pcap=:"+file)
	p.options.Duration = 20 * time.Millisecond
	var stdout bytes.Buffer
	if err := p.run(t.Context(), &stdout, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	const fileHeader, record = 24, 16 + 64
	sent := decode(t, stdout.Bytes()).Ports[1].TxPackets
	if want := fileHeader + record*int64(sent); sent == 0 || info.Size() != want {
		t.Errorf("%d frames were sent; the capture has %d bytes, want %d", sent, info.Size(), want)
	}
}

// BenchmarkForward is a round of the poller with a full burst, the work of both
// emulated devices included.
func BenchmarkForward(b *testing.B) {
	for _, keys := range []string{"packed=1", "packed=0"} {
		b.Run(keys, func(b *testing.B) {
			p := emulated(b, "", "emu:gen,"+keys, "emu:null,"+keys)
			p.updateMACs = true
			f := openForwarder(b, p)
			before := f.set.Ports[1].Stats().TxPackets
			b.ReportAllocs()
			for b.Loop() {
				f.pollers[0].poll()
			}
			packets := f.set.Ports[1].Stats().TxPackets - before
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
			f.finish()
			if err := f.set.Close(); err != nil {
				b.Error(err)
			}
		})
	}
}

// ownFunctions has the two ports of p opened over functions that the test gets.
func ownFunctions(p *plan) <-chan *pcifn.Function {
	functions := make(chan *pcifn.Function, 2)
	p.open = func(s devargs.Spec, o devargs.Options) (*driver.Port, error) {
		fn, err := pcifn.New(pcifn.Config{Address: s.Device(), Device: vdev.Config{Backend: wire.Gen(64), Hold: true}})
		if err != nil {
			return nil, err
		}
		fn.Device().Start()
		functions <- fn
		device, err := vpci.Open(fn, vpci.Options{})
		if err != nil {
			return nil, err
		}
		return driver.Open(device, driver.Config{Pool: o.Pool, Memory: o.Memory})
	}
	return functions
}
