package vdev_test

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// A receiveq and a transmitq are reset and enabled again with other sizes, while the other
// pair goes on. The device does not touch a ring that was reset (2.6.1).
func TestResizeQueue(t *testing.T) {
	byFormat(t, allCtrl.Without(virtio.NetHashReport), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{Pairs: 2, QueueSize: 64}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(virtio.HashTCPv4, 0, []int{0, 1}, 2, verificationKey)...)
		flow := map[int][]byte{}
		for i := 0; len(flow) < 2; i++ {
			frame := flowFrame(i).frame()
			flow[r.pairOf(frame)] = frame
		}
		before := r.d.Stats()
		sent, lost := 0, 0
		for round, size := range []int{16, 64, 8, 32} {
			old := r.snapshot(0, 1)
			if !r.resetQueue(0) || !r.resetQueue(1) || r.d.QueueSize(0) != 64 || r.d.QueueEnabled(1) {
				t.Fatal("the queues were not reset")
			}
			r.inject(flow[0], flow[1])
			sent, lost = sent+2, lost+1
			if n := len(r.ports[1].received()); n != 1 {
				t.Errorf("round %d: %d frames on the other queue", round, n)
			}
			if !r.ports[1].send(flow[1]) || r.d.Poll() != 1 {
				t.Errorf("round %d: the other queue does not transmit", round)
			}
			if !bytes.Equal(old, r.snapshot(0, 1)) {
				t.Errorf("round %d: the ring was touched", round)
			}
			r.ports[0] = newPort(r.guest, 0, 1, r.addQueue(0, size), r.addQueue(1, size), size, 2048)
			r.ports[0].refill()
			for range 3 * size {
				r.inject(flow[0], flow[1])
				sent += 2
				if a, b := len(r.ports[0].received()), len(r.ports[1].received()); a != 1 || b != 1 {
					t.Fatalf("size %d: %d and %d frames arrived", size, a, b)
				}
				if !r.ports[0].send(flow[0]) || r.d.Poll() != 1 {
					t.Fatalf("size %d: a packet was not sent", size)
				}
			}
		}
		if s := r.d.Stats(); s.RxDropped != uint64(lost) || s.RxFrames-before.RxFrames+s.RxDropped != uint64(sent) {
			t.Errorf("%d frames came, %d for a queue in reset: %+v", sent, lost, s)
		}
		r.clean()
	})
}

// snapshot copies the memory of the rings of some queues.
func (r *ctrlRig) snapshot(queues ...int) (all []byte) {
	for _, i := range queues {
		switch q := r.qs[i].(type) {
		case *splitVQ:
			all = append(append(append(all, q.desc...), q.avail...), q.used...)
		case *packedVQ:
			all = append(append(append(all, q.desc...), q.drv...), q.dev...)
		}
	}
	return all
}

// The control queue can be reset as well: a command that the device took is not answered
// any more, and the next one in the new ring is.
func TestResetControlQueue(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{QueueSize: 64, Faults: vdev.Faults{Ctrl: vdev.CtrlLate}}, f)
		answer := r.post(virtio.CtrlRx, virtio.CtrlRxPromisc, 0, 1)
		if r.d.Poll() != 1 {
			t.Fatal("the command was not taken")
		}
		if !r.resetQueue(2) {
			t.Fatal("no reset")
		}
		r.d.SetFaults(vdev.Faults{})
		r.ctrl = r.addQueue(2, 64)
		if r.d.Poll(); answer[0] != 0xee {
			t.Errorf("a command from before the reset was answered with %d", answer[0])
		}
		r.do(virtio.CtrlRx, virtio.CtrlRxAllMulti, 1)
		if got := r.arrive(-1, otherMAC, groupMAC); got != "1" {
			t.Errorf("frames %q arrived", got)
		}
		r.clean()
	})
}

// Frames that wait for buffers when the device is reset are counted as dropped.
func TestResetDropsWaitingFrames(t *testing.T) {
	near, peer := wire.Cable()
	r := &ctrlRig{guest: newGuest(t, vdev.Config{Backend: near, Hold: true}, 1<<20), peer: peer}
	r.up(split, 16)
	r.inject(frameTo(ownMAC, -1), frameTo(otherMAC, -1), frameTo(everyone, -1))
	if s := r.d.Stats(); s.RxDropped != 0 {
		t.Errorf("%d frames dropped before the reset", s.RxDropped)
	}
	r.d.SetStatus(0)
	if s := r.d.Stats(); s.RxDropped != 3 || s.RxFrames != 0 {
		t.Errorf("%d frames dropped, %d delivered", s.RxDropped, s.RxFrames)
	}
	r.clean()
}
