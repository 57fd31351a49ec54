package driver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// carriesOn sends and receives on a pair, which shows that it works.
func (r *rig) carriesOn(pair int) {
	r.t.Helper()
	r.settle()
	r.wire.transmitted(pair) // what is left of before
	sent := frametest.Series(1000*pair, 100, 60, 1514, 700)
	r.send(pair, sent...)
	r.settle()
	frametest.Equal(r.t, r.wire.transmitted(pair), sent)
	r.wire.deliver(pair, sent...)
	frametest.Equal(r.t, r.receive(pair), sent)
}

// resizer is what is done to the queues of a pair, alike in both directions.
type resizer struct {
	name        string
	stop, start func(*Port, context.Context, int) error
	resize      func(*Port, context.Context, int, int) error
	virtqueue   func(int) int
}

var resizers = []resizer{
	{name: "receive", stop: (*Port).StopRxQueue, start: (*Port).StartRxQueue, resize: (*Port).ResizeRxQueue,
		virtqueue: virtio.RxQueueIndex},
	{name: "transmit", stop: (*Port).StopTxQueue, start: (*Port).StartTxQueue, resize: (*Port).ResizeTxQueue,
		virtqueue: virtio.TxQueueIndex},
}

// basic/vqreset/3, pci/common/8: the ring has the new size afterwards, larger and smaller
// ones, with the other pair at work between the steps and buffers in both rings.
func TestResizeQueue(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked)} {
		for _, which := range resizers {
			t.Run(name+", "+which.name, func(t *testing.T) {
				c.Queues, c.RxQueueSize, c.TxQueueSize = 2, 256, 256
				r := newRig(t, functionWith(vdev.Config{Pairs: 2, QueueSize: 4096}), c)
				q := which.virtqueue(1)
				for _, size := range []int{1024, 256, 4096, 32, 2048, 256} {
					r.send(1, frametest.Series(0, 10, 60)...) // some stay in the ring
					if err := which.resize(r.port, t.Context(), 1, size); err != nil {
						t.Fatal(err)
					}
					if got := r.dev.QueueSize(q); got != size || !r.dev.QueueEnabled(q) {
						t.Fatalf("virtqueue %d has %d descriptors, want %d", q, got, size)
					}
					r.carriesOn(0)
					r.carriesOn(1)
				}
				if n := len(r.port.device.larger); n > 2 {
					t.Errorf("%d rings have memory of their own", n)
				}
				if s := r.port.Stats(); s.Resets != 0 {
					t.Errorf("%d recoveries", s.Resets)
				}
			})
		}
	}
}

// A queue that was stopped takes and gives nothing and has no buffers, also after a
// recovery and a change of its size, and works as before when it is started.
func TestStopQueue(t *testing.T) {
	for _, which := range resizers {
		t.Run(which.name, func(t *testing.T) {
			r := newRig(t, functionWith(vdev.Config{Pairs: 2}), Config{Queues: 2, Recovery: eager})
			r.dev.Start()
			defer r.dev.Stop()
			q := which.virtqueue(1)
			stopped := func() {
				t.Helper()
				s := r.port.Stats().Queues[1]
				if posted := map[string]int{"receive": s.Rx.Posted, "transmit": s.Tx.Posted}[which.name]; posted != 0 {
					t.Errorf("%d buffers are posted", posted)
				}
				if r.dev.QueueEnabled(q) {
					t.Error("the device has the queue")
				}
				if which.name == "transmit" {
					bufs := []*mbuf.Buf{newFrame(t, r.port.Pool())}
					if r.port.TxQueue(1).Burst(bufs) != 0 {
						t.Error("a stopped queue took a packet")
					}
					mbuf.Free(bufs)
				}
			}
			for range 2 { // once more has no effect
				if err := which.stop(r.port, t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				stopped()
			}
			if err := which.resize(r.port, t.Context(), 1, 128); err != nil {
				t.Fatal(err)
			}
			stopped()
			r.dev.NeedReset()
			r.recovered(1)
			stopped()
			for range 2 {
				if err := which.start(r.port, t.Context(), 1); err != nil {
					t.Fatal(err)
				}
			}
			if got := r.dev.QueueSize(q); got != 128 {
				t.Errorf("the queue has %d descriptors", got)
			}
			r.dev.NeedReset()
			r.recovered(2)
			r.dev.Stop()
			if got := r.dev.QueueSize(q); got != 128 {
				t.Errorf("the queue has %d descriptors after a recovery", got)
			}
			r.carriesOn(0)
			r.carriesOn(1)
		})
	}
}

// newFrame returns a frame of the shortest kind.
func newFrame(t *testing.T, pool *mbuf.Pool) *mbuf.Buf {
	t.Helper()
	bufs := make([]*mbuf.Buf, 1)
	if pool.Get(bufs) != 1 {
		t.Fatal("the pool is empty")
	}
	frametest.Fill(t, bufs[0], frametest.Seq(1, 60))
	return bufs[0]
}

// What is refused is refused before the queue is touched.
func TestResizeRefused(t *testing.T) {
	pool := newPool(t, mbuf.Config{Count: 2*256 + 2*MinSpare + 100})
	r := newRig(t, functionWith(vdev.Config{Pairs: 2, QueueSize: 1024, Refuse: virtio.FeatureSet(virtio.RingPacked)}),
		Config{Queues: 2, RxQueueSize: 256, TxQueueSize: 256, Pool: pool})
	r.fn.ClearLog()
	var small *PoolError
	if err := r.port.ResizeRxQueue(t.Context(), 0, 512); !errors.As(err, &small) || small.Need != 512+256+2*MinSpare {
		t.Errorf("too small a pool: %v", err)
	}
	var bad *Error
	for _, size := range []int{2048, 100, 0, -1, 1 << 20} {
		if err := r.port.ResizeTxQueue(t.Context(), 1, size); !errors.As(err, &bad) || bad.Value != size || bad.Remedy == "" {
			t.Errorf("size %d: %v", size, err)
		}
	}
	for _, i := range []int{-1, 2, 1 << 40} {
		if err := r.port.StopRxQueue(t.Context(), i); !errors.As(err, &bad) {
			t.Errorf("queue %d: %v", i, err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.port.StopTxQueue(over, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	for _, a := range r.fn.Log() {
		if a.Write {
			t.Errorf("%s was written", a.Register)
		}
	}
	if n := len(r.port.device.larger); n != 0 {
		t.Errorf("%d rings that were refused have memory", n)
	}
	r.carriesOn(0)
	r.carriesOn(1)
}

// Without RING_RESET nothing is touched, and the error says what would help.
func TestResizeWithoutRingReset(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Refuse: virtio.FeatureSet(virtio.RingReset)}), Config{})
	for name, err := range map[string]error{
		"stop":   r.port.StopRxQueue(t.Context(), 0),
		"resize": r.port.ResizeTxQueue(t.Context(), 0, 64),
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.carriesOn(0)
}

// The port is used by another goroutine while a pair is resized, and stays whole: what
// arrives on the other pair arrives in order and completely.
func TestResizeUnderTraffic(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked)} {
		t.Run(name, func(t *testing.T) {
			c.Queues, c.RxQueueSize, c.TxQueueSize = 2, 256, 256
			c.Pool = newPool(t, mbuf.Config{Count: 8192})
			r := newRig(t, functionWith(vdev.Config{Pairs: 2, QueueSize: 1024}), c)
			r.dev.Start()
			defer r.dev.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			const frames = 3000
			sent := frametest.Series(0, frames, 60, 1514, 700)
			done := make(chan [][]byte)
			go func() { done <- r.exchange(ctx, sent) }()
			resized := 0
			var got [][]byte
			for got == nil || resized < 8 {
				for _, which := range resizers {
					if err := which.resize(r.port, ctx, 1, []int{1024, 256}[resized%2]); err != nil {
						t.Fatal(err)
					}
				}
				resized++
				select {
				case got = <-done:
				default:
				}
			}
			frametest.Equal(t, got, sent)
			frametest.Equal(t, r.wire.transmitted(0), sent)
			if s := r.port.Stats(); s.Resets != 0 || s.Queues[0].Tx.Lost != 0 {
				t.Errorf("%d recoveries, %d packets of the other pair lost", s.Resets, s.Queues[0].Tx.Lost)
			}
		})
	}
}

// exchange sends frames on pair 0, has as many delivered and returns what arrives. It
// polls pair 1 as well, to which it sends copies that may be lost.
func (r *rig) exchange(ctx context.Context, frames [][]byte) [][]byte {
	var got [][]byte
	bufs := make([]*mbuf.Buf, 32)
	for next := 0; len(got) < len(frames) || next < len(frames); {
		if ctx.Err() != nil {
			break
		}
		if next < len(frames) {
			n := r.port.Pool().Get(bufs[:min(16, len(frames)-next)])
			for i, b := range bufs[:n] {
				frametest.Fill(r.t, b, frames[next+i])
			}
			sent := r.port.TxQueue(0).Burst(bufs[:n])
			mbuf.Free(bufs[sent:n])
			r.wire.deliver(0, frames[next:next+sent]...)
			r.wire.deliver(1, frames[next:next+sent]...)
			next += sent
			n = r.port.Pool().Get(bufs[:4])
			for _, b := range bufs[:n] {
				frametest.Fill(r.t, b, frames[0])
			}
			mbuf.Free(bufs[r.port.TxQueue(1).Burst(bufs[:n]):n])
		}
		n := r.port.RxQueue(0).Burst(bufs)
		for _, b := range bufs[:n] {
			got = append(got, frametest.Content(b))
		}
		mbuf.Free(bufs[:n])
		mbuf.Free(bufs[:r.port.RxQueue(1).Burst(bufs)])
	}
	return got
}

// pci/common/7, basic/vqreset/1: a device that takes its time is waited for, and its ring
// is left alone meanwhile.
func TestSlowQueueReset(t *testing.T) {
	for _, which := range resizers {
		r := newRig(t, functionWith(vdev.Config{Faults: vdev.Faults{QueueResetReads: 5}}), Config{})
		for _, size := range []int{64, 256} {
			if err := which.resize(r.port, t.Context(), 0, size); err != nil {
				t.Fatal(err)
			}
			r.carriesOn(0)
		}
	}
}

// A queue reset that never completes is an error in time, and the port recovers by a
// reset of the device, with the queues as they were.
func TestQueueResetThatNeverCompletes(t *testing.T) {
	for _, which := range resizers {
		for name, how := range map[string]func(r *rig, ctx context.Context) error{
			"stop":   func(r *rig, ctx context.Context) error { return which.stop(r.port, ctx, 0) },
			"resize": func(r *rig, ctx context.Context) error { return which.resize(r.port, ctx, 0, 64) },
		} {
			t.Run(which.name+", "+name, func(t *testing.T) {
				r := newRig(t, functionWith(vdev.Config{Faults: vdev.Faults{QueueResetReads: -1}}),
					Config{Recovery: eager, ControlTimeout: 20 * time.Millisecond, RxQueueSize: 128, TxQueueSize: 128})
				var bad *transport.Error
				if err := how(r, t.Context()); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &bad) ||
					bad.Field != "queue_reset" || bad.Value != 1 {
					t.Errorf("error is %v", err)
				}
				r.recovered(1)
				if got := r.dev.QueueSize(which.virtqueue(0)); got != 128 {
					t.Errorf("the queue has %d descriptors", got)
				}
				r.carriesOn(0)
			})
		}
	}
}

// A device that does not take the larger ring keeps the queue at its old size, and one that
// takes neither is recovered.
func TestResizeThatTheDeviceRefuses(t *testing.T) {
	for _, which := range resizers {
		r := newRig(t, functionWith(vdev.Config{QueueSize: 1024}),
			Config{RxQueueSize: 256, TxQueueSize: 256, Recovery: eager})
		for resets, largest := range []int{256, 128} {
			r.dev.SetFaults(vdev.Faults{LargestQueue: largest})
			var bad *transport.Error
			err := which.resize(r.port, t.Context(), 0, 512)
			if !errors.As(err, &bad) || bad.Field != "queue_size" || bad.Value != 1024 {
				t.Errorf("error is %v", err)
			}
			r.dev.SetFaults(vdev.Faults{})
			r.recovered(uint64(resets))
			if got := r.dev.QueueSize(which.virtqueue(0)); got != 256 {
				t.Errorf("the queue has %d descriptors", got)
			}
			r.carriesOn(0)
		}
	}
}
