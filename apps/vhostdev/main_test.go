package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestMain makes the command vhostdev available to tests: it is this test binary under
// another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vhostdev": main})
}

// Each is refused with status 2 and a message that names what is wrong; nothing
// is written to standard output.
func TestBadOptions(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "--socket"}, {[]string{"--socket", ""}, "--socket"}, {[]string{"--socket", "s", "more"}, `"more"`},
		{[]string{"--backend", "cable"}, "cable"}, {[]string{"--backend", "gen=1"}, "gen=1"}, {[]string{"--backend", "tap="}, "tap="},
		{[]string{"--backend", "pcap"}, "pcap"}, {[]string{"--raw"}, "give gen or null, or leave out --raw"}, {[]string{"--raw", "--backend", "tap=x"}, "tap=x"},
		{[]string{"--backend", "tap=../x"}, "not a name"}, {[]string{"--cpus", "1000"}, "cannot be used"},
		{[]string{"--mac", "00:00:00:00:00:00"}, "no port has the address zero"}, {[]string{"--mac", "02:00:00:00:00:01,queues=2"}, "more than"},
		{[]string{"--queues", "0"}, "queues"}, {[]string{"--raw", "--backend", "gen", "--strict"}, "--raw looks at no rules"},
		{[]string{"--offloads", "gro"}, `"gro" is no offload; give off, all or some of csum,tso,uso,lro`}, {[]string{"--offloads", "csum,"}, `"" is no offload`},
		{[]string{"--raw", "--backend", "gen", "--offloads", "tso,lro"}, "leave out lro, or --raw"},
		{[]string{"--socket-mode", "8"}, "octal"}, {[]string{"--socket-mode", "01777"}, "01777"},
		{[]string{"--client", "--socket-group", "0"}, "--client"}, {[]string{"--queues", "129"}, "129"}, {[]string{"--size", "59"}, "59"},
		{[]string{"--mtu", "67"}, "67"}, {[]string{"--mac", "01:00:00:00:00:00"}, "01:00"}, {[]string{"--mac", "x"}, "mac"},
		{[]string{"--cpus", "0,1"}, "one CPU"}, {[]string{"--cpus", "x"}, `"x"`}, {[]string{"--duration", "-1s"}, "-1s"},
		{[]string{"--stats-period", "-1s"}, "-1s"}, {[]string{"--log-level", "loud"}, "loud"}, {[]string{"--nonsense"}, "nonsense"},
	} {
		args := append([]string{"vhostdev"}, c.args...)
		if len(c.args) > 0 && c.args[0] != "--socket" {
			args = append([]string{"vhostdev", "--socket", "s"}, c.args...)
		}
		var stdout, stderr bytes.Buffer
		status := command.Run(app(), args, &stdout, &stderr)
		if status != 2 || stdout.Len() != 0 || !strings.Contains(stderr.String(), c.says) {
			t.Errorf("%v: status %d, stdout %q, stderr %q", c.args, status, stdout.String(), stderr.String())
		}
	}
	o := &options{raw: true}
	if err := o.readBackend("GEN"); err != nil || o.backend != "gen" {
		t.Errorf("GEN: %v, %q", err, o.backend)
	}
	if _, err := os.Lstat("s"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a socket was made")
	}
}

// A socket, file or CPU that cannot be used is an error and status 1.
func TestCannotServe(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"--socket", dir + "/none/s"}, {"--socket", dir + "/" + strings.Repeat("x", 120)},
		{"--socket", dir + "/s", "--backend", "pcap=" + dir + "/none.pcap"},
	} {
		var stdout, stderr bytes.Buffer
		if status := command.Run(app(), append([]string{"vhostdev", "--duration", "1s"}, args...), &stdout, &stderr); status != 1 || stdout.Len() != 0 {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, status, stdout.String(), stderr.String())
		}
	}
}

// start runs the command until stop, which returns what it printed.
func start(t *testing.T, o *options) (s *server, stop func() report.Object) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s = &server{options: o, start: time.Now()}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, &stdout, io.Discard) }()
	return s, sync.OnceValue(func() report.Object {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var object report.Object
		if err := json.Unmarshal(stdout.Bytes(), &object); err != nil {
			t.Errorf("%v in %q", err, stdout.String())
		}
		return object
	})
}

// A driver at the socket gets what the back end promises, and both count the
// same; the object that is printed says so.
func TestBackends(t *testing.T) {
	dir := t.TempDir()
	capture := filepath.Join(dir, "out.pcap")
	for _, c := range []struct {
		backend, keys string
		raw, polls    bool
		send, want    int
		path          string
	}{
		{backend: "null", send: 200, path: "packed ring, mergeable"},
		{backend: "loop", send: 200, want: 200, path: "loop"},
		{backend: "loop", keys: ",packed=0", send: 200, want: 200, path: "split ring", polls: true},
		{backend: "gen", keys: ",mrg_rxbuf=0,in_order=0", want: 200, path: "vhost-user gen, packed ring"},
		{backend: "pcap=:" + capture, send: 200, path: "pcap"},
		{backend: "pcap=" + capture, want: 200, path: "pcap"},
		{backend: "gen", raw: true, want: 200, path: "raw gen"},
		{backend: "null", raw: true, keys: ",packed=0", send: 200, path: "raw null, split ring", polls: true},
	} {
		t.Run(strings.ReplaceAll(c.backend+c.keys, "/", " "), func(t *testing.T) {
			o := &options{socket: filepath.Join(dir, "s"), queues: 1, size: 64, mtu: 1500, raw: c.raw, cpu: lcore.AnyCPU}
			o.JSON, o.XStats = true, true
			if c.polls {
				o.cpu = 0
			}
			if err := o.readBackend(c.backend); err != nil {
				t.Fatal(err)
			}
			s, stop := start(t, o)
			defer stop()
			port, err := devargs.Open(t.Context(), "vhost-user:"+o.socket+c.keys, devargs.Options{Memory: hugepages.Options{SmallPages: true}})
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, s, port, c.send, c.want)
			object := stop()
			p := object.Ports[0]
			for name, want := range map[string]uint64{"rx_good_packets": p.RxPackets, "rx_good_bytes": p.RxBytes,
				"tx_good_packets": p.TxPackets, "rx_missed_errors": p.RxMissed, "rx_filtered": p.RxFiltered, "kicks": p.Kicks} {
				if got, ok := p.XStats[name]; !ok || got != want {
					t.Errorf("%s is %d, want %d", name, got, want)
				}
			}
			if p.Port != o.socket || !strings.Contains(p.Path, c.path) || len(p.Features) == 0 || object.Duration < 0 {
				t.Errorf("%+v", object)
			}
			if int(p.TxPackets) != c.send || int(p.TxBytes) != 64*c.send || int(p.RxPackets) < c.want || p.RxBytes != 64*p.RxPackets {
				t.Errorf("sent %d, received %d: %+v", c.send, c.want, p)
			}
			if p.TxDropped != 0 || c.polls != (p.Polls > 0) && !c.raw {
				t.Errorf("%+v", p)
			}
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// exchange sends frames of 64 bytes and waits until as many as wanted came, and
// the back end has all that were sent.
func exchange(t *testing.T, s *server, port *driver.Port, send, want int) {
	t.Helper()
	bufs := make([]*mbuf.Buf, 8)
	got, sent := 0, 0
	for deadline := time.Now().Add(time.Minute); got < want || int(s.back.Counters().TxPackets) < send; {
		if time.Now().After(deadline) {
			t.Fatalf("sent %d of %d, received %d of %d: %+v", sent, send, got, want, port.Stats())
		}
		n := port.RxQueue(0).Burst(bufs)
		mbuf.Free(bufs[:n])
		got += n
		n = port.Pool().Get(bufs[:min(len(bufs), send-sent)])
		for _, b := range bufs[:n] {
			clear(b.Append(64))
		}
		taken := port.TxQueue(0).Burst(bufs[:n])
		mbuf.Free(bufs[taken:n])
		sent += taken
	}
}

// The clock runs while packets can flow, and all the time if they never could.
func TestElapsed(t *testing.T) {
	s := &server{start: time.Now().Add(-time.Hour)}
	if d := s.elapsed(); d < time.Hour {
		t.Errorf("%v", d)
	}
	s.flowed = time.Minute
	if d := s.elapsed(); d != time.Minute {
		t.Errorf("%v", d)
	}
	s.since = time.Now().Add(-time.Minute)
	if d := s.elapsed(); d < 2*time.Minute || d > 3*time.Minute {
		t.Errorf("%v", d)
	}
	s.up(false)
	if d := s.elapsed(); d < 2*time.Minute || d != s.elapsed() {
		t.Errorf("%v", d)
	}
}

func TestWords(t *testing.T) {
	for want, s := range map[string]vhostback.State{"no peer": {}, "peer connected": {Connected: true}, "peer up": {Connected: true, Up: true}} {
		if got := words(s); got != want {
			t.Errorf("%+v: %q", s, got)
		}
	}
}

// The socket has the permissions that --socket-mode asks for.
func TestSocketMode(t *testing.T) {
	o := &options{socket: filepath.Join(t.TempDir(), "s"), queues: 1, size: 64, mtu: 1500,
		backend: "null", cpu: lcore.AnyCPU}
	o.JSON = true
	if err := o.readAccess("0626"); err != nil {
		t.Fatal(err)
	}
	_, stop := start(t, o)
	defer stop()
	info, err := os.Lstat(o.socket)
	if err != nil || info.Mode().Perm() != 0o626 {
		t.Errorf("the socket: %v, %v", info, err)
	}
}
