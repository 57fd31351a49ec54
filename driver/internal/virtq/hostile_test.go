package virtq

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// The tests of this file are named after the rows of the project's table of
// what a hostile device can do to a ring. Whatever it does, buffers are
// conserved, and a queue that breaks gives them back when it is drained.

func TestHostile(t *testing.T) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, bool)
	}{
		{"1/id out of range", testIDRange},
		{"2/id not outstanding", testIDTwice},
		{"3/id of the middle of a chain", testIDMiddle},
		{"4/used index jumps", testUsedJump},
		{"5/used index goes back", testUsedBack},
		{"6/length over what was posted", testTooMuch},
		{"7/length under a header", testTooLittle},
		{"8/length over-reported", testStale},
		{"9/length on transmit", testTxLength},
		{"10/num_buffers is 0", testNumBuffersZero},
		{"11/num_buffers over what comes", testNumBuffersMissing},
		{"12/num_buffers over the bound", testNumBuffersHuge},
		{"13/merged buffer not full", testShortMerge},
		{"14/flags not negotiated", testHeaderIgnored},
		{"15/csum outside the packet", testHeaderIgnored},
		{"16/header changes", testHeaderChanges},
		{"17/scribbled ring", testScribble},
		{"18/wrong wrap and reserved flags", testFlags},
		{"19/id of another chain", testOutOfOrder2},
		{"20/event fields garbage", testEventGarbage},
	} {
		t.Run(test.name, func(t *testing.T) { kinds(t, test.f) })
	}
}

// breaks checks that the queue broke because of value, stays broken, and gives
// everything back.
func (r *rig) breaks(value uint64) {
	r.t.Helper()
	bufs := make([]*mbuf.Buf, 8)
	held := 0
	poll := func() int {
		n := 0
		if r.rx != nil {
			n = r.rx.Burst(bufs)
			r.cache.Put(bufs[:n])
		} else {
			b := r.packets(1, 64)
			if n = r.tx.Burst(b); n == 0 {
				r.cache.Put(b)
			}
		}
		return n
	}
	for range 8 { // enough to get there, on transmit as well
		poll()
	}
	var broken *BrokenError
	if err := r.broken(); !errors.As(err, &broken) || broken.Queue != 3 || broken.Value != value {
		r.t.Fatalf("the queue is broken by %v, want the value %d", err, value)
	}
	for range 3 {
		if poll() != 0 {
			r.t.Error("a broken queue still moves packets")
		}
	}
	if !errors.Is(r.broken(), broken) {
		r.t.Errorf("the reason changed to %v", r.broken())
	}
	r.conserved(held)
	if r.rx != nil {
		r.rx.Drain()
	} else {
		r.tx.Drain()
	}
	if r.pool.Free() != r.pool.Size() {
		r.t.Errorf("after Drain %d of %d buffers are free", r.pool.Free(), r.pool.Size())
	}
}

// bothQueues runs f on a receive and a full transmit queue of size 8.
func bothQueues(t *testing.T, packed bool, f func(t *testing.T, r *rig)) {
	t.Run("rx", func(t *testing.T) { f(t, newRxRig(t, setup{packed: packed, size: 8})) })
	t.Run("tx", func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 8})
		r.send(8)
		f(t, r)
	})
}

// rawPush writes a used entry of any content.
func (r *rig) rawPush(id uint32, written uint32) {
	switch d := r.dev.(type) {
	case *splitDevice:
		e := d.used[4+8*(int(d.usedIdx)%d.size):]
		le.PutUint32(e, id)
		le.PutUint32(e[4:], written)
		d.usedIdx++
	case *packedDevice:
		flags := d.usedFlags()
		if r.rx != nil {
			flags |= fWrite
		}
		d.held = append(d.held, write{d.usedAt,
			uint64(written) | uint64(id&0xffff)<<32 | flags<<48})
		if d.usedAt++; d.usedAt == d.size {
			d.usedAt, d.usedWrap = 0, !d.usedWrap
		}
	}
	r.dev.flush()
}

func testIDRange(t *testing.T, packed bool) {
	ids := []uint32{8, 9, 0x7fff, 0xffff}
	if !packed { // the id has 32 bits there, and must not be cut to 16
		ids = append(ids, 0x10000, 0x10001, 0xffffffff)
	}
	for _, id := range ids {
		t.Run(fmt.Sprintf("%#x", id), func(t *testing.T) {
			bothQueues(t, packed, func(t *testing.T, r *rig) {
				r.popAll()
				r.rawPush(id, 100)
				r.breaks(uint64(id))
			})
		})
	}
}

func testIDTwice(t *testing.T, packed bool) {
	bothQueues(t, packed, func(t *testing.T, r *rig) {
		all := r.popAll()
		r.rawPush(uint32(all[2].id), 100)
		r.rawPush(uint32(all[2].id), 100)
		r.breaks(uint64(all[2].id))
	})
	t.Run("never posted", func(t *testing.T) {
		r := newTxRig(t, setup{packed: packed, size: 8})
		r.send(3)
		r.popAll()
		r.rawPush(7, 0)
		r.send(4) // the next one reclaims
		r.breaks(7)
	})
}

func testIDMiddle(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 8, bufs: 64})
	r.tx.Burst([]*mbuf.Buf{r.chained(60, 60, 60)})
	r.tx.Burst([]*mbuf.Buf{r.chained(60, 60, 60)})
	all := r.popAll()
	r.rawPush(uint32(all[1].id)+1, 0)
	r.breaks(uint64(all[1].id) + 1)
}

// testUsedJump is about the used index; on a packed ring the same fault is a used
// descriptor that was never available, which testUsedTest has.
func testUsedJump(t *testing.T, packed bool) {
	if packed {
		testUsedTest(t)
		return
	}
	for _, jump := range []uint16{9, 100, 32768, 65535} {
		bothQueues(t, packed, func(t *testing.T, r *rig) {
			r.popAll()
			d := r.dev.(*splitDevice)
			d.usedIdx += jump
			r.dev.flush()
			r.breaks(uint64(jump))
		})
	}
}

func testUsedBack(t *testing.T, packed bool) {
	if packed {
		testUsedTest(t)
		return
	}
	bothQueues(t, packed, func(t *testing.T, r *rig) {
		all := r.popAll()
		for _, l := range all[:5] {
			r.rawPush(uint32(l.id), 76)
		}
		bufs := make([]*mbuf.Buf, 8)
		if r.rx != nil {
			r.cache.Put(bufs[:r.rx.Burst(bufs)])
		} else {
			r.send(1)
		}
		r.ok()
		d := r.dev.(*splitDevice)
		d.usedIdx -= 2
		r.dev.flush()
		r.breaks(3)
	})
}

// testTooMuch reports more than was posted: the packet is dropped, the next
// good one arrives. Nothing but that breaks the queue.
func testTooMuch(t *testing.T, packed bool) {
	for _, n := range []uint32{2048 + 13, 4096, 0x10000 + 72, 0xffffffff} {
		testDropped(t, packed, n)
	}
}

func testTooLittle(t *testing.T, packed bool) {
	testNoHeader(t, packed)
	for _, n := range []uint32{0, 1, 11, 12, 25} {
		testDropped(t, packed, n)
	}
}

// testNoHeader promises a packet of two buffers of which the first does not
// even hold a header.
func testNoHeader(t *testing.T, packed bool) {
	for n := range uint32(12) {
		r := newRxRig(t, setup{packed: packed, size: 8, features: feats(virtio.NetMrgRxbuf)})
		a, _ := r.dev.pop()
		b, _ := r.dev.pop()
		r.device().write(a, netHeader(2))
		r.device().write(b, netHeader(1)) // taken for a header when the first is dropped
		r.dev.push(a.id, n, 1)
		r.dev.push(b.id, 72, 1)
		r.dev.flush()
		bufs := make([]*mbuf.Buf, 8)
		if got := r.rx.Burst(bufs); got != 1 || bufs[0].PacketLen() != 60 ||
			r.rx.Stats().LengthErrors.Load() != 1 {
			t.Errorf("length %d: %d packets, %d length errors", n, got,
				r.rx.Stats().LengthErrors.Load())
		}
		r.cache.Put(bufs[:1])
		r.conserved(0)
	}
}

func testDropped(t *testing.T, packed bool, n uint32) {
	t.Helper()
	for _, features := range [][]virtio.Feature{nil, feats(virtio.NetMrgRxbuf)} {
		r := newRxRig(t, setup{packed: packed, size: 8, features: features})
		bufs := make([]*mbuf.Buf, 8)
		for round := 1; round < 100; round++ { // good ones between, so that it does not break
			a, _ := r.dev.pop()
			b, _ := r.dev.pop()
			r.device().write(a, netHeader(1))
			r.dev.push(a.id, n, 1)
			r.deliver(b, frametest.Seq(round, 60))
			r.dev.flush()
			if got := r.rx.Burst(bufs); got != 1 ||
				!bytes.Equal(bufs[0].Data(), frametest.Seq(round, 60)) {
				t.Fatalf("length %d: %d packets", n, got)
			}
			r.cache.Put(bufs[:1])
			if got := r.rx.Stats().LengthErrors.Load(); got != uint64(round) ||
				r.rx.Stats().Dropped() != got {
				t.Fatalf("length %d: %d length errors after %d", n, got, round)
			}
			r.ok()
			r.conserved(0)
		}
		for range 2 * badLimit {
			a, ok := r.dev.pop()
			if !ok {
				break
			}
			r.device().write(a, netHeader(1))
			r.dev.push(a.id, n, 1)
			r.dev.flush()
			r.rx.Burst(bufs)
		}
		r.breaks(uint64(n))
	}
}

// testStale reports more than was written: the driver cannot know, and must
// stay inside the buffer.
func testStale(t *testing.T, packed bool) {
	r := newRxRig(t, setup{packed: packed, size: 4})
	l, _ := r.dev.pop()
	r.device().write(l, append(netHeader(1), frametest.Seq(1, 20)...))
	r.dev.push(l.id, uint32(l.bytes(true)), 1)
	r.dev.flush()
	bufs := make([]*mbuf.Buf, 4)
	if r.rx.Burst(bufs) != 1 || bufs[0].Len() != r.pool.DataRoom() || bufs[0].Tailroom() != 0 {
		t.Errorf("%d bytes, %d behind", bufs[0].Len(), bufs[0].Tailroom())
	}
	r.cache.Put(bufs[:1])
	r.conserved(0)
}

func testTxLength(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 8})
	for range 20 {
		r.send(2)
		for _, l := range r.popAll() {
			r.dev.push(l.id, 0xffff, l.slots) // WRITE and a length
		}
		r.dev.flush()
		r.ok()
	}
	if r.tx.Stats().UsedLengths.Load() == 0 {
		t.Error("nothing was counted")
	}
	r.conserved(0)
}

// badHeader delivers a packet whose header promises n buffers, with a length of
// so many bytes.
func (r *rig) badHeader(n uint16, used uint32) {
	l, ok := r.dev.pop()
	if !ok {
		return
	}
	r.device().write(l, append(netHeader(n), frametest.Seq(0, 60)...))
	r.dev.push(l.id, used, 1)
	r.dev.flush()
}

// fullBuffer is a used length that leaves no room, so that num_buffers counts.
const fullBuffer = 12 + 2048

func testNumBuffersZero(t *testing.T, packed bool) {
	testHeaderDropped(t, packed, 0)
	// Without MRG_RXBUF, or with room left, the field is not read.
	for _, f := range [][]virtio.Feature{nil, feats(virtio.NetMrgRxbuf)} {
		for _, n := range []uint16{0, 2, 0xffff} {
			r := newRxRig(t, setup{packed: packed, size: 8, features: f})
			r.badHeader(n, 72)
			bufs := make([]*mbuf.Buf, 8)
			if r.rx.Burst(bufs) != 1 || len(frametest.Content(bufs[0])) != 60 ||
				r.rx.Stats().HeaderErrors.Load() != 0 {
				t.Errorf("%v: the packet with num_buffers %d was dropped", f, n)
			}
			r.cache.Put(bufs[:1])
			r.conserved(0)
		}
	}
}

func testNumBuffersHuge(t *testing.T, packed bool) {
	for _, n := range []uint16{9, 34, 0x7fff, 0xffff} {
		testHeaderDropped(t, packed, n)
	}
}

func testHeaderDropped(t *testing.T, packed bool, n uint16) {
	t.Helper()
	r := newRxRig(t, setup{packed: packed, size: 8, features: feats(virtio.NetMrgRxbuf)})
	bufs := make([]*mbuf.Buf, 8)
	for round := 1; round < 80; round++ {
		r.badHeader(n, fullBuffer)
		r.badHeader(1, 72) // a good one
		if got := r.rx.Burst(bufs); got != 1 {
			t.Fatalf("num_buffers %d: %d packets", n, got)
		}
		r.cache.Put(bufs[:1])
		if got := r.rx.Stats().HeaderErrors.Load(); got != uint64(round) {
			t.Fatalf("num_buffers %d: %d header errors after %d", n, got, round)
		}
		r.ok()
		r.conserved(0)
	}
	for range badLimit {
		r.badHeader(n, fullBuffer)
		r.rx.Burst(bufs)
	}
	r.breaks(uint64(n))
}

// testNumBuffersMissing promises three buffers and gives two, for ever. The
// driver waits for a while, then breaks. Before that, the third completes the
// packet.
func testNumBuffersMissing(t *testing.T, packed bool) {
	r := newRxRig(t, setup{packed: packed, size: 8, dataRoom: 500,
		features: feats(virtio.NetMrgRxbuf)})
	bufs := make([]*mbuf.Buf, 8)
	three := func(given int) {
		data := append(netHeader(3), frametest.Seq(1, 1100)...)
		for range given {
			l, _ := r.dev.pop()
			n := r.device().write(l, data)
			data = data[n:]
			r.dev.push(l.id, uint32(n), 1)
		}
		r.dev.flush()
	}
	three(2)
	for range 100 {
		if n := r.rx.Burst(bufs); n != 0 {
			t.Fatalf("%d packets of an incomplete one", n)
		}
	}
	r.ok()
	r.conserved(0)
	l, _ := r.dev.pop()
	n := r.device().write(l, frametest.Seq(1, 1100)[2*512-12:]) // what did not fit the two
	r.dev.push(l.id, uint32(n), 1)
	r.dev.flush()
	if r.rx.Burst(bufs) != 1 || !bytes.Equal(frametest.Content(bufs[0]), frametest.Seq(1, 1100)) {
		t.Fatal("the packet does not arrive when it is complete")
	}
	r.cache.Put(bufs[:1])
	r.conserved(0)
	three(2)
	for range 1 << 17 { // polls alone break nothing: an idle queue makes them fast
		r.rx.Burst(bufs)
		if time.Since(r.rx.waits) > waitLimit/2 {
			break // on a machine that takes its time
		}
	}
	r.ok()
	r.rx.waits = r.rx.waits.Add(-waitLimit)
	r.rx.Burst(bufs)
	r.breaks(3)
	if r.rx.Stats().HeaderErrors.Load() != 1 {
		t.Errorf("HeaderErrors %d", r.rx.Stats().HeaderErrors.Load())
	}
}

func testShortMerge(t *testing.T, packed bool) {
	r := newRxRig(t, setup{packed: packed, size: 8, features: feats(virtio.NetMrgRxbuf)})
	bufs := make([]*mbuf.Buf, 8)
	a, _ := r.dev.pop()
	b, _ := r.dev.pop()
	c, _ := r.dev.pop()
	r.device().write(a, append(netHeader(3), frametest.Seq(1, 2048)...))
	r.device().write(b, frametest.Seq(2, 50))
	r.device().write(c, frametest.Seq(3, 70))
	r.dev.push(a.id, fullBuffer, 1)
	r.dev.push(b.id, 50, 1)
	r.dev.push(c.id, 70, 1)
	r.dev.flush()
	want := slices.Concat(frametest.Seq(1, 2048), frametest.Seq(2, 50), frametest.Seq(3, 70))
	if r.rx.Burst(bufs) != 1 || !bytes.Equal(frametest.Content(bufs[0]), want) ||
		r.rx.Stats().ShortMerges.Load() != 1 {
		t.Errorf("ShortMerges %d", r.rx.Stats().ShortMerges.Load())
	}
	r.cache.Put(bufs[:1])
	for _, n := range []uint32{0, 2048 + 13} { // the length of the second buffer is invalid
		a, _ = r.dev.pop()
		b, _ = r.dev.pop()
		r.device().write(a, netHeader(2))
		r.dev.push(a.id, 2060, 1)
		r.dev.push(b.id, n, 1)
		r.dev.flush()
		if got := r.rx.Burst(bufs); got != 0 {
			t.Errorf("second buffer of %d bytes: %d packets", n, got)
		}
	}
	if r.rx.Stats().LengthErrors.Load() != 2 {
		t.Errorf("LengthErrors %d", r.rx.Stats().LengthErrors.Load())
	}
	r.ok()
	r.conserved(0)
}

// testHeaderChanges changes headers after the packet was delivered: what was
// decided stays decided.
func testHeaderChanges(t *testing.T, packed bool) {
	r := newRxRig(t, setup{packed: packed, size: 8, features: feats(virtio.NetMrgRxbuf)})
	bufs := make([]*mbuf.Buf, 8)
	all := r.popAll()
	for i, l := range all {
		r.deliver(l, frametest.Seq(i, 60))
	}
	r.dev.flush()
	n := r.rx.Burst(bufs)
	for _, l := range all {
		r.device().write(l, bytes.Repeat([]byte{0xff}, 12))
	}
	for i, b := range bufs[:n] {
		if !bytes.Equal(b.Data(), frametest.Seq(i, 60)) || b.Next() != nil {
			t.Errorf("packet %d changed", i)
		}
	}
	// Sent on, the header is zeros again.
	r.cache.Put(bufs[:n])
	if n != 8 {
		t.Errorf("%d packets", n)
	}
	r.conserved(0)
}

// testScribble overwrites everything in the ring memory that the driver wrote,
// at every step: nothing of it is ever read back.
func testScribble(t *testing.T, packed bool) {
	for _, features := range [][]virtio.Feature{nil, feats(virtio.RingIndirectDesc)} {
		r := newTxRig(t, setup{packed: packed, size: 8, features: features, segments: 8, bufs: 64})
		for step := range 300 {
			b := r.chained(makeLengths(1+step%4, 60)...)
			if r.tx.Burst([]*mbuf.Buf{b}) != 1 {
				t.Fatal("not taken")
			}
			for _, l := range r.popAll() {
				r.scribble()
				r.rawPush(uint32(l.id), 0)
				r.passed(l)
			}
			if r.tx.Broken() != nil {
				t.Fatal(r.tx.Broken())
			}
			r.conserved(0)
		}
	}
}

// scribble fills the descriptors with garbage, the wrap state of a packed ring
// excepted: that is the device's to write. The avail ring is left
// alone, because entries that stay the same are not written again: a device
// that changes them harms only itself.
func (r *rig) scribble() {
	if d, ok := r.dev.(*splitDevice); ok {
		for i := range d.desc {
			d.desc[i] = 0x5a
		}
		clear(d.owned)
		return
	}
	d := r.dev.(*packedDevice)
	for at := range d.size {
		le.PutUint64(d.desc[16*at:], 0x5a5a5a5a5a5a5a5a)
		le.PutUint32(d.desc[16*at+8:], 0x5a5a5a5a)
	}
	clear(d.owned)
}

// passed makes the device skip the rest of a list that was marked by rawPush.
func (r *rig) passed(l list) {
	if d, ok := r.dev.(*packedDevice); ok {
		delete(d.ids, l.id)
		for range l.slots - 1 {
			if d.usedAt++; d.usedAt == d.size {
				d.usedAt, d.usedWrap = 0, !d.usedWrap
			}
		}
		for at := range d.size {
			copy(d.taken[at][:], d.desc[16*at:])
		}
	}
}

// testFlags sets flags that a used descriptor has no use for.
func testFlags(t *testing.T, packed bool) {
	if !packed {
		// The used ring's flags: all but bit 0 are reserved.
		r := newTxRig(t, setup{size: 8})
		d := r.dev.(*splitDevice)
		put32(d.used, 0xfffe)
		if got := r.ringsOf(1); got != 1 {
			t.Errorf("used.flags 0xfffe: %d doorbells", got)
		}
		return
	}
	testUsedTest(t)
	r := newRxRig(t, setup{packed: true, size: 8})
	bufs := make([]*mbuf.Buf, 8)
	for i := range 40 {
		l, _ := r.dev.pop()
		r.deliver(l, frametest.Seq(i, 60))
		r.dev.(*packedDevice).held[0].word |= 0x7f7d << 48
		r.dev.flush()
		if r.rx.Burst(bufs) != 1 || !bytes.Equal(bufs[0].Data(), frametest.Seq(i, 60)) {
			t.Fatal("the packet does not arrive")
		}
		r.cache.Put(bufs[:1])
	}
	r.ok()
	if got := r.rx.Stats().FlagErrors.Load(); got != 40 {
		t.Errorf("FlagErrors %d", got)
	}
}

// testOutOfOrder2 uses the id of a longer chain first: the driver skips that
// chain's length, and what is still outstanding stays so.
func testOutOfOrder2(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 8, bufs: 64})
	r.send(2)
	r.tx.Burst([]*mbuf.Buf{r.chained(60, 60, 60)})
	all := r.popAll()
	r.dev.push(all[2].id, 0, all[2].slots)
	r.dev.push(all[0].id, 0, all[0].slots)
	r.dev.flush()
	r.send(7) // fits only if four slots came back
	if r.tx.Posted() != 8 {
		t.Errorf("posted %d, want 8", r.tx.Posted())
	}
	r.ok()
	r.conserved(0)
}

// testEventGarbage writes anything where the device asks for doorbells: packets
// still go through.
func testEventGarbage(t *testing.T, packed bool) {
	for _, features := range [][]virtio.Feature{nil, feats(virtio.RingEventIdx)} {
		r := newTxRig(t, setup{packed: packed, size: 8, features: features})
		for i := range uint32(500) {
			garbage := i * 0x9e3779b1
			if d, ok := r.dev.(*splitDevice); ok {
				put32(d.used[4+8*d.size:], garbage)
			} else {
				put32(r.dev.(*packedDevice).device, garbage)
			}
			r.send(1)
			if n := r.useAll(nil); n != 1 {
				t.Fatalf("garbage %#x: %d packets arrive", garbage, n)
			}
			r.ok()
		}
		r.conserved(0)
	}
	t.Run("watchdog", func(t *testing.T) { testWatchdog(t, packed) })
}

// testWatchdog asks for no doorbells and does nothing: after a while one comes.
func testWatchdog(t *testing.T, packed bool) {
	r := newTxRig(t, setup{packed: packed, size: 4})
	r.dev.want(false)
	p := r.packets(6, 64)
	r.tx.Burst(p)
	for range stuckLimit {
		r.tx.Burst(p[4:])
	}
	if len(r.bell.rings) != 1 || r.tx.Stats().Rekicks.Load() != 1 {
		t.Errorf("transmit: %d doorbells, %d counted", len(r.bell.rings),
			r.tx.Stats().Rekicks.Load())
	}
	rx := newRxRig(t, setup{packed: packed, size: 4})
	rx.bell.rings = nil
	bufs := make([]*mbuf.Buf, 4)
	for range quietLimit {
		rx.rx.Burst(bufs)
	}
	if len(rx.bell.rings) != 1 || rx.rx.Stats().Rekicks.Load() != 1 {
		t.Errorf("receive: %d doorbells, %d counted", len(rx.bell.rings),
			rx.rx.Stats().Rekicks.Load())
	}
}
