package virtq

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// The tests of this file are named after the rules of test/conformance/rules.md
// for a network driver, as far as they concern a queue.

func TestNetConformance(t *testing.T) {
	for name, test := range map[string]func(*testing.T, bool){
		"basic/init/7":        testNoEarlyKick,
		"basic/cleanup/1":     testExposedUntouched,
		"basic/cleanup/2":     testDrainAll,
		"net/config/8":        testRxRoom,
		"net/config/9":        testMaxFrame,
		"net/config/9/tagged": testTagged,
		"net/tx/1":            testTxHeader,
		"net/tx/2":            testTxHeader,
		"net/tx/3":            testTxHeader,
		"net/tx/14":           testTxHeader,
		"net/tx/20":           testTxHeader,
		"net/rxbuf/2":         testRxRoom,
		"net/rxbuf/3":         testSmallBuffers,
		"net/rx/1":            testHeaderIgnored,
		"net/rx/3":            testHeaderIgnored,
		"x/net/mrg":           testMerge,
	} {
		t.Run(name, func(t *testing.T) { kinds(t, test) })
	}
}

// testNoEarlyKick fills a receive queue before Start, and finds that it was
// rung at Start.
func testNoEarlyKick(t *testing.T, packed bool) {
	r, cfg := newRig(t, setup{packed: packed, size: 8})
	q := newRx(t, cfg, r.cache)
	r.connect(q)
	bufs := make([]*mbuf.Buf, 8)
	if q.Refill() != 8 || q.Burst(bufs) != 0 {
		t.Fatal("Refill does not fill, or Burst works before Start")
	}
	if len(r.bell.rings) != 0 {
		t.Fatal("the doorbell was rung before DRIVER_OK")
	}
	q.Start(&r.bell, 3)
	if len(r.bell.rings) != 1 || r.bell.rings[0] != 3 {
		t.Errorf("doorbells after Start: %v", r.bell.rings)
	}
	tx := newTx(t, cfg, r.cache)
	p := r.packets(1, 60)
	if tx.Burst(p) != 0 {
		t.Error("a packet was taken before Start")
	}
	r.cache.Put(p)
}

func newRx(t testing.TB, cfg Config, cache *mbuf.Cache) *Rx {
	t.Helper()
	q, err := NewRx(cfg, cache)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func newTx(t testing.TB, cfg Config, cache *mbuf.Cache) *Tx {
	t.Helper()
	q, err := NewTx(cfg, cache)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// TestReclaim asks for what was sent before the ring fills up.
func TestReclaim(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{nil, feats(virtio.RingIndirectDesc),
			feats(virtio.InOrder)} {
			r := newTxRig(t, setup{packed: packed, size: 64, features: features, segments: 4})
			r.send(3)
			if r.tx.Burst([]*mbuf.Buf{r.chained(60, 60)}) != 1 || r.tx.Reclaim() != 0 {
				t.Error("something came back that the device has")
			}
			r.useAll(nil)
			if n := r.tx.Reclaim(); n != 5 || r.tx.Posted() != 0 || r.pool.Free() != r.pool.Size() {
				t.Errorf("%d buffers came back, %d are posted", n, r.tx.Posted())
			}
			r.tx.Drain()
			if r.tx.Reclaim() != 0 {
				t.Error("a drained queue gives something back")
			}
			r.ok()
		}
	})
}

// testExposedUntouched holds some lists back in the device while others go
// round; the device compares them when it is done.
func testExposedUntouched(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 16, bufs: 100})
	r.send(3)
	held := r.popAll()
	for range 100 {
		r.send(5)
		r.useAll(nil)
		r.ok()
	}
	for _, l := range held {
		r.dev.push(l.id, 0, l.slots)
	}
	r.dev.flush()
	r.send(16)
	r.ok()
	r.conserved(0)
}

// testDrainAll takes everything back from a device that was reset, once.
func testDrainAll(t *testing.T, packed bool) {
	rx := newRxRig(t, setup{packed: packed, size: 16})
	rx.popAll()
	if n := rx.rx.Drain(); n != 16 {
		t.Errorf("%d buffers drained", n)
	}
	tx := newTxRig(t, setup{packed: packed, size: 16, features: feats(virtio.RingIndirectDesc),
		segments: 8})
	tx.send(4)
	tx.tx.Burst([]*mbuf.Buf{tx.chained(60, 60, 60)})
	if n := tx.tx.Posted(); n != 7 {
		t.Errorf("posted %d, want 7", n)
	}
	if n := tx.tx.Drain(); n != 7 {
		t.Errorf("%d buffers drained", n)
	}
	for _, r := range []*rig{rx, tx} {
		r.conserved(0)
		r.cache.Flush()
		if r.pool.Free() != r.pool.Size() || r.pool.Release() != nil {
			t.Errorf("%d of %d buffers are free", r.pool.Free(), r.pool.Size())
		}
	}
	if rx.rx.Drain() != 0 || tx.tx.Drain() != 0 || rx.rx.Burst(make([]*mbuf.Buf, 4)) != 0 ||
		tx.tx.Burst(nil) != 0 {
		t.Error("a drained queue still does something")
	}
}

// testRxRoom checks what is posted: header and data room in one segment.
func testRxRoom(t *testing.T, packed bool) {
	for _, room := range []int{1514, 2048, 9014} {
		r := newRxRig(t, setup{packed: packed, size: 4, dataRoom: room, bufs: 12})
		for _, l := range r.popAll() {
			if len(l.segs) != 1 || l.bytes(true) != room+12 {
				t.Errorf("data room %d: posted %+v", room, l)
			}
		}
		r.ok()
	}
	r, cfg := newRig(t, setup{packed: packed, size: 4, dataRoom: 1513})
	if _, err := NewRx(cfg, r.cache); !isError(err, "data room") {
		t.Errorf("a data room of 1513 without MRG_RXBUF: %v", err)
	}
}

// testSmallBuffers refuses what a header, or a frame, does not fit.
func testSmallBuffers(t *testing.T, packed bool) {
	for _, c := range []struct {
		headroom, dataRoom int
		field              string
	}{{11, 2048, "headroom"}, {mbuf.NoHeadroom, 2048, "headroom"}, {128, 13, "data room"}} {
		r, cfg := newRig(t, setup{packed: packed, size: 4, headroom: c.headroom,
			dataRoom: c.dataRoom, features: feats(virtio.NetMrgRxbuf)})
		if _, err := NewRx(cfg, r.cache); !isError(err, c.field) {
			t.Errorf("headroom %d, data room %d: %v", c.headroom, c.dataRoom, err)
		}
	}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 8, Memory: smallPages})
	if err != nil {
		t.Fatal(err)
	}
	_, cfg := newRig(t, setup{packed: packed, size: 4})
	if _, err := NewRx(cfg, pool.NewCache(8)); !isError(err, "pool") {
		t.Errorf("a pool without device addresses: %v", err)
	}
}

// testMaxFrame sends frames about the limit, in one piece and in several.
func testMaxFrame(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 16, maxFrame: 1514, bufs: 64})
	for _, c := range []struct {
		lengths []int
		ok      bool
	}{
		{[]int{14}, true}, {[]int{13}, false}, {[]int{0}, false},
		{[]int{1514}, true}, {[]int{1515}, false},
		{[]int{1000, 514}, true}, {[]int{1000, 515}, false},
		{[]int{6, 8}, true}, {[]int{6, 7}, false}, {[]int{0, 60}, true},
	} {
		drops := r.tx.Stats().LengthDrops.Load()
		b := r.chained(c.lengths...)
		want := append(make([]byte, 12), frametest.Content(b)...)
		if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
			t.Fatalf("%v: not taken", c.lengths)
		}
		l, ok := r.dev.pop()
		if ok != c.ok || (r.tx.Stats().LengthDrops.Load() == drops) != c.ok {
			t.Errorf("%v: sent %v, want %v", c.lengths, ok, c.ok)
		}
		if ok {
			if got := r.device().read(l); !bytes.Equal(got, want) {
				t.Errorf("%v: %d bytes arrive, want %d", c.lengths, len(got), len(want))
			}
			r.dev.push(l.id, 0, l.slots)
			r.dev.flush()
		}
		r.ok()
		r.conserved(0)
	}
}

// testTagged sends frames with a VLAN tag, which does not count against the MTU.
func testTagged(t *testing.T, packed bool) {
	for _, ethertype := range []uint16{0x8100, 0x88a8, 0x0800} {
		for _, n := range []int{1514, 1515, 1518, 1519} {
			r := newTxRig(t, setup{packed: packed, size: 4, maxFrame: 1514, bufs: 16})
			b := r.packets(1, n)
			b[0].Data()[12], b[0].Data()[13] = byte(ethertype>>8), byte(ethertype)
			want := n <= 1514 || ethertype != 0x0800 && n <= 1518
			if r.tx.Burst(b) != 1 || len(r.popAll()) != b2i(want) {
				t.Errorf("type %#x, %d bytes: sent is not %v", ethertype, n, want)
			}
			r.conserved(0)
		}
	}
}

// testTxHeader dirties the headroom, as a received packet does, and uses it up,
// so that the header has to go elsewhere.
func testTxHeader(t *testing.T, packed bool) {
	for _, indirect := range []bool{false, true} {
		s := setup{packed: packed, size: 8, segments: 4, bufs: 32}
		if indirect {
			s.features = feats(virtio.RingIndirectDesc)
		}
		r := newTxRig(t, s)
		for room := range 30 {
			b := r.packets(1, 64)[0]
			dirty := b.Prepend(b.Headroom())
			for i := range dirty {
				dirty[i] = 0xee
			}
			b.Adj(room)
			want := append(make([]byte, 12), b.Data()...)
			if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
				t.Fatal("not taken")
			}
			l, ok := r.dev.pop()
			if got := r.device().read(l); !ok || !bytes.Equal(got, want) {
				t.Fatalf("headroom %d: % x, want 12 bytes of zeros and the frame", room,
					got[:min(len(got), 20)])
			}
			wantSlots := 1
			if room < 12 && !indirect {
				wantSlots = 2
			}
			if l.slots != wantSlots {
				t.Errorf("headroom %d: %d slots, want %d", room, l.slots, wantSlots)
			}
			r.dev.push(l.id, 0, l.slots)
			r.dev.flush()
			r.ok()
			r.conserved(0)
		}
	}
}

// testHeaderIgnored receives frames behind headers of arbitrary bytes: nothing of
// a header reaches the application.
func testHeaderIgnored(t *testing.T, packed bool) {
	r := newRxRig(t, setup{packed: packed, size: 4})
	bufs := make([]*mbuf.Buf, 4)
	for i := range 256 {
		l, _ := r.dev.pop()
		header := bytes.Repeat([]byte{byte(i)}, 12) // flags, gso_type, hdr_len, csum…
		n := r.device().write(l, append(header, frametest.Seq(i, 60)...))
		r.dev.push(l.id, uint32(n), 1)
		r.dev.flush()
		if r.rx.Burst(bufs) != 1 || !bytes.Equal(bufs[0].Data(), frametest.Seq(i, 60)) {
			t.Fatalf("header % x: the frame does not arrive", header)
		}
		r.cache.Put(bufs[:1])
	}
	r.ok()
}

// testMerge receives packets of every number of buffers, split by the device at
// the end of each, among packets of one, on rings that this wraps.
func testMerge(t *testing.T, packed bool) {
	r := newRxRig(t, setup{packed: packed, size: 64, dataRoom: 1000,
		features: feats(virtio.NetMrgRxbuf), bufs: 300})
	bufs := make([]*mbuf.Buf, 7)
	var want [][]byte
	received := 0
	for n := range 600 {
		frame := frametest.Seq(n, 60+(n*977)%20000)
		if n%3 == 0 {
			frame = frame[:60]
		}
		r.merged(frame)
		want = append(want, frame)
		if n%2 == 0 {
			continue
		}
		for got := r.rx.Burst(bufs); got > 0; got = r.rx.Burst(bufs) {
			for _, b := range bufs[:got] {
				if !bytes.Equal(frametest.Content(b), want[received]) ||
					b.PacketLen() != len(want[received]) {
					t.Fatalf("packet %d of %d bytes in %d segments is not what was sent", received,
						b.PacketLen(), b.NumSegments())
				}
				received++
			}
			r.cache.Put(bufs[:got])
		}
		r.ok()
		r.conserved(0)
	}
	if st := r.rx.Stats(); received != 600 || st.Dropped() != 0 || st.ShortMerges.Load() != 0 {
		t.Errorf("received %d, dropped %d, short %d", received, st.Dropped(),
			st.ShortMerges.Load())
	}
}

// merged delivers a frame in as many buffers as it needs.
func (r *rig) merged(frame []byte) {
	r.t.Helper()
	first, ok := r.dev.pop()
	if !ok {
		r.t.Fatal("no buffer is available")
	}
	room := first.bytes(true)
	n := (len(frame) + 12 + room - 1) / room
	data := append(netHeader(uint16(n)), frame...)
	for l := first; ; l, ok = r.dev.pop() {
		if !ok {
			r.t.Fatal("too few buffers are available")
		}
		wrote := r.device().write(l, data)
		r.dev.push(l.id, uint32(wrote), l.slots)
		if data = data[wrote:]; len(data) == 0 {
			break
		}
	}
	r.dev.flush()
}
