package virtq

import (
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// A buffer whose header was made zeros for transmission is posted with
// num_buffers of 1 for a device that may merge, and left alone for others.
func TestPresetNumBuffers(t *testing.T) {
	for _, packed := range []bool{false, true} {
		for _, f := range [][]virtio.Feature{nil, feats(virtio.NetMrgRxbuf)} {
			t.Run(fmt.Sprintf("packed=%v/mergeable=%v", packed, f != nil),
				func(t *testing.T) { testPresetNumBuffers(t, packed, f) })
		}
	}
}

func testPresetNumBuffers(t *testing.T, packed bool, f []virtio.Feature) {
	r := newRxRig(t, setup{packed: packed, size: 8, features: f})
	bufs := make([]*mbuf.Buf, 8)
	posted := 0
	for range 40 {
		r.badHeader(1, 72)
		if r.rx.Burst(bufs) != 1 {
			t.Fatal("no packet")
		}
		b := bufs[0]
		header := mbuf.Driver(b).View().Offset() - headerLen
		field := mbuf.Driver(b).Room()[header+virtio.NetHeaderNumBuffers:][:2]
		zeroHeader(b, header)
		if !mbuf.Driver(b).HeaderDirty() || field[0] != 0 {
			t.Fatal("a header that was not clean was not made so, or not noted")
		}
		r.cache.Put(bufs[:1]) // and the next to be posted
		r.badHeader(1, 72)
		r.badHeader(1, 72)
		n := r.rx.Burst(bufs)
		r.cache.Put(bufs[:n])
		switch {
		case mbuf.Driver(b).HeaderDirty() && field[0] == 0: // not posted, or not to be changed
		case !mbuf.Driver(b).HeaderDirty() && field[0] == 1 && f != nil:
			posted++
		default:
			t.Fatalf("header dirty %v with num_buffers %d", mbuf.Driver(b).HeaderDirty(), field[0])
		}
	}
	if f != nil && posted == 0 {
		t.Error("no buffer was posted again")
	}
}
