package driver

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// switches are the features that change what a ring looks like. Every
// combination has to carry every frame.
var switches = []virtio.Feature{
	virtio.RingPacked, virtio.NetMrgRxbuf, virtio.RingEventIdx, virtio.RingIndirectDesc, virtio.InOrder, virtio.NotificationData,
}

// combinations calls f with every subset of the switches taken out of what the
// device offers.
func combinations(t *testing.T, f func(t *testing.T, without virtio.Features)) {
	for bits := range 1 << len(switches) {
		var without virtio.Features
		name := []string{"split"}
		for i, s := range switches {
			if bits>>i&1 == 0 {
				without = without.With(s)
			} else if s == virtio.RingPacked {
				name[0] = "packed"
			} else {
				name = append(name, s.String())
			}
		}
		t.Run(strings.Join(name, ","), func(t *testing.T) { f(t, without) })
	}
}

// Frames of all lengths, with chains among them, go out and come in unharmed,
// in order, exactly once, for every combination and several ring sizes. More
// than 65536 of them go through each ring kind in TestIndexWrap.
func TestEveryCombinationCarriesEveryFrame(t *testing.T) {
	lengths := []int{60, 1514, 64, 61, 999, 128, 1513, 300}
	combinations(t, func(t *testing.T, without virtio.Features) {
		sizes := []int{64, 256}
		if !without.Has(virtio.RingPacked) {
			sizes = append(sizes, 7)
		}
		for _, size := range sizes {
			r := newRig(t, functionWith(vdev.Config{Refuse: without}), Config{RxQueueSize: size, TxQueueSize: size})
			checkPath(t, r.port, without)
			for round := range 3 {
				sent := frametest.Series(1000*round, 150, lengths...)
				r.send(0, sent...)
				r.settle()
				frametest.Equal(t, r.wire.transmitted(0), sent)
				r.wire.deliver(0, sent...)
				frametest.Equal(t, r.receive(0), sent)
			}
			if s := r.port.Stats(); s.RxPackets != 450 || s.TxPackets != 450 || s.RxErrors+s.TxErrors+s.TxDropped != 0 {
				t.Errorf("statistics: %+v", s)
			}
		}
	})
}

// A pool with fewer buffers than the rings have room for is enough to forward for
// ever, and Reclaim returns what was sent last.
func TestForwardingWithASmallPool(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Pool = newPool(t, mbuf.Config{Count: 304})
		r := newRig(t, functionWith(vdev.Config{}), c)
		bufs := make([]*mbuf.Buf, 32)
		for round := range 100 {
			sent := frametest.Series(50*round, 50, 60, 1514)
			r.wire.deliver(0, sent...)
			for left := len(sent); left > 0; {
				r.settle()
				n := r.port.RxQueue(0).Burst(bufs)
				if n == 0 {
					t.Fatalf("round %d: nothing comes any more: %+v", round, r.port.Stats())
				}
				mbuf.Free(bufs[r.port.TxQueue(0).Burst(bufs[:n]):n])
				left -= n
			}
			r.settle()
			frametest.Equal(t, r.wire.transmitted(0), sent)
		}
		if n := r.port.TxQueue(0).Reclaim(); n == 0 || r.port.Stats().Queues[0].Tx.Posted != 0 {
			t.Errorf("%d buffers were taken back, %+v", n, r.port.Stats().Queues[0].Tx)
		}
		if n := r.port.TxQueue(0).Reclaim(); n != 0 {
			t.Errorf("%d buffers were taken back twice", n)
		}
	}
}

// checkPath compares the path in words with what is not offered.
func checkPath(t *testing.T, p *Port, without virtio.Features) {
	t.Helper()
	path := p.Path()
	words := map[virtio.Feature]string{virtio.RingPacked: "packed", virtio.InOrder: "in-order", virtio.RingEventIdx: "event-idx"}
	for f, word := range words {
		for _, s := range []string{path.Rx, path.Tx} {
			if strings.Contains(s, word) == without.Has(f) {
				t.Errorf("path is %q, and %v is offered: %v", s, f, !without.Has(f))
			}
		}
	}
	if strings.Contains(path.Rx, "mergeable") == without.Has(virtio.NetMrgRxbuf) ||
		strings.Contains(path.Tx, "indirect") == without.Has(virtio.RingIndirectDesc) {
		t.Errorf("path is %v", path)
	}
	for _, w := range faster {
		named := slices.ContainsFunc(path.Rejected, func(r Rejected) bool { return strings.Contains(r.Reason, w.feature.String()) })
		if named != without.Has(w.feature) {
			t.Errorf("%v: named among the rejected: %v, offered: %v", w.feature, named, !without.Has(w.feature))
		}
	}
}

func TestPathDistinguishesRefusedFromNotOffered(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Refuse: virtio.FeatureSet(virtio.InOrder)}), refuse(virtio.RingPacked, virtio.InOrder))
	got := r.port.Path().String()
	for _, want := range []string{"RX split", "no packed ring: RING_PACKED is refused by the configuration",
		"no in-order completion: the device does not offer IN_ORDER"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
}

// Jumbo frames: chains on the way out, merged buffers on the way in.
func TestJumboFrames(t *testing.T) {
	combinations(t, func(t *testing.T, without virtio.Features) {
		r := newRig(t, functionWith(vdev.Config{Refuse: without, MTU: 9000}), Config{})
		sent := frametest.Series(0, 60, 9014, 60, 4000, 2048, 2049, 8192)
		r.send(0, sent...)
		r.settle()
		frametest.Equal(t, r.wire.transmitted(0), sent)
		r.wire.deliver(0, sent...)
		frametest.Equal(t, r.receive(0), sent)
	})
}

// A device without IN_ORDER may use buffers in any order; the frames it takes
// are then in another order as well, but none is lost or spoilt.
func TestCompletionOutOfOrder(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked), refuse(virtio.RingIndirectDesc)} {
		r := newRig(t, functionWith(vdev.Config{OutOfOrder: true, MTU: 9000}), c)
		for round := range 5 {
			sent := frametest.Series(1000*round, 300, 60, 1514, 5000)
			r.send(0, sent...)
			r.settle()
			frametest.EqualSet(t, r.wire.transmitted(0), sent)
			r.wire.deliver(0, sent...)
			frametest.EqualSet(t, r.receive(0), sent)
		}
	}
}

// x/packed/inorder, x/split/inorder: one used entry for a batch.
func TestBatchedCompletion(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		r := newRig(t, functionWith(vdev.Config{BatchUsed: true}), c)
		sent := frametest.Series(0, 2000, 60, 1514)
		r.send(0, sent...)
		r.settle()
		frametest.Equal(t, r.wire.transmitted(0), sent)
	}
}

// x/split/idx16, x/notif-data: indexes pass 65536, wrap counters toggle.
func TestIndexWrap(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked), refuse(virtio.InOrder), refuse(virtio.RingPacked, virtio.InOrder)} {
		c.RxQueueSize, c.TxQueueSize = 64, 64
		r := newRig(t, functionWith(vdev.Config{Backend: wire.Loop()}), c)
		tx, rx := r.port.TxQueue(0), r.port.RxQueue(0)
		bufs := make([]*mbuf.Buf, 32)
		next, seen := 0, 0
		for seen < 70000 {
			n := r.port.Pool().Get(bufs)
			for i, b := range bufs[:n] {
				frametest.Fill(t, b, frametest.Seq(next+i, 60))
			}
			sent := tx.Burst(bufs[:n])
			mbuf.Free(bufs[sent:n])
			next += sent
			r.dev.Poll()
			got := rx.Burst(bufs)
			for _, b := range bufs[:got] {
				if !slices.Equal(b.Data(), frametest.Seq(seen, 60)) {
					t.Fatalf("frame %d is not the one that was sent", seen)
				}
				seen++
			}
			mbuf.Free(bufs[:got])
		}
	}
}

// Two ports on a cable, each device at work in a goroutine of its own, frames
// both ways at once: a test for the race detector.
func TestCableBothWays(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked), "no events": refuse(virtio.RingEventIdx)} {
		t.Run(name, func(t *testing.T) {
			left, right := wire.Cable()
			a := newRig(t, functionWith(vdev.Config{Backend: left}), c)
			b := newRig(t, functionWith(vdev.Config{Backend: right}), c)
			a.dev.Start()
			b.dev.Start()
			const total = 5000
			done := make(chan error)
			for _, r := range []*rig{a, b} {
				go func() { done <- exchange(r.port, total) }()
			}
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			a.dev.Stop()
			b.dev.Stop()
		})
	}
}

// exchange sends total numbered frames and receives as many.
func exchange(p *Port, total int) error {
	rx, tx := p.RxQueue(0), p.TxQueue(0)
	bufs := make([]*mbuf.Buf, 32)
	lengths := []int{60, 1514, 200, 64}
	for next, seen := 0, 0; next < total || seen < total; {
		n := p.Pool().Get(bufs[:min(32, int(total-next))])
		for i, b := range bufs[:n] {
			number := next + i
			copy(b.Append(lengths[number%4]), frametest.Seq(number, lengths[number%4]))
		}
		sent := tx.Burst(bufs[:n])
		mbuf.Free(bufs[sent:n])
		next += sent
		got := rx.Burst(bufs)
		for i, b := range bufs[:got] {
			if number := seen + i; !slices.Equal(frametest.Content(b), frametest.Seq(number, lengths[number%4])) {
				return fmt.Errorf("frame %d is not the one that was sent", number)
			}
		}
		mbuf.Free(bufs[:got])
		seen += got
		if sent+got == 0 {
			runtime.Gosched()
		}
	}
	return nil
}

// A buffer of another port's pool can be sent once the pool is attached.
func TestAttach(t *testing.T) {
	other := newPool(t, mbuf.Config{Count: 64})
	r := newRig(t, functionWith(vdev.Config{}), Config{})
	tx := r.port.TxQueue(0)
	bufs := make([]*mbuf.Buf, 1)
	give := func() int {
		other.Get(bufs)
		frametest.Fill(t, bufs[0], frametest.Seq(7, 100))
		n := tx.Burst(bufs)
		r.settle()
		return n
	}
	if n := give(); n != 1 || r.port.Stats().TxErrors != 1 || len(r.wire.transmitted(0)) != 0 {
		t.Errorf("before Attach: %d taken, statistics %+v", n, r.port.Stats())
	}
	for range 2 {
		if err := r.port.Attach(other); err != nil {
			t.Fatal(err)
		}
	}
	if n := give(); n != 1 {
		t.Errorf("after Attach: %d taken", n)
	}
	frametest.Equal(t, r.wire.transmitted(0), [][]byte{frametest.Seq(7, 100)})
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	if err := r.port.Attach(other); err == nil {
		t.Error("a closed port attaches a pool")
	}
}

// The memory of a pool that was refused is not mapped, so that other memory at the
// same address can be.
func TestRefusedAttachMapsNothing(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{}), Config{})
	refused, err := mbuf.NewPool(mbuf.Config{Count: 64, Memory: smallPages})
	if err != nil {
		t.Fatal(err)
	}
	at := (*mbuf.DriverPool)(refused).Memory().Address()
	bufs := make([]*mbuf.Buf, 1)
	refused.Get(bufs)
	var bind *mbuf.Error
	if err := r.port.Attach(refused); !errors.As(err, &bind) {
		t.Errorf("Attach returns %v", err)
	}
	refused.Put(bufs)
	if err := refused.Release(); err != nil {
		t.Fatal(err)
	}
	next := newPool(t, mbuf.Config{Count: 64})
	if (*mbuf.DriverPool)(next).Memory().Address() != at {
		t.Fatalf("the next pool is at %#x, not at %#x", (*mbuf.DriverPool)(next).Memory().Address(), at)
	}
	if err := r.port.Attach(next); err != nil {
		t.Error(err)
	}
}

// One cache for both queues of a goroutine, and a pool that outlives the port.
func TestSharedCacheAndPool(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Pool = newPool(t, mbuf.Config{Count: 2048})
		left, right := wire.Cable()
		a := newRig(t, functionWith(vdev.Config{Backend: left}), c)
		b := newRig(t, functionWith(vdev.Config{Backend: right}), c)
		cache := c.Pool.NewCache(64)
		t.Cleanup(cache.Close)
		for _, p := range []*Port{a.port, b.port} {
			if err := errorsOf(p.RxQueue(0).SetCache(cache), p.TxQueue(0).SetCache(cache)); err != nil {
				t.Fatal(err)
			}
		}
		sent := frametest.Series(0, 500, 60, 1514)
		var got [][]byte
		for _, f := range sent {
			a.send(0, f)
			a.dev.Poll()
			got = append(got, b.receive(0)...)
		}
		frametest.Equal(t, got, sent)
		if err := a.port.RxQueue(0).SetCache(newPool(t, mbuf.Config{Count: 8}).NewCache(8)); err == nil {
			t.Error("a receive queue takes the cache of a pool that the port does not have")
		}
		if err := errorsOf(a.port.Close(), b.port.Close()); err != nil {
			t.Error(err)
		}
	}
}
