package virtq

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The tests of this file are named after the rules of test/conformance/rules.md
// for packed rings.

func TestPackedConformance(t *testing.T) {
	t.Run("packed/layout/1", testLayout(true))
	t.Run("packed/desc/1", testNoLoops(true))
	t.Run("packed/desc/2", testNoLoops(true)) // the device compares what it took
	t.Run("packed/desc/3", testNotificationData(true))
	t.Run("packed/sg/1", testLongChain(true))
	t.Run("packed/sg/2", testTooLong(true))
	t.Run("packed/sg/3", testFraming(true))
	t.Run("packed/sg/4", testFullRing(true))
	t.Run("packed/sg/5", testFullRing(true))
	t.Run("packed/sg/6", testHeadLast)
	t.Run("packed/indirect/1", testIndirect(true))
	t.Run("packed/indirect/2", testIndirect(true))
	t.Run("packed/indirect/3", testIndirect(true))
	t.Run("packed/indirect/4", testIndirect(true))
	t.Run("x/packed/wrap", testWrap)
	t.Run("x/packed/avail-bits", testWrap) // the device checks every descriptor
	t.Run("x/packed/used-test", testUsedTest)
	t.Run("x/packed/zero", testZeroed(true))
	t.Run("x/packed/id-last", testOutOfOrder(true))
	t.Run("x/packed/used-len", testUsedGarbage)
	t.Run("x/packed/size", testSizes)
	t.Run("x/packed/event", testPackedEvent)
	t.Run("x/packed/inorder", testInOrderBatch(true))
	t.Run("x/packed/indirect", testIndirect(true))
	t.Run("x/notif-data", testNotificationData(true))
	t.Run("used/1", testPoisonedTail(true))
	t.Run("spurious", testNothingUsed(true))
}

// testTooLong asks for lists that can never fit, which split/indirect/3 forbids
// as well.
func testTooLong(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 4, bufs: 64})
		if r.tx.Burst([]*mbuf.Buf{r.chained(makeLengths(5, 60)...)}) != 1 {
			t.Error("a packet that never fits was left to the caller")
		}
		if _, ok := r.dev.pop(); ok || r.tx.Stats().ChainDrops.Load() != 1 {
			t.Errorf("ChainDrops %d", r.tx.Stats().ChainDrops.Load())
		}
		r.conserved(0)
		c := newControlRig(t, setup{packed: packed, size: 4})
		var full *Error
		if _, err := c.control.Add(make([]Segment, 5), nil); !errors.As(err, &full) ||
			full.Value != 5 || full.Limit != 4 {
			t.Errorf("Add: %v", err)
		}
		if _, ok := c.dev.pop(); ok {
			t.Error("something became available")
		}
	}
}

// testFullRing sends lists into a ring that is nearly full: nothing of a list
// that does not fit may be written.
func testFullRing(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 8, bufs: 64})
		r.send(6)
		before := append([]byte(nil), r.ring...)
		b := r.chained(60, 60, 60)
		if r.tx.Burst([]*mbuf.Buf{b}) != 0 {
			t.Fatal("three segments were taken into two slots")
		}
		for i := range before {
			if before[i] != r.ring[i] {
				t.Fatalf("byte %d of the ring was written", i)
			}
		}
		r.conserved(3)
		r.useAll(nil)
		if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
			t.Fatal("three segments were not taken into an empty ring")
		}
		if n := r.useAll(nil); n != 1 {
			t.Errorf("%d lists", n)
		}
		r.ok()
	}
}

// testHeadLast watches the ring while a list is written: the device, asked at
// every doorbell and at the end, never sees a head without its list. That the
// head is stored last is seen by the race detector in TestConcurrent; here the
// order of the stores is read off the core itself.
func testHeadLast(t *testing.T) {
	r, cfg := newRig(t, setup{packed: true, size: 8})
	q := newTx(t, cfg, r.cache)
	r.connect(q)
	segs := []Segment{{pageAddress, 60}, {pageAddress, 61}, {pageAddress, 62}}
	q.finishChain(0, q.id[0], segs, len(segs)) // what put does before the head
	if l, ok := r.dev.pop(); ok {
		t.Fatalf("the list is visible before its head: %+v", l)
	}
	q.put(nil, segs, len(segs))
	if l, ok := r.dev.pop(); !ok || len(l.segs) != 3 {
		t.Fatalf("the list is %+v", l)
	}
}

// testWrap sends lists of every length that fits round rings of every small
// size; the device follows with a wrap counter of its own.
func testWrap(t *testing.T) {
	for size := 1; size <= 9; size++ {
		for n := 1; n <= size; n++ {
			r := newTxRig(t, setup{packed: true, size: size, bufs: 4 * size})
			for range 5 * size {
				if r.tx.Burst([]*mbuf.Buf{r.chained(makeLengths(n, 20)...)}) != 1 {
					t.Fatalf("size %d, lists of %d: not taken", size, n)
				}
				if got := r.useAll(nil); got != 1 {
					t.Fatalf("size %d, lists of %d: the device sees %d", size, n, got)
				}
				r.ok()
			}
			r.conserved(0)
		}
	}
}

// testUsedTest polls a fresh ring, which is all zeros behind what was posted,
// and one whose descriptors have AVAIL and USED equal but of the other lap.
func testUsedTest(t *testing.T) {
	r := newRxRig(t, setup{packed: true, size: 4, bufs: 2}) // two of four slots posted
	bufs := make([]*mbuf.Buf, 4)
	d := r.dev.(*packedDevice)
	for _, flags := range []uint64{0, fUsed, fAvail} {
		for at := range 4 {
			word := get64(d.desc[16*at+8:])
			put64(d.desc[16*at+8:], word&(1<<48-1)|flags<<48)
		}
		if n := r.rx.Burst(bufs); n != 0 || r.rx.Broken() != nil {
			t.Errorf("flags %#x: %d packets, %v", flags, n, r.rx.Broken())
		}
	}
	for at := range 4 { // used, but only the first two were ever made available
		put64(d.desc[16*at+8:], uint64(at)<<32|72|(fAvail|fUsed|fWrite)<<48)
	}
	if n := r.rx.Burst(bufs); n != 2 {
		t.Errorf("%d packets from two slots", n)
	}
	if n := r.rx.Burst(bufs); n != 0 || r.rx.Broken() != nil { // the test holds both buffers
		t.Errorf("%d packets from slots that were not posted, %v", n, r.rx.Broken())
	}
	r.conserved(2)
}

// testOutOfOrder completes lists of different lengths in any order.
func testOutOfOrder(packed bool) func(*testing.T) {
	return func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 12 + 4*b2i(!packed), bufs: 200})
		sent, done := 0, 0
		var out []list
		for step := range 2000 {
			if b := r.chained(makeLengths(1+step*7%4, 30)...); r.tx.Burst([]*mbuf.Buf{b}) == 1 {
				sent++
			} else {
				r.cache.Put([]*mbuf.Buf{b})
			}
			out = append(out, r.popAll()...)
			for len(out) > step%3+1 {
				i := (step * 13) % len(out)
				r.dev.push(out[i].id, 0, out[i].slots)
				out = append(out[:i], out[i+1:]...)
				done++
			}
			r.dev.flush()
			r.ok()
			r.conserved(0)
		}
		if sent < 1000 || done < sent-5 {
			t.Errorf("%d sent, %d done", sent, done)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// testUsedGarbage puts garbage where a used descriptor of a transmit queue has
// no meaning: the address, the length, NEXT.
func testUsedGarbage(t *testing.T) {
	r := newTxRig(t, setup{packed: true, size: 4})
	d := r.dev.(*packedDevice)
	for n := range uint64(30) {
		r.send(1)
		at := d.usedAt
		l, _ := r.dev.pop()
		r.dev.push(l.id, 0, 1)
		d.held[0].word |= 0x1234 | n%2*fNext<<48
		r.dev.flush()
		le.PutUint64(d.desc[16*at:], 0xdeadbeef)
	}
	r.tx.Burst(nil)
	if r.tx.Broken() != nil {
		t.Fatal(r.tx.Broken())
	}
	if st := r.tx.Stats(); st.UsedLengths.Load() != 0 || st.FlagErrors.Load() == 0 {
		t.Errorf("UsedLengths %d (no WRITE, no length), FlagErrors %d", st.UsedLengths.Load(),
			st.FlagErrors.Load())
	}
	r.conserved(0)
}

func testSizes(t *testing.T) {
	for _, c := range []struct {
		size   int
		packed bool
		ok     bool
	}{
		{0, false, false}, {0, true, false}, {-1, false, false}, {-1, true, false},
		{1, false, true}, {1, true, true}, {3, false, false}, {3, true, true},
		{100, false, false}, {100, true, true}, {32768, false, true}, {32768, true, true},
		{32769, true, false}, {65536, false, false}, {65536, true, false},
	} {
		cfg := Config{Size: c.size}
		if c.packed {
			cfg.Features = cfg.Features.With(virtio.RingPacked)
		}
		_, err := cfg.Layout()
		var e *Error
		if (err == nil) != c.ok ||
			err != nil && (!errors.As(err, &e) || e.Field != "Size" || e.Value != c.size) {
			t.Errorf("size %d, packed %v: %v", c.size, c.packed, err)
		}
	}
}

// testPackedEvent asks for a doorbell at each distance from the next slot,
// sends batches of each length round the ring, and tries the other flags.
func testPackedEvent(t *testing.T) {
	for _, size := range []int{7, 32} {
		r := newTxRig(t, setup{packed: true, size: size, features: feats(virtio.RingEventIdx)})
		d := r.dev.(*packedDevice)
		for at := range size {
			for batch := 1; batch <= size; batch++ {
				r.dev.wantAt(at)
				if got, want := r.ringsOf(batch), b2i(at < batch); got != want {
					t.Fatalf("size %d: batch of %d, asked for slot %d ahead: %d doorbells, want %d",
						size, batch, at, got, want)
				}
			}
		}
		for flags, want := range []int{1, 0, 0, 1} { // on, off, at a slot far off, reserved
			put32(d.device, uint32(flags)<<16|uint32((d.availAt+size-1)%size)|1<<15)
			if flags == virtio.EventDesc {
				r.dev.wantAt(size - 1)
			}
			if got := r.ringsOf(1); got != want {
				t.Errorf("size %d: flags %d: %d doorbells, want %d", size, flags, got, want)
			}
		}
	}
	r := newTxRig(t, setup{packed: true, size: 8}) // DESC is reserved without EVENT_IDX
	r.dev.wantAt(7)
	if got := r.ringsOf(1); got != 1 {
		t.Errorf("flags 2 without EVENT_IDX: %d doorbells, want 1", got)
	}
}

// TestPackedSleeper: a device that has used everything and still asks to be notified of what
// it has used long ago is notified of the next packet; one that has packets to send looks
// at the next by itself, and is not.
func TestPackedSleeper(t *testing.T) {
	for _, size := range []int{7, 32} {
		r := newTxRig(t, setup{packed: true, size: size, features: feats(virtio.RingEventIdx)})
		for range 2 * size { // at each place of the ring
			for behind := 1; behind < size; behind++ {
				for batch := 1; batch+behind <= size; batch++ {
					r.wantBehind(behind)
					if got := r.ringsOf(batch); got != 1 {
						t.Fatalf("size %d: batch of %d, asked for slot %d behind: %d doorbells, want 1", size, batch, behind, got)
					}
				}
			}
			r.wantBehind(1)
			r.send(1)
			before := len(r.bell.rings)
			r.send(1)
			if got := len(r.bell.rings) - before; got != 0 {
				t.Fatalf("size %d: %d doorbells for a device that has not used the packet before", size, got)
			}
			r.useAll(nil)
			r.ok()
		}
	}
}

// wantBehind asks for a doorbell at the slot that is n before the next one.
func (r *rig) wantBehind(n int) {
	d := r.dev.(*packedDevice)
	at, wrap := d.availAt-n, d.availWrap
	if at < 0 {
		at, wrap = at+d.size, !wrap
	}
	word := uint32(at) | 2<<16
	if wrap {
		word |= 1 << 15
	}
	put32(d.device, word)
}

// ringsOf sends a batch and returns how often the doorbell was rung for it.
func (r *rig) ringsOf(batch int) int {
	r.t.Helper()
	before := len(r.bell.rings)
	r.send(batch)
	rings := len(r.bell.rings) - before
	r.useAll(nil)
	r.ok()
	return rings
}
