package virtq

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestForeignPool sends buffers of a pool that the device cannot reach, alone
// and inside a chain, then adds the pool.
func TestForeignPool(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newTxRig(t, setup{packed: packed, size: 8, bufs: 32})
		other := newPool(t, r.mem, 0x9_0000_0000, mbuf.Config{Count: 8})
		foreign := func() *mbuf.Buf {
			b := make([]*mbuf.Buf, 1)
			if other.Get(b) != 1 {
				t.Fatal("the other pool is empty")
			}
			copy(b[0].Append(64), frametest.Seq(7, 64))
			return b[0]
		}
		mixed := r.packets(1, 64)[0]
		mixed.SetNext(foreign())
		packets := append(r.packets(1, 64), foreign(), mixed, r.packets(1, 64)[0])
		if n := r.tx.Burst(packets); n != 4 {
			t.Fatalf("%d of 4 taken", n)
		}
		if st := r.tx.Stats(); st.PoolDrops.Load() != 2 || st.Dropped() != 2 ||
			st.Packets.Load() != 2 || r.useAll(nil) != 2 {
			t.Errorf("PoolDrops %d, Dropped %d, Packets %d", st.PoolDrops.Load(), st.Dropped(),
				st.Packets.Load())
		}
		r.conserved(0)
		if other.Free() != 8 {
			t.Errorf("%d of 8 foreign buffers are free", other.Free())
		}

		if err := r.tx.AddPool(other); err != nil {
			t.Fatal(err)
		}
		mixed = r.packets(1, 64)[0]
		mixed.SetNext(foreign())
		want := append(make([]byte, 12), frametest.Content(mixed)...)
		if n := r.tx.Burst([]*mbuf.Buf{foreign(), mixed}); n != 2 {
			t.Fatalf("%d of 2 taken", n)
		}
		all := r.popAll()
		if len(all) != 2 || !bytes.Equal(r.device().read(all[1]), want) {
			t.Fatalf("the device sees %+v", all)
		}
		for _, l := range all {
			r.dev.push(l.id, 0, l.slots)
		}
		r.dev.flush()
		r.send(8)
		r.ok()
		r.conserved(0)
		if other.Free() != 8 {
			t.Errorf("%d of 8 foreign buffers came back", other.Free())
		}
	})
}

// TestNotHeld sends buffers that were freed, and chains that hold one.
func TestNotHeld(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newTxRig(t, setup{packed: packed, size: 8, bufs: 32})
		freed := r.packets(2, 64)
		stale := append([]*mbuf.Buf(nil), freed...)
		mbuf.Free(freed)
		chain := r.packets(1, 64)[0]
		chain.SetNext(stale[1])
		if n := r.tx.Burst([]*mbuf.Buf{stale[0], chain}); n != 2 {
			t.Fatalf("%d of 2 taken", n)
		}
		if _, ok := r.dev.pop(); ok {
			t.Error("a freed buffer was sent")
		}
		if st := r.tx.Stats(); st.OwnerDrops.Load() != 2 || r.pool.DoubleFrees() != 2 {
			t.Errorf("OwnerDrops %d, double frees %d", st.OwnerDrops.Load(), r.pool.DoubleFrees())
		}
		r.conserved(0)

		sent := r.packets(1, 64)
		if r.tx.Burst(sent) != 1 || r.tx.Burst(sent) != 1 { // the second time it is the device's
			t.Fatal("not taken")
		}
		if n := r.useAll(nil); n != 1 || r.tx.Stats().OwnerDrops.Load() != 3 {
			t.Errorf("%d packets arrive, OwnerDrops %d", n, r.tx.Stats().OwnerDrops.Load())
		}
		r.conserved(0)
	})
}

// TestSetCache changes the cache of queues in the middle of traffic.
func TestSetCache(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		rx := newRxRig(t, setup{packed: packed, size: 8})
		tx := newTxRig(t, setup{packed: packed, size: 8, bufs: 64,
			features: feats(virtio.RingIndirectDesc), segments: 4})
		if err := rx.rx.SetCache(tx.cache); !isError(err, "cache") {
			t.Errorf("a cache of another pool on receive: %v", err)
		}
		if err := tx.tx.SetCache(rx.cache); !isError(err, "cache") {
			t.Errorf("a cache of a pool that was not added on transmit: %v", err)
		}
		if err := rx.rx.SetCache(rx.pool.NewCache(32)); err != nil {
			t.Error(err)
		}
		if err := tx.tx.AddPool(rx.pool); err != nil {
			t.Fatal(err)
		}
		for page, p := range rx.mem.pages {
			tx.mem.pages[page] = p
		}
		bufs := make([]*mbuf.Buf, 4)
		for round := range 50 { // what is in the ring was sent with the other cache
			tx.tx.Burst([]*mbuf.Buf{tx.chained(60, 60)})
			tx.send(2)
			rx.useAll(frametest.Seq(round, 60))
			n := rx.rx.Burst(bufs)
			sent := tx.tx.Burst(bufs[:n])
			mbuf.Free(bufs[sent:n])
			caches := []*mbuf.Cache{rx.cache, tx.cache}
			if err := tx.tx.SetCache(caches[round%2]); err != nil {
				t.Fatal(err)
			}
			tx.useAll(nil)
			tx.ok()
			rx.ok()
		}
		tx.tx.Drain()
		rx.rx.Drain()
		for _, r := range []*rig{rx, tx} {
			if r.pool.Free() != r.pool.Size() {
				t.Errorf("%d of %d buffers are free", r.pool.Free(), r.pool.Size())
			}
		}
	})
}
