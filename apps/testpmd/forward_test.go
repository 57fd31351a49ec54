package main

import (
	"bytes"
	"net"
	"runtime"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// rings are the forms of rings that the modes are tested on.
var rings = []string{"", ",packed=0", ",packed=0,mrg_rxbuf=0,in_order=0,event_idx=0"}

// window is how many frames are under way at a time, fewer than any ring has
// room for.
const window = 50

const (
	leftMAC  = "52:54:00:00:00:aa"
	rightMAC = "52:54:00:00:00:bb"
)

// TestForwarding: every frame that comes in by one port leaves by the other,
// once, in order, with the addresses of the mode and the rest untouched.
func TestForwarding(t *testing.T) {
	for _, mode := range []string{"io", "mac", "macswap"} {
		for _, keys := range rings {
			t.Run(mode+keys, func(t *testing.T) {
				p := newTestPlan(t, mode, "emu:cable=l,mac="+leftMAC+keys, "emu:cable=r,mac="+rightMAC+keys)
				left, right := newStation(t, "emu:cable=l", p.cables), newStation(t, "emu:cable=r", p.cables)
				r := start(t, p)
				for from := 0; from < 400; from += window {
					for i := range window {
						left.send(t, frametest.Varied(from+i))
						right.send(t, frametest.Varied(from+i+1))
					}
					for i, f := range right.receive(t, window) {
						if err := diff(f, rewritten(t, mode, frametest.Varied(from+i), 1, rightMAC)); err != nil {
							t.Fatalf("frame %d to the right: %v", from+i, err)
						}
					}
					for i, f := range left.receive(t, window) {
						if err := diff(f, rewritten(t, mode, frametest.Varied(from+i+1), 0, leftMAC)); err != nil {
							t.Fatalf("frame %d to the left: %v", from+i, err)
						}
					}
				}
				r.stop(t)
				left.receiveNone(t)
				right.receiveNone(t)
			})
		}
	}
}

// TestSelf: an odd port's frames come back to it.
func TestSelf(t *testing.T) {
	for _, mode := range []string{"io", "mac", "macswap"} {
		p := newTestPlan(t, mode, "emu:cable=l,mac="+leftMAC)
		left := newStation(t, "emu:cable=l", p.cables)
		r := start(t, p)
		for i := range window {
			left.send(t, frametest.Varied(i))
		}
		for i, f := range left.receive(t, window) {
			if err := diff(f, rewritten(t, mode, frametest.Varied(i), 0, leftMAC)); err != nil {
				t.Fatalf("%s, frame %d: %v", mode, i, err)
			}
		}
		r.stop(t)
	}
}

// rewritten is what a mode makes of a frame that leaves by a port.
func rewritten(t *testing.T, mode string, content []byte, number byte, mac string) []byte {
	t.Helper()
	source, err := net.ParseMAC(mac)
	if err != nil {
		t.Fatal(err)
	}
	switch mode {
	case "mac":
		return append(append([]byte{2, 0, 0, 0, 0, number}, source...), content[12:]...)
	case "macswap":
		return append(append(bytes.Clone(content[6:12]), content[:6]...), content[12:]...)
	}
	return content
}

// TestRxOnly: what comes is counted and freed, and nothing is sent. The ports
// close, so no buffer is missing.
func TestRxOnly(t *testing.T) {
	for _, keys := range rings {
		p := newTestPlan(t, "rxonly", "emu:cable=l"+keys)
		left := newStation(t, "emu:cable=l", p.cables)
		e := openEngine(t, p)
		const frames = 2000
		for i := range frames {
			left.send(t, frametest.Varied(i))
			for !e.pollers[0].poll() { // the frame is on its way
				runtime.Gosched()
			}
		}
		if n := e.set.Ports[0].Stats(); n.RxPackets != frames || n.TxPackets != 0 || n.RxErrors != 0 {
			t.Errorf("%+v, want %d received", n, frames)
		}
		left.receiveNone(t)
		if err := e.set.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTxFirst: bursts of txonly's packets go out of every port before the mode
// begins, which then forwards what comes.
func TestTxFirst(t *testing.T) {
	for _, mode := range []string{"io", "rxonly"} {
		p := newTestPlan(t, mode, "emu:cable=l,mac="+leftMAC)
		p.txFirst, p.options.Burst = 3, 8
		left := newStation(t, "emu:cable=l", p.cables)
		r := start(t, p)
		for i, f := range left.receive(t, 3*8) {
			checkUDP(t, i, f, 64, "02:00:00:00:00:00", leftMAC, "198.18.0.1", "198.18.0.2", 9, 9)
		}
		left.send(t, frametest.Varied(5))
		if mode == "io" {
			if err := diff(left.receive(t, 1)[0], frametest.Varied(5)); err != nil {
				t.Error(err)
			}
		}
		r.stop(t)
		left.receiveNone(t)
	}
}

// TestNoAllocation: a round over the streams allocates nothing, in any mode.
func TestNoAllocation(t *testing.T) {
	for _, m := range modes() {
		for _, segments := range [][]int{{64}, {64, 64}} {
			if m.name == "flowgen" && len(segments) > 1 {
				continue
			}
			for _, keys := range rings {
				p := newTestPlan(t, m.name, "emu:gen"+keys, "emu:null"+keys)
				p.segments, p.cycles = segments, lcore.ClockName != ""
				e := openEngine(t, p)
				poll := e.pollers[0].function()
				for rounds := 0; rounds < 300; { // everything has grown to its size
					if poll() {
						rounds++
					}
				}
				if n := testing.AllocsPerRun(2000, func() { poll() }); n != 0 {
					t.Errorf("%s%s: %v allocations a round", m.name, keys, n)
				}
				if err := e.set.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestDeal: every queue that the mode uses has exactly one poller, however many
// queues and pollers there are.
func TestDeal(t *testing.T) {
	ports := []string{"emu:gen,queues=4", "emu:null,queues=3", "emu:loop,queues=2"}
	for _, m := range modes() {
		for _, cpus := range [][]int{nil, {0, 1}, {0, 1, 2, 3, 4}} {
			p := newTestPlan(t, m.name, ports...)
			p.options.CPUs = cpus
			e := openEngine(t, p)
			if m.transmits {
				checkOwners(t, e, m.name)
			}
			bursts := 0
			for i := range e.pollers {
				bursts += len(e.pollers[i].bursts)
			}
			// 4, 3 and 2 receive queues, each polled once; so many transmit queues.
			if bursts != 4+3+2 {
				t.Errorf("%s on %v: %d streams, want 9", m.name, cpus, bursts)
			}
			if err := e.set.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// checkOwners checks that streams which share a transmit queue share a cache,
// which each poller has one of.
func checkOwners(t *testing.T, e *engine, mode string) {
	t.Helper()
	for port, streams := range e.outs {
		owners := map[any]any{}
		for _, s := range streams {
			if owner, known := owners[s.tx]; known && owner != s.cache {
				t.Errorf("%s on %v: a transmit queue of port %d has two pollers", mode, e.plan.options.CPUs, port)
			}
			owners[s.tx] = s.cache
		}
	}
}

// openEngine opens the ports of a plan without starting a poller.
func openEngine(t *testing.T, p *plan) *engine {
	t.Helper()
	set, err := p.session().OpenPorts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e, err := newEngine(p, set)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
