package virtq

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// The tests of this file are named after the rules of test/conformance/rules.md
// for split rings. Rules that can be checked on every list are checked by the
// device of the tests, on every list of every test; the tests here provoke them.

func feats(f ...virtio.Feature) []virtio.Feature { return f }

func TestSplitConformance(t *testing.T) {
	t.Run("split/layout/1", testLayout(false))
	t.Run("split/framing/1", testFraming(false))
	t.Run("split/framing/2", testLongChain(false))
	t.Run("split/desc/1", testNoLoops(false))
	t.Run("split/desc/2", testInOrderLinks)
	t.Run("split/indirect/1", testIndirect(false))
	t.Run("split/indirect/2", testIndirect(false))
	t.Run("split/indirect/3", testIndirect(false))
	t.Run("split/indirect/4", testIndirect(false))
	t.Run("split/indirect/5", testIndirect(false))
	t.Run("split/avail/1", testAvailForward)
	t.Run("split/used-suppress/1", testPollFlags(false))
	t.Run("split/used-suppress/2", testPollFlags(false))
	t.Run("split/used-suppress/3", testPollFlags(true))
	t.Run("split/used-suppress/4", testUsedEvent)
	t.Run("split/used-suppress/5", testNothingUsed(false))
	t.Run("split/used/1", testPoisonedTail(false))
	t.Run("split/used/2", testPoisonedTail(false))
	t.Run("split/avail-suppress/1", testZeroed(false))
	t.Run("split/avail-suppress/2", testAvailEventIgnored)
	t.Run("split/avail-suppress/3", testNoKickWhenSuppressed)
	t.Run("split/avail-suppress/4", testKickWhenAsked)
	t.Run("split/avail-suppress/5", testUsedFlagIgnored)
	t.Run("split/avail-suppress/6", testAvailEvent)
	t.Run("split/avail-suppress/7", testAvailEvent)
	t.Run("x/split/inorder", testInOrderBatch(false))
	t.Run("x/split/idx16", testIdx16)
	t.Run("x/notif-data", testNotificationData(false))
}

// testLayout makes queues of all sizes; the device refuses areas that are not
// aligned, and the areas must not overlap.
func testLayout(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		for size := 1; size <= virtio.MaxQueueSize; size = nextSize(size, packed) {
			cfg := Config{Size: size, IndirectSize: 4,
				Features: virtio.FeatureSet(virtio.RingIndirectDesc)}
			driver, device := 6+2*size, 6+8*size
			if packed {
				cfg.Features = cfg.Features.With(virtio.RingPacked)
				driver, device = 4, 4
			}
			l, err := cfg.Layout()
			if err != nil {
				t.Fatal(err)
			}
			if l.Desc%16 != 0 || l.Driver%4 != 0 || l.Device%4 != 0 {
				t.Errorf("size %d: areas at %d, %d, %d", size, l.Desc, l.Driver, l.Device)
			}
			if l.Desc+16*size > l.Driver || l.Driver+driver > l.Device ||
				l.Device+device > l.Header || l.Header+headerArea > l.Indirect ||
				l.Indirect+16*size*min(4, size) > l.Bytes {
				t.Errorf("size %d: areas overlap: %+v", size, l)
			}
		}
	}
}

func nextSize(size int, packed bool) int {
	if packed && size < 300 {
		return size + 1
	}
	return 2 * size
}

// testFraming sends a control command: segments that the device writes come last.
func testFraming(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		for _, indirect := range []bool{false, true} {
			s := setup{packed: packed, size: 8, segments: 8}
			if indirect {
				s.features = feats(virtio.RingIndirectDesc)
			}
			r := newControlRig(t, s)
			b := r.packets(4, 64)
			out := []Segment{r.segment(b[0], 2), r.segment(b[1], 7)}
			in := []Segment{r.segment(b[2], 1), r.segment(b[3], 32)}
			token, err := r.control.Add(out, in)
			if err != nil {
				t.Fatal(err)
			}
			l, ok := r.dev.pop()
			r.ok()
			if !ok || l.id != token || l.indirect != indirect || l.bytes(false) != 9 ||
				l.bytes(true) != 33 || len(l.segs) != 4 {
				t.Fatalf("the device sees %+v", l)
			}
			r.dev.push(l.id, 33, l.slots)
			r.dev.flush()
			if got, n, ok := r.control.Used(); !ok || got != token || n != 33 {
				t.Errorf("Used() = %d, %d, %v", got, n, ok)
			}
			if _, _, ok := r.control.Used(); ok {
				t.Error("the command is done twice")
			}
			r.ok()
		}
	}
}

// testLongChain sends packets of more and more segments: they arrive complete, or
// they are refused, and no list is longer than 256.
func testLongChain(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 512, bufs: 2048})
		for _, n := range []int{1, 2, 255, 256, 257, 300} {
			b := r.chained(makeLengths(n, 16)...)
			want := frametest.Content(b)
			if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
				t.Fatalf("%d segments: not taken", n)
			}
			l, ok := r.dev.pop()
			r.ok()
			if n > maxChain {
				if ok {
					t.Errorf("a list of %d segments was built", len(l.segs))
				}
				continue
			}
			if got := r.device().read(l); !bytes.Equal(got[12:], want) || len(l.segs) != n {
				t.Errorf("%d segments: %d bytes in %d elements arrive", n, len(got), len(l.segs))
			}
			r.dev.push(l.id, 0, l.slots)
			r.dev.flush()
		}
		if n := r.tx.Stats().ChainDrops.Load(); n != 2 {
			t.Errorf("ChainDrops %d, want 2", n)
		}
		r.conserved(0)
	}
}

func makeLengths(n, each int) []int {
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = each
	}
	return lengths
}

// testNoLoops completes chains in any order, so that descriptors are shuffled,
// and lets the device walk what is built of them.
func testNoLoops(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 16, bufs: 256})
		for round := range 200 {
			for n := 1 + round%5; ; n = 1 + (n*7+round)%5 {
				b := r.chained(makeLengths(n, 60)...)
				if r.tx.Burst([]*mbuf.Buf{b}) == 0 {
					r.cache.Put([]*mbuf.Buf{b})
					break
				}
			}
			all := r.popAll()
			for i := range all { // last first, in every other round
				l := all[i]
				if round%2 == 0 {
					l = all[len(all)-1-i]
				}
				r.dev.push(l.id, 0, l.slots)
			}
			r.dev.flush()
			r.ok()
			r.conserved(0)
		}
	}
}

// testInOrderLinks sends chains across the end of the descriptor table.
func testInOrderLinks(t *testing.T) {
	r := newTxRig(t, setup{size: 8, features: feats(virtio.InOrder), bufs: 64})
	for range 50 {
		if r.tx.Burst([]*mbuf.Buf{r.chained(60, 60, 60)}) != 1 {
			t.Fatal("not taken")
		}
		r.useAll(nil)
		r.ok()
	}
}

// testIndirect sends packets of several segments with and without the feature.
// The device checks flags and links of every table.
func testIndirect(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		for _, f := range [][]virtio.Feature{nil, feats(virtio.RingIndirectDesc),
			feats(virtio.RingIndirectDesc, virtio.InOrder)} {
			r := newTxRig(t, setup{packed: packed, size: 8, features: f, segments: 16, bufs: 256})
			for n := 1; n <= 10; n++ {
				b := r.chained(makeLengths(n, 60)...)
				want := frametest.Content(b)
				if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
					t.Fatal("not taken")
				}
				l, ok := r.dev.pop()
				r.ok()
				if n > 8 { // a list may not be longer than the ring, in a table or not
					if ok {
						t.Errorf("%d segments on a ring of 8: %+v", n, l)
					}
					continue
				}
				if l.indirect != (f != nil && n > 1) ||
					!bytes.Equal(r.device().read(l)[12:], want) {
					t.Errorf("%v, %d segments: %+v", f, n, l)
				}
				r.dev.push(l.id, 0, l.slots)
				r.dev.flush()
			}
		}
	}
}

// testAvailForward runs past 65536 in random steps; the device refuses an index
// that goes back.
func testAvailForward(t *testing.T) {
	r := newTxRig(t, setup{size: 64, start: 65000})
	for sent, n := 0, 1; sent < 3000; sent, n = sent+n, n*5%23+1 {
		r.send(n)
		r.useAll(nil)
		r.ok()
	}
}

// testPollFlags reads avail.flags all the time.
func testPollFlags(eventIdx bool) func(*testing.T) {
	return func(t *testing.T) {
		s, want := setup{size: 8}, uint16(1)
		if eventIdx {
			s.features, want = feats(virtio.RingEventIdx), 0
		}
		for _, r := range []*rig{newRxRig(t, s), newTxRig(t, s)} {
			d := r.dev.(*splitDevice)
			for range 40 {
				if d.availFlags() != want {
					t.Fatalf("avail.flags is %d, want %d", d.availFlags(), want)
				}
				if r.rx != nil {
					r.useAll(frametest.Seq(1, 60))
					bufs := make([]*mbuf.Buf, 8)
					r.cache.Put(bufs[:r.rx.Burst(bufs)])
				} else {
					r.send(2)
					r.useAll(nil)
				}
			}
		}
	}
}

// testUsedEvent wraps the used index more than twice with EVENT_IDX; the
// device computes whether it would interrupt.
func testUsedEvent(t *testing.T) {
	for _, size := range []int{1, 2, 256} {
		s := setup{size: size, features: feats(virtio.RingEventIdx), start: 65000}
		rx, tx := newRxRig(t, s), newTxRig(t, s)
		bufs := make([]*mbuf.Buf, size)
		for n := 0; n < 150000/under; n += size {
			rx.useAll(frametest.Seq(0, 60))
			rx.cache.Put(bufs[:rx.rx.Burst(bufs)])
			tx.send(size)
			tx.useAll(nil)
			// A device may be a ring ahead, and must not reach the event.
			for _, q := range []*ring{&rx.rx.ring, &tx.tx.ring} {
				behind := int(q.usedIdx - q.usedEventShadow)
				if behind+virtio.MaxQueueSize > 65535 {
					t.Fatalf("used_event is %d behind", behind)
				}
			}
		}
		rx.ok()
		tx.ok()
		if rx.dev.interrupts() != 0 || tx.dev.interrupts() != 0 {
			t.Errorf("size %d: %d and %d interrupts", size, rx.dev.interrupts(),
				tx.dev.interrupts())
		}
	}
}

// testNothingUsed polls a ring on which nothing happened, which is all that a
// spurious interrupt could make a driver do.
func testNothingUsed(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newRxRig(t, setup{packed: packed, size: 8})
		bufs := make([]*mbuf.Buf, 8)
		for range 100 {
			if n := r.rx.Burst(bufs); n != 0 {
				t.Fatalf("%d packets out of nothing", n)
			}
		}
		r.ok()
		if r.rx.Posted() != 8 || r.rx.Stats().EmptyPolls.Load() != 100 {
			t.Errorf("posted %d, empty polls %d", r.rx.Posted(), r.rx.Stats().EmptyPolls.Load())
		}
	}
}

// testPoisonedTail fills the whole buffer and reports fewer bytes.
func testPoisonedTail(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newRxRig(t, setup{packed: packed, size: 4})
		for _, n := range []int{14, 60, 61, 1500} {
			l, _ := r.dev.pop()
			r.device().write(l, append(netHeader(1), frametest.Seq(n, l.bytes(true)-12)...))
			r.dev.push(l.id, uint32(n+12), l.slots)
			r.dev.flush()
			bufs := make([]*mbuf.Buf, 4)
			if got := r.rx.Burst(bufs); got != 1 || bufs[0].Len() != n || cap(bufs[0].Data()) != n {
				t.Errorf("%d packets of %d bytes (capacity %d), want one of %d", got, bufs[0].Len(),
					cap(bufs[0].Data()), n)
			}
			r.cache.Put(bufs[:1])
		}
	}
}

// testZeroed finds the areas that the device reads first zeroed, although the
// memory was dirty.
func testZeroed(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r, cfg := newRig(t, setup{packed: packed, size: 16})
		newTx(t, cfg, r.cache)
		l, _ := cfg.Layout()
		for i, b := range cfg.Memory[:l.Bytes] {
			if b != 0 && i != l.Driver && i != l.Driver+2 { // the flags that ask for no interrupts
				t.Fatalf("byte %d is %#x", i, b)
			}
		}
	}
}

func testAvailEventIgnored(t *testing.T) {
	r := newTxRig(t, setup{size: 16})
	d := r.dev.(*splitDevice)
	for _, garbage := range []uint16{0, 1, 7, 32768, 65535} {
		le.PutUint16(d.used[4+8*16:], garbage)
		for _, on := range []bool{true, false} {
			r.dev.want(on)
			before := len(r.bell.rings)
			r.send(2)
			if kicked := len(r.bell.rings) - before; (kicked == 1) != on {
				t.Errorf("avail_event %d, wanted %v: %d doorbells", garbage, on, kicked)
			}
			r.useAll(nil)
		}
	}
}

func testNoKickWhenSuppressed(t *testing.T) {
	r := newTxRig(t, setup{size: 16})
	r.dev.want(false)
	for range 50 {
		r.send(3)
		r.useAll(nil)
	}
	if len(r.bell.rings) != 0 {
		t.Errorf("%d doorbells though used.flags is 1", len(r.bell.rings))
	}
}

func testKickWhenAsked(t *testing.T) {
	r := newTxRig(t, setup{size: 16})
	for n := 1; n <= 50; n++ {
		r.send(1 + n%9)
		r.useAll(nil)
		if len(r.bell.rings) != n || r.tx.Stats().Kicks.Load() != uint64(n) {
			t.Fatalf("%d doorbells, %d counted, after %d bursts", len(r.bell.rings),
				r.tx.Stats().Kicks.Load(), n)
		}
	}
}

func testUsedFlagIgnored(t *testing.T) {
	r := newTxRig(t, setup{size: 16, features: feats(virtio.RingEventIdx)})
	d := r.dev.(*splitDevice)
	d.noNotify = true // means nothing with EVENT_IDX
	d.putUsedWord()
	for n := 1; n <= 30; n++ {
		r.dev.want(true)
		r.send(2)
		if len(r.bell.rings) != n {
			t.Fatalf("%d doorbells after %d bursts, used.flags 1 must not matter",
				len(r.bell.rings), n)
		}
		r.useAll(nil)
	}
}

// testAvailEvent asks for a doorbell at each distance from the next entry, also
// across the wrap of the index, and sends batches of each length.
func testAvailEvent(t *testing.T) {
	for _, start := range []uint16{0, 65530, 32760} {
		r := newTxRig(t, setup{size: 32, features: feats(virtio.RingEventIdx), start: start})
		for at := -3; at < 12; at++ {
			for batch := 1; batch < 10; batch++ {
				r.dev.wantAt(at)
				before := len(r.bell.rings)
				r.send(batch)
				want := 0
				if at >= 0 && at < batch {
					want = 1
				}
				if got := len(r.bell.rings) - before; got != want {
					t.Fatalf("start %d: batch of %d, asked for entry %d: %d doorbells, want %d",
						start, batch, at, got, want)
				}
				r.useAll(nil)
			}
		}
	}
}

// testInOrderBatch lets one used entry stand for several packets.
func testInOrderBatch(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		for _, size := range []int{1, 2, 8, 64} {
			t.Run(fmt.Sprint("tx/", size), func(t *testing.T) { inOrderTx(t, packed, size) })
			t.Run(fmt.Sprint("rx/", size), func(t *testing.T) { inOrderRx(t, packed, size) })
		}
	}
}

func inOrderTx(t *testing.T, packed bool, size int) {
	r := newTxRig(t, setup{packed: packed, size: size, features: feats(virtio.InOrder)})
	for n := 1; n < 200; n++ {
		batch := 1 + n%size
		r.send(batch)
		all := r.popAll()
		if len(all) != batch {
			t.Fatalf("%d lists of %d", len(all), batch)
		}
		r.dev.pushBatch(all[batch-1], 0, batch, batch)
		r.dev.flush()
		r.ok()
	}
	r.tx.Burst(r.packets(size, 64)) // all room is there again
	if r.tx.Posted() != size {
		t.Errorf("posted %d of %d", r.tx.Posted(), size)
	}
	r.conserved(0)
}

// inOrderRx also checks the lengths: what is skipped was used completely.
func inOrderRx(t *testing.T, packed bool, size int) {
	r := newRxRig(t, setup{packed: packed, size: size, features: feats(virtio.InOrder)})
	bufs := make([]*mbuf.Buf, size)
	var ready []list
	for n := 1; n < 200; n++ {
		ready = append(ready, r.popAll()...)
		batch := 1 + n%len(ready)
		for i, l := range ready[:batch] {
			r.device().write(l, append(netHeader(1), frametest.Seq(i, l.bytes(true)-12)...))
		}
		r.dev.pushBatch(ready[batch-1], 12+60, batch, batch)
		r.dev.flush()
		if got := r.rx.Burst(bufs); got != batch {
			r.ok()
			t.Fatalf("%d packets of %d", got, batch)
		}
		for i, b := range bufs[:batch] {
			want := b.Pool().DataRoom()
			if i == batch-1 {
				want = 60
			}
			if b.Len() != want ||
				!bytes.Equal(b.Data(), frametest.Seq(i, b.Pool().DataRoom())[:want]) {
				t.Fatalf("packet %d of %d has %d bytes, want %d", i, batch, b.Len(), want)
			}
		}
		r.cache.Put(bufs[:batch])
		ready = ready[batch:]
	}
}

// TestInOrderBeyondIndex names a buffer beyond the used index.
func TestInOrderBeyondIndex(t *testing.T) {
	r := newRxRig(t, setup{size: 8, features: feats(virtio.InOrder)})
	all := r.popAll()
	r.dev.pushBatch(all[5], 72, 6, 3) // stands for six, and the index moved by three
	r.dev.flush()
	r.breaks(uint64(all[5].id))
}

// testIdx16 passes more than 65536 buffers, one at a time, over a ring of two.
func testIdx16(t *testing.T) {
	r := newTxRig(t, setup{size: 2})
	for range 70000 / under {
		r.send(1)
		r.useAll(nil)
	}
	r.ok()
	if d := r.dev.(*splitDevice); d.availIdx() != 70000/under&0xffff {
		t.Errorf("avail idx is %d after 70000 buffers", d.availIdx())
	}
}

// testNotificationData decodes the doorbell beyond the wrap of the ring.
func testNotificationData(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 8, features: feats(virtio.NotificationData),
			start: 32760})
		for n := range 40 {
			r.send(3)
			r.useAll(nil)
			var want uint32
			if packed {
				next := 3 * (n + 1)
				wrap := uint32(1 - next/8%2)
				want = 3 | uint32(next%8)<<16 | wrap<<31
			} else {
				want = 3 | uint32(uint16(32760+3*(n+1)))<<16
			}
			if got := r.bell.rings[len(r.bell.rings)-1]; got != want || len(r.bell.rings) != n+1 {
				t.Fatalf("doorbell %d is %#x, want %#x", n, got, want)
			}
		}
	}
}
