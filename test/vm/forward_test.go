package vm

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
)

// testForward has l2fwd forward count frames each way between two functions,
// and returns what it says at the end.
func (g *guest) testForward(t *testing.T, list []port, count int) summary {
	t.Helper()
	before := g.state(t)
	f := g.l2fwd(t, nil, list)
	f.exchange(t, f.both(0, 1, count)...)
	s := f.stop(t)
	for _, p := range s.Ports {
		if p.RxPackets < uint64(count) || p.TxPackets < uint64(count) {
			t.Errorf("port %s counts %d received and %d sent, of %d", p.Port, p.RxPackets,
				p.TxPackets, count)
		}
		t.Logf("%s: %s, %v", p.Port, p.Path, p.Features)
	}
	g.unchanged(t, before)
	return s
}

// testHosts has l2fwd join two hosts: ping without loss, and size bytes of TCP
// each way at once.
func (g *guest) testHosts(t *testing.T, a, b string, size int64) {
	g.joinHosts(t, ports("", a, b), size, netlab.Transfer)
}

// transferFunc sends size bytes each way between two hosts.
type transferFunc func(ctx context.Context, a, b *netlab.Namespace, size int64) error

// joinHosts does that with ports of any keys and several transfers, and returns what l2fwd says
// at the end.
func (g *guest) joinHosts(t *testing.T, list []port, size int64, transfers ...transferFunc) summary {
	t.Helper()
	near, far := g.nics[list[0].id].ns, g.nics[list[1].id].ns
	f := g.l2fwd(t, []string{"--no-mac-updating", "--xstats"}, list)
	f.awaitForwarding(t, f.both(0, 1, 0)...)
	if err := near.Ping(far, 100, 2*time.Second); err != nil {
		t.Error(err)
	}
	if err := far.Ping(near, 100, 2*time.Second); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	start := time.Now()
	for _, transfer := range transfers {
		if err := transfer(ctx, near, far, size); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d times %d MiB each way in %.1f s", len(transfers), size>>20, time.Since(start).Seconds())
	// TCP fills every queue there is: what is dropped is sent again.
	return f.end(t)
}

// testPairs has l2fwd forward over four queue pairs, each of which must have
// carried traffic both ways on both ports.
func (g *guest) testPairs(t *testing.T, a, b string) {
	const pairs, flows, count = 4, 64, 8000
	f := g.l2fwd(t, nil, ports(",queues=4", a, b))
	streams := f.both(0, 1, count)
	for _, s := range streams {
		s.Flows = flows
	}
	f.exchange(t, streams...)
	for _, p := range f.stop(t).Ports {
		if len(p.Queues) != pairs {
			t.Errorf("port %s has %d queue pairs, want %d", p.Port, len(p.Queues), pairs)
		}
		for i, q := range p.Queues {
			if q.RxPackets == 0 || q.TxPackets == 0 {
				t.Errorf("port %s: queue pair %d received %d and sent %d", p.Port, i,
					q.RxPackets, q.TxPackets)
			}
		}
		t.Logf("%s: %s: received and sent by each queue pair: %v", p.Port, p.Path, p.Queues)
	}
}

// testJumboOneBuffer has l2fwd refuse a device whose frames do not fit a buffer and
// are not to be spread over several, and forward them with the keys that it names.
func (g *guest) testJumboOneBuffer(t *testing.T, id string) {
	const keys = "mtu=9000,mrg_rxbuf=0"
	g.refuses(t, []string{g.nics[id].address, "9018", keys}, g.command(nil, ports("", id))...)
	f := g.l2fwd(t, nil, ports(","+keys, id)) // an odd port sends to itself
	s := f.stream(0, 0, 500)
	s.MaxSize, s.Window = 9014, 8
	f.exchange(t, s)
	f.stop(t)
}

// testJumbo has l2fwd forward frames of up to 9014 bytes, which the devices say
// is what they take.
func (g *guest) testJumbo(t *testing.T, a, b string) {
	f := g.l2fwd(t, nil, ports("", a, b))
	streams := f.both(0, 1, 5000)
	for _, s := range streams {
		s.MaxSize = 9014
		s.Window = 8 // a frame may take five buffers
	}
	f.exchange(t, streams...)
	for _, p := range f.stop(t).Ports {
		if !slices.Contains(p.Features, "MTU") {
			t.Errorf("port %s has not negotiated MTU: %v", p.Port, p.Features)
		}
	}
}
