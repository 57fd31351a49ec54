package driver

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// withInterrupts is a Config with interrupts that refuses features.
func withInterrupts(fs ...virtio.Feature) Config {
	c := refuse(fs...)
	c.Interrupts = true
	return c
}

// waiting calls Wait in another goroutine.
func waiting(ctx context.Context, wait func(context.Context) error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- wait(ctx) }()
	return result
}

// ended returns what Wait has returned.
func ended(t *testing.T, result <-chan error) error {
	t.Helper()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatal("Wait does not return")
		return nil
	}
}

// asleep waits until a queue has been waited for.
func asleep(t *testing.T, r *rig, queue int) {
	t.Helper()
	// The device sees that the driver asks for interrupts; the rest is a system call.
	await(t, "the queue sleeps", func() bool { return r.port.device.rx[queue].sleep.asleep() })
}

// asleep reports whether the queue's own Waiter is in Wait.
func (s *sleeper) asleep() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiter != nil && s.waiter.asleep()
}

// asleep reports whether a goroutine is in Wait.
func (w *Waiter) asleep() bool {
	if w.mu.TryLock() {
		w.mu.Unlock()
		return false
	}
	return true
}

// noneLost checks that each packet of a queue, which is empty, came with an interrupt. A
// machine that is busy elsewhere may stop the device between the two, until the bound on the
// sleep has found the packet: the next Wait receives the interrupt then.
func (r *rig) noneLost(queue int) {
	r.t.Helper()
	rx := r.port.RxQueue(queue)
	await(r.t, "a late interrupt comes", func() bool {
		s := rx.Stats()
		if s.LostInterrupts > s.SpuriousWakes {
			_ = rx.Wait(within(r.t, 10*time.Millisecond))
			s = rx.Stats()
		}
		return s.LostInterrupts <= s.SpuriousWakes
	})
}

// wiredFunction is a function whose MSI-X vectors a test raises, or cuts off.
type wiredFunction struct {
	*pcifn.Function
	lose    bool // the interrupts of queues
	vectors []int
}

func (f *wiredFunction) SetIRQ(kind pci.IRQ, fds []int) error {
	if kind != pci.MSIX || len(fds) == 0 {
		return f.Function.SetIRQ(kind, fds)
	}
	f.vectors = fds
	if f.lose {
		fds = slices.Clone(fds)
		for i := range fds[1:] {
			fds[i+1] = -1
		}
	}
	return f.Function.SetIRQ(kind, fds)
}

// Wait returns at once if there is a packet, and with the error of its context, before and
// while it sleeps.
func TestWaitAndContext(t *testing.T) {
	r := newRig(t, pcifn.Config{}, withInterrupts())
	rx := r.port.RxQueue(0)
	r.wire.deliver(0, frametest.Seq(0, 60))
	r.settle()
	if err := rx.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := rx.Stats(); s.Waits != 0 {
		t.Errorf("it slept: %+v", s)
	}
	if got := r.receive(0); len(got) != 1 {
		t.Errorf("%d packets", len(got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := waiting(ctx, rx.Wait)
	asleep(t, r, 0)
	cancel()
	if err := ended(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := rx.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	deadline, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := rx.Wait(deadline); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A sleeper is told of a recovery, once, goes on sleeping, and wakes for the next packet of
// the device that was set up again.
func TestWaitAcrossARecovery(t *testing.T) {
	for _, c := range []Config{withInterrupts(), withInterrupts(virtio.RingPacked)} {
		r := newRig(t, pcifn.Config{}, c)
		rx := r.port.RxQueue(0)
		for range 2 {
			resets := r.port.Stats().Resets
			result := waiting(t.Context(), rx.Wait)
			asleep(t, r, 0)
			r.dev.NeedReset()
			if err := ended(t, result); !errors.Is(err, ErrRecovering) {
				t.Fatalf("%v", err)
			}
			result = waiting(t.Context(), rx.Wait)
			await(t, "the port is recovered", func() bool { return r.port.Stats().Resets > resets })
			r.wire.deliver(0, frametest.Seq(0, 60))
			r.settle()
			if err := ended(t, result); err != nil {
				t.Fatal(err)
			}
			if got := r.receive(0); len(got) != 1 {
				t.Errorf("%d packets", len(got))
			}
			r.noneLost(0)
		}
	}
}

// The end of a port ends Wait with the port's error, and so it does later.
func TestWaitEndsWithThePort(t *testing.T) {
	before := fdtest.Count(t)
	func() {
		r := newRig(t, pcifn.Config{}, withInterrupts())
		rx := r.port.RxQueue(0)
		result := waiting(t.Context(), rx.Wait)
		asleep(t, r, 0)
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
		for _, err := range []error{ended(t, result), rx.Wait(t.Context())} {
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("%v", err)
			}
		}
		if _, err := NewWaiter(rx); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
		r.fn.Close()
	}()
	if after := fdtest.Count(t); after > before {
		t.Errorf("%d descriptors were open, now %d are", before, after)
	}
}

// Whatever is done to a queue while its goroutine sleeps, it sleeps on, wakes for the next
// packet, by an interrupt of the ring that the queue has then, and leaves no descriptor.
func TestWaitAcrossAResize(t *testing.T) {
	for _, c := range []Config{withInterrupts(), withInterrupts(virtio.RingEventIdx), withInterrupts(virtio.RingPacked)} {
		r := newRig(t, pcifn.Config{}, c)
		rx, fds := r.port.RxQueue(0), 0
		wake := func(meanwhile func(result <-chan error)) {
			t.Helper()
			result := waiting(t.Context(), rx.Wait)
			asleep(t, r, 0)
			meanwhile(result)
			r.wire.deliver(0, frametest.Seq(0, 60))
			r.settle()
			if err := ended(t, result); err != nil {
				t.Fatal(err)
			}
			if got := r.receive(0); len(got) != 1 {
				t.Fatalf("%d packets", len(got))
			}
		}
		for _, size := range []int{64, 256, 16} {
			wake(func(result <-chan error) {
				err := errors.Join(r.port.ResizeRxQueue(soon(t), 0, size), r.port.StopRxQueue(soon(t), 0))
				r.port.Inspect()
				select {
				case err = <-result:
					t.Errorf("Wait returned %v while the queue was stopped", err)
				default:
				}
				if err = errors.Join(err, r.port.StartRxQueue(soon(t), 0)); err != nil {
					t.Fatal(err)
				}
			})
			before := rx.Stats().Interrupts
			await(t, "an interrupt wakes the goroutine", func() bool {
				wake(func(<-chan error) {})
				return rx.Stats().Interrupts > before
			})
			if fds == 0 {
				fds = fdtest.Count(t)
			}
		}
		if n := fdtest.Count(t); n != fds {
			t.Errorf("%d descriptors were open, now %d are", fds, n)
		}
		if err := r.port.StopRxQueue(soon(t), 0); err != nil {
			t.Fatal(err)
		}
		if err := rx.Wait(within(t, time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stopped queue: %v", err)
		}
	}
}

// A queue whose interrupt cannot be connected, for want of a descriptor, is not left with
// buffers that the device may write to: the resize fails, and the port recovers.
func TestResizeWithoutDescriptors(t *testing.T) {
	r := newRig(t, pcifn.Config{}, withInterrupts())
	r.carries()
	more := fdtest.Limit(t, 0)
	err := r.port.ResizeRxQueue(t.Context(), 0, 64)
	more()
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("error is %v", err)
	}
	r.recovered(1)
	r.carries()
	if got := r.dev.QueueSize(0); got != 256 {
		t.Errorf("the queue has %d descriptors", got)
	}
}

// A port that failed ends Wait with why.
func TestWaitEndsWithAFailure(t *testing.T) {
	c := withInterrupts()
	c.Recovery.MaxResets = -1
	r := newRig(t, pcifn.Config{}, c)
	rx := r.port.RxQueue(0)
	result := waiting(t.Context(), rx.Wait)
	asleep(t, r, 0)
	r.dev.NeedReset()
	if err := ended(t, result); !errors.Is(err, ErrNeedsReset) {
		t.Errorf("%v", err)
	}
}

// A Waiter wakes for any of its queues, of two ports with two queues each, and a port that is
// being recovered does not disturb the others.
func TestWaiter(t *testing.T) {
	c := withInterrupts()
	c.Queues = 2
	two := pcifn.Config{}
	two.Device.Pairs = 2
	rigs := []*rig{newRig(t, two, c), newRig(t, two, c)}
	var queues []*RxQueue
	for _, r := range rigs {
		queues = append(queues, r.port.RxQueue(0), r.port.RxQueue(1))
	}
	w, err := NewWaiter(queues...)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 8 {
		r := rigs[i/2%2]
		result := waiting(t.Context(), w.Wait)
		r.wire.deliver(i%2, frametest.Seq(i, 60))
		r.settle()
		if err := ended(t, result); err != nil {
			t.Fatal(err)
		}
		if got := r.receive(i % 2); len(got) != 1 {
			t.Fatalf("%d packets in queue %d", len(got), i%2)
		}
	}
	result := waiting(t.Context(), w.Wait)
	await(t, "the Waiter sleeps", w.asleep)
	rigs[0].dev.Start() // the set-up waits for the answer to a command
	rigs[0].dev.NeedReset()
	if err := ended(t, result); !errors.Is(err, ErrRecovering) {
		t.Fatal(err)
	}
	result = waiting(t.Context(), w.Wait)
	rigs[1].wire.deliver(1, frametest.Seq(0, 60))
	rigs[1].settle()
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
	rigs[1].receive(1)
	await(t, "the port is recovered", func() bool { return rigs[0].port.Stats().Resets > 0 })
}

// A device that never interrupts delays packets, but does not lose them, and that is counted.
func TestLostInterrupt(t *testing.T) {
	r := newRigBehind(t, pcifn.Config{}, withInterrupts(), func(fn *pcifn.Function) pci.Function {
		return &wiredFunction{Function: fn, lose: true}
	})
	rx := r.port.RxQueue(0)
	for try := 1; rx.Stats().LostInterrupts == 0; try++ {
		result := waiting(t.Context(), rx.Wait)
		asleep(t, r, 0)
		before := rx.Stats().WaitTimeouts
		await(t, "the sleep is bounded", func() bool { return rx.Stats().WaitTimeouts > before })
		r.wire.deliver(0, frametest.Seq(0, 60)) // perhaps before it sleeps again
		r.settle()
		if err := ended(t, result); err != nil {
			t.Fatal(err)
		}
		if s := rx.Stats(); s.LostInterrupts > 1 || s.Interrupts != 0 || try == 10 && s.LostInterrupts == 0 {
			t.Fatalf("%+v", s)
		}
		r.receive(0)
	}
}

// An interrupt without a packet does not end Wait (split/used-suppress/5).
func TestSpuriousInterrupt(t *testing.T) {
	var fn *wiredFunction
	r := newRigBehind(t, pcifn.Config{}, withInterrupts(), func(f *pcifn.Function) pci.Function {
		fn = &wiredFunction{Function: f}
		return fn
	})
	rx := r.port.RxQueue(0)
	result := waiting(t.Context(), rx.Wait)
	await(t, "interrupts for nothing are counted", func() bool {
		if _, err := unix.Write(fn.vectors[1], []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		return rx.Stats().SpuriousWakes > 2
	})
	select {
	case err := <-result:
		t.Fatalf("Wait has returned: %v", err)
	default:
	}
	r.wire.deliver(0, frametest.Seq(0, 60))
	r.settle()
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
	r.receive(0)
}

// A queue whose pool is empty is filled as soon as there are buffers, although its goroutine
// sleeps and the device, which has none, cannot interrupt.
func TestWaitWithoutBuffers(t *testing.T) {
	r := newRig(t, pcifn.Config{}, withInterrupts())
	rx, pool := r.port.RxQueue(0), r.port.Pool()
	var held []*mbuf.Buf
	bufs := make([]*mbuf.Buf, 64)
	for rx.Stats().Posted > 0 || pool.Free() > 0 {
		r.wire.deliver(0, frametest.Seq(0, 60))
		r.settle()
		held = append(held, bufs[:rx.Burst(bufs)]...)
		held = append(held, bufs[:pool.Get(bufs)]...)
	}
	result := waiting(t.Context(), rx.Wait)
	asleep(t, r, 0)
	mbuf.Free(held)
	r.wire.deliver(0, frametest.Seq(1, 60))
	await(t, "the device has a buffer", func() bool { return r.dev.Poll() > 0 })
	if err := ended(t, result); err != nil {
		t.Fatal(err)
	}
	r.receive(0)
}

// Polling needs no interrupts, and a device that has none says so.
func TestWaitWithoutInterrupts(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	if err := r.port.RxQueue(0).Wait(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
	for name, fc := range map[string]pcifn.Config{
		"vectors refused": {RefuseVector: func(uint16) bool { return true }},
	} {
		fn := newFunction(t, fc)
		port, err := openPort(fn, withInterrupts())
		var e *transport.Error
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &e) || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
		if port != nil {
			port.Close()
		}
	}
}

// A device that has a vector for the first queue only, or refuses those of others, has its
// queues share it.
func TestSharedVector(t *testing.T) {
	for name, fc := range map[string]pcifn.Config{
		"2 vectors": {Vectors: 2},
		"refused":   {RefuseVector: func(v uint16) bool { return v > 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			c := withInterrupts()
			c.Queues = 3
			fc.Device.Pairs = 3
			r := newRig(t, fc, c)
			for pair := range 3 {
				rx := r.port.RxQueue(pair)
				result := waiting(t.Context(), rx.Wait)
				asleep(t, r, pair)
				r.wire.deliver(pair, frametest.Seq(0, 60))
				r.settle()
				if err := ended(t, result); err != nil {
					t.Fatal(err)
				}
				r.receive(pair)
				r.noneLost(pair)
			}
		})
	}
}

// Waking allocates nothing.
func TestWaitAllocatesNothing(t *testing.T) {
	r := newRig(t, pcifn.Config{}, withInterrupts())
	rx, ctx := r.port.RxQueue(0), t.Context()
	r.port.supervisor.stop() // it allocates when it reads the status each second
	frame := [][]byte{frametest.Seq(0, 60)}
	bufs := make([]*mbuf.Buf, 4)
	next, served := make(chan bool, 1), make(chan bool)
	go func() {
		defer close(served)
		for range next {
			for !r.port.device.rx[0].sleep.asleep() {
				time.Sleep(time.Microsecond)
			}
			r.wire.deliver(0, frame...)
			r.settle()
		}
	}()
	allocs := testing.AllocsPerRun(50, func() {
		next <- true
		if err := rx.Wait(ctx); err != nil {
			t.Error(err)
		}
		mbuf.Free(bufs[:rx.Burst(bufs)])
	})
	close(next)
	<-served
	if s := rx.Stats(); allocs > allocatesUnderRace || s.Interrupts == 0 {
		t.Errorf("%v allocations, %+v", allocs, s)
	}
}
