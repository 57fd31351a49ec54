package driver

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// What one port receives another transmits, whose ring is larger than the pool of the
// first.
func TestForwardingBetweenPools(t *testing.T) {
	for _, refused := range []virtio.Features{{}, virtio.FeatureSet(virtio.RingPacked)} {
		a := newRig(t, functionWith(vdev.Config{QueueSize: 256}), Config{Refuse: refused})
		b := newRig(t, functionWith(vdev.Config{QueueSize: 4096}),
			Config{TxQueueSize: 4096, RxQueueSize: 256, Refuse: refused})
		if err := b.port.Attach(a.port.Pool()); err != nil {
			t.Fatal(err)
		}
		rx, tx := a.port.RxQueue(0), b.port.TxQueue(0)
		bufs := make([]*mbuf.Buf, 32)
		want, got, idle := 3*a.port.Pool().Size(), 0, 0
		frames := frametest.Series(0, 64, 64)
		for given := 0; got < want && idle < 100; idle++ {
			if given-got < 512 {
				a.wire.deliver(0, frames...)
				given += len(frames)
			}
			a.dev.Poll()
			n := rx.Burst(bufs)
			sent := tx.Burst(bufs[:n])
			mbuf.Free(bufs[sent:n])
			b.dev.Poll()
			b.wire.transmitted(0)
			if got += sent; n > 0 {
				idle = 0
			}
		}
		if got < want {
			t.Errorf("%d of %d were forwarded; %d of %d buffers are free, and %d in the other port", got, want,
				a.port.Pool().Free(), a.port.Pool().Size(), b.port.Stats().Queues[0].Tx.Posted)
		}
	}
}

// A Burst without packets takes back what was sent.
func TestEmptyBurstReclaims(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		r := newRig(t, functionWith(vdev.Config{}), c)
		r.send(0, frametest.Series(0, 20, 60)...)
		r.settle()
		if n := r.port.TxQueue(0).Burst(nil); n != 0 || r.port.Stats().Queues[0].Tx.Posted != 0 {
			t.Errorf("%d sent, %+v", n, r.port.Stats().Queues[0].Tx)
		}
	}
}

// With another cache, what a queue's own cache has is there for everyone.
func TestSetCacheFlushesTheOwnCache(t *testing.T) {
	pool := newPool(t, mbuf.Config{Count: 8192})
	r := newRig(t, functionWith(vdev.Config{QueueSize: 256}), Config{Pool: pool})
	r.send(0, frametest.Series(0, 100, 60)...)
	shared := pool.NewCache(256)
	defer shared.Close()
	rx, tx := r.port.RxQueue(0), r.port.TxQueue(0)
	if err := errorsOf(rx.SetCache(shared), tx.SetCache(shared)); err != nil {
		t.Fatal(err)
	}
	r.settle()
	tx.Reclaim()
	all := make([]*mbuf.Buf, 8192)
	n := shared.Get(all)
	if n += pool.Get(all[n:]); pool.Free() != 0 {
		t.Errorf("%d of %d buffers are free and out of reach", pool.Free(), pool.Size())
	}
	mbuf.Free(all[:n])
	if err := errorsOf(rx.SetCache(nil), tx.SetCache(nil)); err != nil {
		t.Fatal(err)
	}
}

// crossed returns two ports, each with the pool of the other attached and a packet of it
// that was not taken back.
func crossed(t *testing.T) [2]*Port {
	a, b := newRig(t, functionWith(vdev.Config{}), Config{}), newRig(t, functionWith(vdev.Config{}), Config{})
	ports := [2]*Port{a.port, b.port}
	for i, p := range ports {
		other := ports[1-i]
		if err := p.Attach(other.Pool()); err != nil {
			t.Fatal(err)
		}
		bufs := make([]*mbuf.Buf, 1)
		other.Pool().Get(bufs)
		frametest.Fill(t, bufs[0], frametest.Seq(i, 60))
		if p.TxQueue(0).Burst(bufs) != 1 {
			t.Fatal("not sent")
		}
	}
	return ports
}

// Two ports that are attached to each other close in either order, and the memory of a
// pool goes with the last that has it.
func TestPortsCloseInAnyOrder(t *testing.T) {
	for first := range 2 {
		ports := crossed(t)
		pool := ports[first].Pool()
		if err := ports[first].Close(); err != nil {
			t.Error(err)
		}
		if (*mbuf.DriverPool)(pool).Memory().Bytes() == nil {
			t.Fatal("the memory is gone, and the other port has it mapped")
		}
		if err := ports[1-first].Close(); err != nil {
			t.Error(err)
		}
		for _, p := range ports {
			if (*mbuf.DriverPool)(p.Pool()).Memory().Bytes() != nil || p.Pool().Release() != nil {
				t.Error("a pool that no one has was not released")
			}
		}
	}
}

// A port whose own pool is attached elsewhere can be closed and opened again.
func TestReplug(t *testing.T) {
	b := newRig(t, functionWith(vdev.Config{}), Config{})
	for range 3 {
		a := newRig(t, functionWith(vdev.Config{}), Config{})
		if err := b.port.Attach(a.port.Pool()); err != nil {
			t.Fatal(err)
		}
		bufs := make([]*mbuf.Buf, 1)
		a.port.Pool().Get(bufs)
		frametest.Fill(t, bufs[0], frametest.Seq(1, 60))
		if b.port.TxQueue(0).Burst(bufs) != 1 || b.port.Stats().TxErrors != 0 {
			t.Errorf("not sent: %+v", b.port.Stats())
		}
		if err := a.port.Close(); err != nil {
			t.Error(err)
		}
		b.settle()
		b.port.TxQueue(0).Reclaim()
		if err := b.port.Detach(a.port.Pool()); err != nil {
			t.Error(err)
		}
		if err := b.port.Attach(a.port.Pool()); !errors.Is(err, os.ErrClosed) {
			t.Errorf("attaching a released pool: %v", err)
		}
	}
}

// A pool is detached when none of its buffers is posted any more; its memory is unmapped
// by the next reset.
func TestDetach(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		r := newRig(t, functionWith(vdev.Config{}), c)
		pool := newPool(t, mbuf.Config{Count: 64})
		memory := (*mbuf.DriverPool)(pool).Memory()
		tx := r.port.TxQueue(0)
		bufs := make([]*mbuf.Buf, 1)
		send := func() {
			pool.Get(bufs)
			frametest.Fill(t, bufs[0], frametest.Seq(1, 60))
			if tx.Burst(bufs) != 1 {
				t.Fatal("not taken")
			}
		}
		inUse := func(pool *mbuf.Pool, remedy string) {
			t.Helper()
			if err := r.port.Detach(pool); !errors.Is(err, mbuf.ErrInUse) || !strings.Contains(err.Error(), remedy) {
				t.Errorf("Detach: %v, want the advice %q", err, remedy)
			}
		}
		if err := r.port.Attach(pool); err != nil {
			t.Fatal(err)
		}
		inUse(r.port.Pool(), "close the port")
		send()
		inUse(pool, "call Reclaim")
		r.settle()
		inUse(pool, "call Reclaim")
		if tx.Reclaim() != 1 || pool.Free() != 64 {
			t.Error("the buffer is not back")
		}
		cache := pool.NewCache(8)
		if err := tx.SetCache(cache); err != nil {
			t.Fatal(err)
		}
		inUse(pool, "SetCache(nil)")
		if err := errorsOf(tx.SetCache(nil), r.port.Detach(pool), r.port.Detach(pool)); err != nil {
			t.Fatal(err)
		}
		cache.Close()
		send()
		if s := r.port.Stats().Queues[0].Tx; s.PoolDrops != 1 || pool.Free() != 64 {
			t.Errorf("a buffer of a detached pool: %+v", s)
		}
		r.dev.NeedReset()
		r.recovered(1)
		if slices.Contains(r.port.device.mapped, memory) {
			t.Error("the memory is still mapped after a reset")
		}
		if err := r.port.Attach(pool); err != nil {
			t.Error(err)
		}
		r.dev.Poll()
		send()
		if s := r.port.Stats(); s.TxErrors != 1 {
			t.Errorf("attached again: %+v", s)
		}
	}
}

// A pool comes and goes while a poller sends its buffers.
func TestDetachUnderAPoller(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{}), Config{})
	pool := newPool(t, mbuf.Config{Count: 64})
	r.dev.Start()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tx := r.port.TxQueue(0)
		bufs := make([]*mbuf.Buf, 8)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			n := 0
			if i%64 < 8 { // now and then all buffers come back
				n = pool.Get(bufs)
			}
			for _, b := range bufs[:n] {
				b.Append(60)
			}
			mbuf.Free(bufs[tx.Burst(bufs[:n]):n])
		}
	}()
	for detached := 0; detached < 20; {
		if err := r.port.Attach(pool); err != nil {
			// Buffers may be out of a pool that has no addresses yet.
			var bind *mbuf.Error
			if !errors.As(err, &bind) {
				t.Fatal(err)
			}
			continue
		}
		switch err := r.port.Detach(pool); {
		case err == nil:
			detached++
		case !errors.Is(err, mbuf.ErrInUse):
			t.Fatal(err)
		}
	}
	close(stop)
	<-done
	r.dev.Stop()
}

// A pool that is released while ports have it stays theirs until they are closed.
func TestReleaseBeforeClose(t *testing.T) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 2048, Memory: smallPages})
	if err != nil {
		t.Fatal(err)
	}
	fn := newFunction(t, pcifn.Config{})
	p, err := openPort(fn, Config{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
	held := pool.GetOne()
	if held == nil {
		t.Fatal("the pool gives no buffer while a port has it")
	}
	if _, err := openPort(newFunction(t, pcifn.Config{}), Config{Pool: pool}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("another port opens with a released pool: %v", err)
	}
	var busy *mbuf.BusyError
	if err := p.Close(); !errors.As(err, &busy) || busy.Out != 1 {
		t.Errorf("closing the port while a buffer is held: %v", err)
	}
	held.Append(1)[0] = 1 // the memory is there
	held.Free()
	if (*mbuf.DriverPool)(pool).Memory().Bytes() != nil {
		t.Error("the memory stays although the last buffer is back")
	}
}
