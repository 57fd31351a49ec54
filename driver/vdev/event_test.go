package vdev_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func formats() map[string]virtio.Features {
	return map[string]virtio.Features{
		"split":            split,
		"split EVENT_IDX":  split.With(virtio.RingEventIdx),
		"packed":           packed,
		"packed EVENT_IDX": packed.With(virtio.RingEventIdx),
	}
}

// sender posts packets one by one on a ring of a size.
type sender struct {
	g  *guest
	tx vq
	p  piece
}

func newSender(t *testing.T, f virtio.Features, size int) *sender {
	g := newGuest(t, vdev.Config{}, 1<<20)
	_, tx := g.up(f, size)
	return &sender{g, tx, good(g)}
}

// add makes n packets available without a doorbell.
func (s *sender) add(n int) {
	s.g.t.Helper()
	for range n {
		if _, ok := s.tx.add(false, s.p); !ok {
			s.g.t.Fatal("no room in the ring")
		}
	}
	s.tx.publish()
}

func (s *sender) takeAll() (n int) {
	for {
		if _, _, ok := s.tx.take(); !ok {
			return n
		}
		n++
	}
}

// The device interrupts when it uses the entry that the driver waits for, at every
// position of a ring that wraps, and not otherwise.
func TestInterruptSuppression(t *testing.T) {
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			s := newSender(t, f, 8)
			interrupts := func() int64 { return s.g.irq.queue[1].Load() }
			for i := range 100 {
				n := 1 + i%5
				s.tx.noInterrupt()
				before := interrupts()
				s.add(n)
				s.g.d.Poll()
				if got := interrupts() - before; got != 0 {
					t.Fatalf("round %d: %d interrupts that were not asked for", i, got)
				}
				if s.takeAll() != n {
					t.Fatalf("round %d: not everything was used", i)
				}
				s.tx.wantInterrupt()
				s.add(n)
				s.g.d.Poll()
				if got := interrupts() - before; got != 1 {
					t.Fatalf("round %d: %d interrupts for a burst of %d", i, got, n)
				}
				if s.takeAll() != n {
					t.Fatalf("round %d: not everything was used", i)
				}
			}
			s.g.clean()
		})
	}
}

// An armed device asks to be notified of the next buffer, a busy one of none.
func TestDoorbellSuppression(t *testing.T) {
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			s := newSender(t, f, 8)
			for i := range 100 {
				n := 1 + i%5
				s.g.d.Arm()
				s.add(n)
				if !s.tx.kickWanted() {
					t.Fatalf("round %d: armed, and no doorbell is wanted", i)
				}
				s.g.d.Poll()
				s.g.d.Disarm()
				s.takeAll()
				s.add(n)
				if s.tx.kickWanted() {
					t.Fatalf("round %d: not armed, and a doorbell is wanted", i)
				}
				s.g.d.Poll()
				s.takeAll()
			}
			s.g.clean()
		})
	}
}

// An event far ahead is not passed by a burst that ends before it.
func TestInterruptEventAhead(t *testing.T) {
	for _, f := range []virtio.Features{split.With(virtio.RingEventIdx), packed.With(virtio.RingEventIdx)} {
		s := newSender(t, f, 8)
		total := 0
		for round := range 50 {
			// Ask for the fourth entry from here.
			switch q := s.tx.(type) {
			case *splitVQ:
				put32(q.avail, 4+2*q.size, uint32(q.lastUsed+3)&0xffff)
			case *packedVQ:
				at, wrap := q.used+3, q.usedWrap
				if at >= q.size {
					at, wrap = at-q.size, !wrap
				}
				v := uint32(at) | virtio.EventDesc<<16
				if wrap {
					v |= 1 << 15
				}
				put32(q.drv, 0, v)
			}
			for i, want := range []int64{0, 0, 0, 1, 0} {
				before := s.g.irq.queue[1].Load()
				s.add(1)
				s.g.d.Poll()
				if got := s.g.irq.queue[1].Load() - before; got != want {
					t.Fatalf("%v, round %d: entry %d gave %d interrupts", f, round, i, got)
				}
				total += s.takeAll()
			}
		}
		if total != 250 {
			t.Errorf("%d buffers came back", total)
		}
		s.g.clean()
	}
}

// A doorbell with NOTIFICATION_DATA has the position of the driver, also after 32768
// buffers.
func TestDoorbellPosition(t *testing.T) {
	for name, f := range map[string]virtio.Features{"split": split, "packed": packed} {
		t.Run(name, func(t *testing.T) {
			s := newSender(t, f.With(virtio.NotificationData), 8)
			for range 9000 {
				s.add(5)
				s.g.d.Notify(1, s.tx.position())
				s.g.d.Poll()
				s.takeAll()
			}
			s.g.clean()
			if n := s.g.d.QueueStats(1).Doorbells; n != 9000 {
				t.Errorf("%d doorbells counted", n)
			}
			s.add(2)
			s.g.d.Notify(1, s.tx.position()-1)
			s.g.wantRules(map[string]string{"split": "x/notif-data", "packed": "packed/desc/3"}[name])
		})
	}
}

// A free-running index passes 65535 and a packed ring of any size wraps.
func TestManyLaps(t *testing.T) {
	for _, c := range []struct {
		f    virtio.Features
		size int
	}{{split, 1}, {split, 4}, {packed, 1}, {packed, 3}, {packed, 7}, {packed, 100}, {split.With(virtio.InOrder), 4}, {packed.With(virtio.InOrder), 7}} {
		s := newSender(t, c.f, c.size)
		total := 0
		for total < 70000 {
			n := 1 + total%c.size
			s.add(n)
			s.g.d.Poll()
			s.g.d.Poll()
			s.g.d.Poll()
			s.g.d.Poll()
			if got := s.takeAll(); got != n {
				t.Fatalf("%v, size %d: %d of %d buffers came back after %d", c.f, c.size, got, n, total)
			}
			total += n
		}
		if got := s.g.d.Stats().TxFrames; got != uint64(total) {
			t.Errorf("%d of %d packets were counted", got, total)
		}
		s.g.clean()
	}
}

// A device that waits for more buffers than are available, because a frame needs
// several, is notified of the next one, at every position in the ring.
func TestDoorbellForMoreBuffers(t *testing.T) {
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, vdev.Config{Backend: wire.Loop(), Hold: true}, 1<<20)
			rx, tx := g.up(f.With(virtio.NetMrgRxbuf), 8)
			p := newPort(g, 0, 1, rx, tx, 8, 500)
			free := p.rxFree
			post := func(n int) bool {
				p.rxFree = free[:n]
				free = free[n:]
				for _, b := range p.rxFree {
					id, ok := rx.add(false, piece{b.addr, len(b.b), true})
					if !ok {
						t.Fatal("no room in the ring")
					}
					p.rxBufs[id] = b
				}
				p.rxFree = nil
				rx.publish()
				return rx.kickWanted()
			}
			for round := range 50 {
				post(2)
				if !p.send(make([]byte, 1200)) {
					t.Fatalf("round %d: not sent", round)
				}
				g.d.Poll()
				g.d.Poll() // the frame waits for a third buffer
				g.d.Arm()
				if g.d.Poll() != 0 {
					t.Fatalf("round %d: something moved without a buffer for it", round)
				}
				if !post(1) {
					t.Fatalf("round %d: a buffer came, and no doorbell is wanted", round)
				}
				g.d.Poll()
				g.d.Disarm()
				if f := p.recv(); len(f) != 1200 {
					t.Fatalf("round %d: received %d bytes", round, len(f))
				}
				free, p.rxFree = append(free, p.rxFree...), nil
			}
			g.clean()
		})
	}
}
