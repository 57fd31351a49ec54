package virtq

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
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

// TestNoAllocationOffload receives packets that are described, and sends requests that the
// device fulfils and others that are fulfilled in software.
func TestNoAllocationOffload(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		s := setup{packed: packed, size: 64, bufs: 512, segments: 4,
			features: feats(virtio.NetGuestCSUM, virtio.NetHashReport)}
		t.Run("rx", func(t *testing.T) { rxAllocations(t, s) })
		for _, features := range [][]virtio.Feature{nil, feats(virtio.NetCSUM), hostLarge} {
			s.features = features
			t.Run(s.String(), func(t *testing.T) { requestAllocations(t, s) })
		}
	})
}

func requestAllocations(t *testing.T, s setup) {
	r := newTxRig(t, s)
	dev := newBenchDevice(r.dev)
	dev.want(false)
	small := inettest.Packet{V6: true, Payload: make([]byte, 100)}.Blank()
	large := inettest.Packet{UDP: true, Payload: make([]byte, 10_000)}.Blank()
	bufs := make([]*mbuf.Buf, 8)
	fill := func(b *mbuf.Buf, frame []byte) {
		for last := b; ; last = last.Next() {
			n := min(len(frame), last.Tailroom())
			copy(last.Append(n), frame[:n])
			if frame = frame[n:]; len(frame) == 0 {
				return
			}
			last.SetNext(r.cache.GetOne())
		}
	}
	sent := 0
	allocs := testing.AllocsPerRun(100, func() {
		n := r.cache.Get(bufs[:3])
		fill(bufs[0], small)
		fill(bufs[1], large)
		fill(bufs[2], small)
		bad := bufs[0].PrepareChecksum() != nil || bufs[1].PrepareSegmentation(1000) != nil ||
			bufs[2].RequestChecksum(54, 16) != nil
		if n != 3 || bad {
			t.Fatal("no request")
		}
		took := r.tx.Burst(bufs[:3])
		r.cache.Put(bufs[took:3])
		sent += took
		dev.useAll(0)
		r.tx.Reclaim()
	})
	if st := r.tx.Stats(); allocs != 0 || sent < 300 || st.Dropped() != 0 {
		t.Errorf("%v allocations, %d packets, %d dropped", allocs, sent, st.Dropped())
	}
	r.conserved(0)
}
