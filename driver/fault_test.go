package driver

import (
	"context"
	"errors"
	"runtime/debug"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// remove makes each access to mem fail until the test ends or the function it returns is
// called, as if another process had removed its pages.
func remove(t *testing.T, mem *hugepages.Memory) (giveBack func()) {
	t.Helper()
	data := mem.Bytes()
	if err := unix.Mprotect(data, unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	giveBack = func() {
		if err := unix.Mprotect(data, unix.PROT_READ|unix.PROT_WRITE); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(giveBack)
	return giveBack
}

// faultIn calls do, which is to fail with a memory fault, and returns the fault.
func faultIn(t *testing.T, do func()) (cause error) {
	t.Helper()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		var isFault bool
		if cause, isFault = recover().(fault); !isFault {
			t.Error("there was no memory fault")
		}
	}()
	do()
	return nil
}

// A memory fault ends a burst, or an access of the application to a packet. After
// Abandon the queue is out of the burst: the port recovers when the memory is back, and
// no buffer is missing but the one that the application had.
func TestAbandon(t *testing.T) {
	for _, ring := range rings {
		for _, c := range []struct {
			name string
			mem  func(p *Port) *hugepages.Memory
			do   func(r *rig, b []*mbuf.Buf) // fails
		}{
			{"receive", ringMemory, func(r *rig, b []*mbuf.Buf) { r.port.RxQueue(0).Burst(b) }},
			{"transmit", ringMemory, func(r *rig, b []*mbuf.Buf) { r.port.TxQueue(0).Burst(b[:1]) }},
			{"wait", ringMemory, func(r *rig, _ []*mbuf.Buf) { _ = r.port.RxQueue(0).Wait(t.Context()) }},
			{"headers", poolMemory, func(r *rig, b []*mbuf.Buf) { r.port.TxQueue(0).Burst(b[:1]) }},
			{"application", poolMemory, func(r *rig, b []*mbuf.Buf) { b[0].Data()[0] = 1 }},
		} {
			t.Run(ring.name+"/"+c.name, func(t *testing.T) {
				r := newRig(t, pcifn.Config{Device: vdev.Config{Refuse: ring.refuse}},
					Config{Recovery: eager, Interrupts: true})
				bufs := make([]*mbuf.Buf, 8)
				r.port.Pool().Get(bufs[:1])
				frametest.Fill(t, bufs[0], frametest.Seq(1, 60))
				giveBack := remove(t, c.mem(r.port))
				cause := faultIn(t, func() { c.do(r, bufs) })
				rx, tx := r.port.RxQueue(0).Abandon(cause), r.port.TxQueue(0).Abandon(cause)
				if !rx && !tx {
					t.Fatal("no queue has to do with the fault")
				}
				giveBack()
				r.recovered(1)
				pool, posted := r.port.Pool(), 0
				for _, q := range r.port.Stats().Queues {
					posted += q.Rx.Posted + q.Tx.Posted
				}
				if missing := pool.Size() - pool.Free() - posted; missing != 1 {
					t.Errorf("%d buffers are missing, not 1", missing)
				}
				r.carries()
			})
		}
	}
}

func ringMemory(p *Port) *hugepages.Memory { return p.device.rings }

func poolMemory(p *Port) *hugepages.Memory { return (*mbuf.DriverPool)(p.Pool()).Memory() }

// A fault that is in no burst and in no memory of the port is none of its business.
func TestAbandonElsewhere(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	mem, err := hugepages.Allocate(hugepages.Options{Bytes: 1, PageSize: smallPages.PageSize})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mem.Release() })
	remove(t, mem)
	cause := faultIn(t, func() { mem.Bytes()[0] = 1 })
	for _, err := range []error{cause, errors.New("something else")} {
		if r.port.RxQueue(0).Abandon(err) || r.port.TxQueue(0).Abandon(err) {
			t.Errorf("the port takes %v for its own", err)
		}
	}
	time.Sleep(20 * time.Millisecond)
	if s := r.port.Stats(); s.Resets != 0 || r.port.Err() != nil {
		t.Errorf("%d resets, %v", s.Resets, r.port.Err())
	}
}

// A call that meets a memory fault has it in its error, or waits for the recovery that
// follows, whether the device has a control queue or not. No buffer is lost.
func TestCallsMeetAMemoryFault(t *testing.T) {
	for name, c := range map[string]struct {
		refuse virtio.Features
		call   func(ctx context.Context, p *Port) error
	}{
		"command": {virtio.Features{}, func(ctx context.Context, p *Port) error { return p.SetPromiscuous(ctx, true) }},
		"receive queue": {virtio.FeatureSet(virtio.NetCtrlVQ),
			func(ctx context.Context, p *Port) error { return p.ResizeRxQueue(ctx, 0, 128) }},
		"transmit queue": {virtio.FeatureSet(virtio.NetCtrlVQ),
			func(ctx context.Context, p *Port) error { return p.ResizeTxQueue(ctx, 0, 128) }},
		"pair that becomes inactive": {virtio.FeatureSet(virtio.NetCtrlVQ),
			func(ctx context.Context, p *Port) error {
				return p.device.configure(ctx, "", func(*commander) error { return p.device.deactivate(ctx, 0, 1) })
			}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, pcifn.Config{Device: vdev.Config{Refuse: c.refuse}},
				Config{Recovery: eager, Pool: newPool(t, mbuf.Config{Count: 4096})})
			r.fill(0, frametest.Series(0, 10, 60))
			giveBack := remove(t, ringMemory(r.port))
			// The control queue is not used before the recovery, which takes the memory.
			err := c.call(within(t, 100*time.Millisecond), r.port)
			if !errors.Is(err, ErrMemoryFault) && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
			giveBack()
			r.recovered(1)
			if err := r.port.ResizeRxQueue(soon(t), 0, 64); err != nil {
				t.Error(err)
			}
			r.carries()
		})
	}
}

// Open fails, and loses no buffer, if it meets a memory fault.
func TestOpenMeetsAMemoryFault(t *testing.T) {
	for _, ring := range rings {
		t.Run(ring.name, func(t *testing.T) {
			pool := newPool(t, mbuf.Config{Count: 2048})
			r := newRig(t, pcifn.Config{Device: vdev.Config{Refuse: ring.refuse}}, Config{Pool: pool})
			for range 8 { // leaves headers in the buffers that have to be written again
				r.carries()
			}
			if err := r.port.Close(); err != nil {
				t.Fatal(err)
			}
			giveBack := remove(t, (*mbuf.DriverPool)(pool).Memory())
			fn := newFunction(t, pcifn.Config{Device: vdev.Config{Backend: newWire(), Hold: true, Refuse: ring.refuse}})
			port, err := openPort(fn, Config{Pool: pool})
			if !errors.Is(err, ErrMemoryFault) {
				t.Errorf("%T %v", err, err)
			}
			if err == nil {
				_ = port.Close()
			}
			giveBack()
			if pool.Free() != pool.Size() {
				t.Errorf("%d buffers are missing", pool.Size()-pool.Free())
			}
		})
	}
}
