package vdev_test

import (
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// never is longer than any test, in microseconds.
const never = 1 << 31

// coalescing is the data of TX_SET and RX_SET, and the end of that of VQ_SET.
func coalescing(packets, usecs uint32) []byte { return cat(le32(packets), le32(usecs)) }

// coalescingOf asks for the parameters of a queue.
func (r *ctrlRig) coalescingOf(q int) (packets, usecs int) {
	r.t.Helper()
	ack, b := r.result(virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQGet, 8, cat(le16(q), le16(0xffff))...)
	if ack != virtio.CtrlOK || len(b) != 8 {
		r.t.Fatalf("VQ_GET of queue %d: answer %d, % x", q, ack, b)
	}
	le := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 | int(b[3])<<24 }
	return le(b), le(b[4:])
}

// The last command that names a queue counts, in the sequence that the specification has
// as an example.
func TestCoalescingParameters(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{Pairs: 2}, split.Or(allCtrl))
	check := func(step string, want ...int) {
		t.Helper()
		for q, w := range want {
			if packets, usecs := r.coalescingOf(q); packets != w || usecs != 10*w {
				t.Errorf("%s: queue %d has %d packets, %d µs, want %d", step, q, packets, usecs, w)
			}
		}
	}
	set := func(cmd byte, v uint32) { r.do(virtio.CtrlNotfCoal, cmd, coalescing(v, 10*v)...) }
	setQueue := func(q int, v uint32) {
		r.do(virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQSet, cat(le16(q), le16(0xffff), coalescing(v, 10*v))...)
	}
	check("at first", 0, 0, 0, 0)
	set(virtio.CtrlNotfCoalRxSet, 1)
	check("RX_SET", 1, 0, 1, 0)
	setQueue(0, 2)
	check("VQ_SET 0", 2, 0, 1, 0)
	setQueue(1, 4)
	check("VQ_SET 1", 2, 4, 1, 0)
	set(virtio.CtrlNotfCoalTxSet, 5)
	check("TX_SET", 2, 5, 1, 5)

	// A queue that is reset and enabled again falls back (x/net/coal-reset), and has no
	// parameters meanwhile.
	for q, want := range map[int]int{0: 1, 1: 5} {
		setQueue(q, 9)
		r.resetQueue(q)
		if ack, _ := r.result(virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQGet, 8, cat(le16(q), le16(0))...); ack != virtio.CtrlErr {
			t.Errorf("parameters of queue %d in reset: answer %d", q, ack)
		}
		r.wantRules("net/coal/1")
		r.d.ClearViolations()
		r.addQueue(q, 32)
		if packets, _ := r.coalescingOf(q); packets != want {
			t.Errorf("queue %d has %d packets after its reset, want %d", q, packets, want)
		}
	}
	r.start(r.f)
	check("a reset", 0, 0, 0, 0)
	r.clean()
}

// The control queue is not coalesced, nor where it has the number of a receiveq that the
// driver does not use.
func TestCoalescingSparesControlQueue(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{Pairs: 4}, split.Or(allCtrl).Without(virtio.NetMQ).Without(virtio.NetRSS))
	r.do(virtio.CtrlNotfCoal, virtio.CtrlNotfCoalRxSet, coalescing(100, never)...)
	before := r.irq.queue[2].Load()
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	if n := r.irq.queue[2].Load() - before; n != 1 {
		t.Errorf("%d interrupts for a command", n)
	}
	r.clean()
}

// Interrupts come after as many packets as the driver set, on both kinds of queues, and not
// for one that it suppresses.
func TestCoalescingByPackets(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		for _, f := range []virtio.Features{f, f.With(virtio.RingEventIdx)} {
			r := newCtrlRig(t, vdev.Config{}, f)
			r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
			step := func(q int) int64 {
				before := r.irq.queue[q].Load()
				if q == 0 {
					r.inject(frameTo(ownMAC, -1))
				} else {
					r.ports[0].send(frameTo(ownMAC, -1))
					r.d.Poll()
				}
				return r.irq.queue[q].Load() - before
			}
			// interrupts sends some packets one by one and returns which of them interrupted.
			interrupts := func(q, packets int) (at []int) {
				vq := r.qs[q]
				vq.wantInterrupt()
				for i := range packets {
					if step(q) != 0 {
						at = append(at, i+1)
						r.ports[0].received()
						r.ports[0].reclaim()
						vq.wantInterrupt()
					}
				}
				return at
			}
			for q, cmd := range []byte{virtio.CtrlNotfCoalRxSet, virtio.CtrlNotfCoalTxSet} {
				for _, none := range [][]byte{coalescing(5, 0), coalescing(0, 5)} {
					r.do(virtio.CtrlNotfCoal, cmd, none...)
					if at := interrupts(q, 3); len(at) != 3 {
						t.Errorf("queue %d, parameters % x: interrupts at %v", q, none, at)
					}
				}
				r.do(virtio.CtrlNotfCoal, cmd, coalescing(5, never)...)
				if at := interrupts(q, 12); len(at) != 2 || at[0] != 5 || at[1] != 10 {
					t.Errorf("queue %d: interrupts at %v", q, at)
				}
				// Two wait. With parameters that they meet the interrupt comes at once.
				before := r.irq.queue[q].Load()
				r.do(virtio.CtrlNotfCoal, cmd, coalescing(3, never)...)
				if n := r.irq.queue[q].Load() - before; n != 0 {
					t.Errorf("queue %d: %d interrupts for 2 packets of 3", q, n)
				}
				r.do(virtio.CtrlNotfCoal, cmd, coalescing(2, never)...)
				if n := r.irq.queue[q].Load() - before; n != 1 {
					t.Errorf("queue %d: %d interrupts for 2 packets of 2", q, n)
				}
				r.ports[0].received()
				r.ports[0].reclaim()
				r.qs[q].noInterrupt()
				if step(q) != 0 || step(q) != 0 || step(q) != 0 {
					t.Errorf("queue %d: an interrupt that was suppressed", q)
				}
			}
			r.clean()
		}
	})
}

// An interrupt comes when its time is over, from a device that sleeps meanwhile and from
// one that is stepped.
func TestCoalescingByTime(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		const wait = 3 * time.Millisecond
		r := newCtrlRig(t, vdev.Config{IdleTurns: 1}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.do(virtio.CtrlNotfCoal, virtio.CtrlNotfCoalRxSet, coalescing(1000, uint32(wait/time.Microsecond))...)
		for _, started := range []bool{false, true} {
			if started {
				r.d.Start()
				defer r.d.Stop()
			}
			begin, before := time.Now(), r.irq.queue[0].Load()
			r.peer.Transmit(0, [][]byte{frameTo(ownMAC, -1)})
			for r.irq.queue[0].Load() == before {
				if !started {
					r.d.Poll()
				}
				if time.Since(begin) > time.Minute {
					t.Fatal("no interrupt")
				}
				time.Sleep(50 * time.Microsecond)
			}
			if took := time.Since(begin); took < wait {
				t.Errorf("started %v: the interrupt came after %v", started, took)
			}
			if n := r.irq.queue[0].Load() - before; n != 1 {
				t.Errorf("started %v: %d interrupts", started, n)
			}
		}
		r.clean()
	})
}
