package meter

import (
	"sync"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// TestFaultWhileReceiving: after a fault in the memory of a packet readers still read, and
// the receiver goes on.
func TestFaultWhileReceiving(t *testing.T) {
	s := newSource(t, 8)
	r := newReceiver(t, Config{Streams: []Stream{{}}})
	good := s.packet(60, 0, 0, 0)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no fault")
			}
		}()
		r.Receive([]*mbuf.Buf{good, nil}, 0) // a nil packet faults as well
	}()
	receive(r, 0, good, s.packet(60, 0, 1, 0))
	if got := r.Snapshot(); got.Packets() < 2 {
		t.Errorf("%+v", got)
	}
}

// TestReadersBesideTheReceiver reads while packets are received, and begins trials. Each
// burst has as many packets of one stream as of the other, and each snapshot has to.
// Nothing may be lost between snapshots or counted in two trials.
func TestReadersBesideTheReceiver(t *testing.T) {
	const bursts = 3000
	s := newSource(t, 64)
	r := newReceiver(t, Config{Streams: []Stream{{ID: 0}, {ID: 1, Latency: true}}})
	var ended []Snapshot
	var readers sync.WaitGroup
	done := make(chan struct{})
	check := func(s Snapshot) {
		a, b := s.Streams[0], s.Streams[1]
		if a.Packets() != b.Packets() || s.Packets() != 2*a.Packets() {
			t.Errorf("%d and %d packets of %d", a.Packets(), b.Packets(), s.Packets())
		}
		if n := b.Latency.Samples() + b.Stale + b.Duplicate; n != b.Packets() {
			t.Errorf("%d latencies of %d packets", b.Latency.Samples(), b.Packets())
		}
	}
	for i := range 3 {
		readers.Add(1)
		go func() {
			defer readers.Done()
			for first := uint32(0); ; first += 100 {
				select {
				case <-done:
					return
				default:
				}
				if i > 0 {
					check(r.Snapshot())
					continue
				}
				// Numbers that were received already become stale, others lost.
				ended = append(ended, r.Begin(map[uint16]uint32{0: first, 1: first}))
				check(ended[len(ended)-1])
			}
		}()
	}
	for seq := range uint32(bursts) {
		var burst []*mbuf.Buf
		for i := range uint32(4) {
			burst = append(burst, s.packet(60, 0, 4*seq+i, 0), s.packet(60, 1, 4*seq+i, 0))
		}
		receive(r, int64(seq), burst...)
	}
	close(done)
	readers.Wait()
	last := r.Snapshot()
	check(last)
	total := last.Packets()
	for _, s := range ended {
		total += s.Packets()
	}
	if total != 8*bursts {
		t.Errorf("%d packets in %d trials, want %d", total, len(ended)+1, 8*bursts)
	}
}
