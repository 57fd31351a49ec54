package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestNoAllocation moves packets on the fast and on the slow path and counts
// allocations.
func TestNoAllocation(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{
			nil,
			feats(virtio.NetMrgRxbuf, virtio.RingIndirectDesc, virtio.RingEventIdx),
			feats(virtio.InOrder),
		} {
			s := setup{packed: packed, size: 64, features: features, segments: 4, bufs: 512}
			t.Run("rx/"+s.String(), func(t *testing.T) { rxAllocations(t, s) })
			t.Run("tx/"+s.String(), func(t *testing.T) { txAllocations(t, s) })
		}
	})
}

func rxAllocations(t *testing.T, s setup) {
	r := newRxRig(t, s)
	dev := newBenchDevice(r.dev)
	dev.want(false)
	bufs := make([]*mbuf.Buf, 16)
	got := 0
	allocs := testing.AllocsPerRun(200, func() {
		dev.useAll(76)
		for n := r.rx.Burst(bufs); n > 0; n = r.rx.Burst(bufs) {
			r.cache.Put(bufs[:n])
			got += n
		}
	})
	if allocs != 0 || got < 200*32 {
		t.Errorf("%v allocations, %d packets", allocs, got)
	}
	r.ok()
}

// txAllocations sends single buffers, chains, and packets that are too short.
func txAllocations(t *testing.T, s setup) {
	r := newTxRig(t, s)
	dev := newBenchDevice(r.dev)
	dev.want(false)
	bufs := make([]*mbuf.Buf, 16)
	sent := 0
	allocs := testing.AllocsPerRun(200, func() {
		n := r.cache.Get(bufs)
		for _, b := range bufs[:n] {
			b.Append(64)
		}
		packets := bufs[:n]
		if s.has(virtio.RingIndirectDesc) { // one of three segments, and one too short
			packets[n-3].SetNext(packets[n-2])
			packets[n-2].SetNext(packets[n-1])
			packets = packets[:n-2]
			packets[0].Trim(60)
		}
		took := r.tx.Burst(packets)
		r.cache.Put(packets[took:])
		sent += took
		dev.useAll(0)
	})
	if allocs != 0 || sent < 200*10 {
		t.Errorf("%v allocations, %d packets", allocs, sent)
	}
	r.ok()
	r.conserved(0)
}
