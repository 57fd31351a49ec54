package mbuf

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// content returns the data of a packet.
func content(b *Buf) []byte {
	data := make([]byte, b.PacketLen())
	return data[:b.CopyTo(data)]
}

// bytesFrom returns n bytes that count up from first.
func bytesFrom(first, n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(first + i)
	}
	return data
}

func TestGetOne(t *testing.T) {
	p := newPool(t, Config{Count: 70})
	c := p.NewCache(32)
	for name, from := range map[string]interface{ GetOne() *Buf }{"Pool": p, "Cache": c} {
		var held []*Buf
		for b := from.GetOne(); b != nil; b = from.GetOne() {
			if b.Len() != 0 || b.Headroom() != DefaultHeadroom || b.Next() != nil {
				t.Fatalf("%s: a buffer is not empty", name)
			}
			b.Append(1)
			held = append(held, b)
		}
		if len(held) != 70 || p.Free() != 0 {
			t.Errorf("%s: %d of 70 buffers, %d free", name, len(held), p.Free())
		}
		Free(held)
	}
}

func TestFreeOne(t *testing.T) {
	p := newPool(t, Config{Count: 4})
	(*Buf)(nil).Free()
	b := get(t, p, 3)
	packet := chain(b)
	if packet.Free(); p.Free() != 4 || p.DoubleFrees() != 0 {
		t.Errorf("%d free, %d double frees", p.Free(), p.DoubleFrees())
	}
	if packet.Free(); p.Free() != 4 || p.DoubleFrees() != 1 {
		t.Errorf("freed twice: %d free, %d double frees", p.Free(), p.DoubleFrees())
	}
}

// TestAppendBytes fills packets of one and of two segments up to and over each
// boundary. With 4 buffers of 10 bytes a packet has 40 at most.
func TestAppendBytes(t *testing.T) {
	for _, c := range []struct {
		before, n          int
		ok                 bool
		segments, lastRoom int // afterwards
	}{
		{0, 0, true, 1, 10}, {0, 9, true, 1, 1}, {0, 10, true, 1, 0}, {0, 11, true, 2, 9}, {0, 20, true, 2, 0},
		{0, 21, true, 3, 9}, {0, 40, true, 4, 0}, {0, 41, false, 1, 10}, {7, 3, true, 1, 0}, {7, 4, true, 2, 9},
		{10, 1, true, 2, 9}, {10, 0, true, 1, 0}, {15, 5, true, 2, 0}, {15, 25, true, 4, 0}, {15, 26, false, 2, 5},
	} {
		p := newPool(t, Config{Count: 4, Headroom: 3, DataRoom: 10})
		b := p.GetOne()
		if !b.AppendBytes(bytesFrom(0, c.before)) {
			t.Fatalf("%d bytes are not appended", c.before)
		}
		want := c.before
		if c.ok {
			want += c.n
		}
		if got := b.AppendBytes(bytesFrom(c.before, c.n)); got != c.ok {
			t.Errorf("%d bytes after %d: %v", c.n, c.before, got)
		}
		last := b
		for s := range b.Segments() {
			last = s
		}
		if !bytes.Equal(content(b), bytesFrom(0, want)) || b.NumSegments() != c.segments || last.Tailroom() != c.lastRoom {
			t.Errorf("%d bytes after %d: %x in %d segments, %d bytes of room in the last",
				c.n, c.before, content(b), b.NumSegments(), last.Tailroom())
		}
		if p.Free() != 4-c.segments {
			t.Errorf("%d bytes after %d: %d buffers are free", c.n, c.before, p.Free())
		}
	}
}

func TestCopyTo(t *testing.T) {
	p := newPool(t, Config{Count: 4, DataRoom: 10})
	b := p.GetOne()
	b.AppendBytes(bytesFrom(0, 25))
	for _, room := range []int{0, 1, 9, 10, 11, 20, 24, 25, 26, 100} {
		dst := bytes.Repeat([]byte{0xee}, room)
		n := b.CopyTo(dst)
		if n != min(room, 25) || !bytes.Equal(dst[:n], bytesFrom(0, n)) {
			t.Errorf("CopyTo %d bytes = %d: %x", room, n, dst)
		}
	}
}

// TestSegmentsDetach: the body may take the chain apart, stop, and iterate again.
func TestSegmentsDetach(t *testing.T) {
	p := newPool(t, Config{Count: 3})
	bufs := get(t, p, 3)
	all := chain(bufs).Segments()
	if got := slices.Collect(all); !slices.Equal(got, bufs) {
		t.Errorf("%d segments", len(got))
	}
	for s := range all {
		if s != bufs[0] {
			t.Error("the first segment does not come first")
		}
		break
	}
	var got []*Buf
	for s := range all {
		s.SetNext(nil)
		got = append(got, s)
	}
	if !slices.Equal(got, bufs) || bufs[0].Next() != nil {
		t.Errorf("%d segments were taken apart", len(got))
	}
	for range (*Buf)(nil).Segments() {
		t.Error("no packet has a segment")
	}
}

// TestLinearize: 5 bytes of headroom and 10 of data, so that 15 bytes fit one
// room. Headroom goes only as far as it must.
func TestLinearize(t *testing.T) {
	for _, c := range []struct {
		lens     []int
		ok       bool
		headroom int // afterwards
	}{
		{[]int{4}, true, 5}, {[]int{0, 0}, true, 5}, {[]int{4, 6}, true, 5}, {[]int{4, 3, 3}, true, 5},
		{[]int{4, 7}, true, 4}, {[]int{10, 5}, true, 0}, {[]int{5, 5, 5}, true, 0}, {[]int{10, 6}, false, 5}, {[]int{0, 10, 6}, false, 5},
	} {
		p := newPool(t, Config{Count: 4, Headroom: 5, DataRoom: 10})
		bufs := get(t, p, len(c.lens))
		total := 0
		for i, n := range c.lens {
			copy(bufs[i].Append(n), bytesFrom(total, n))
			total += n
		}
		b := chain(bufs)
		if got := b.Linearize(); got != c.ok || b.Headroom() != c.headroom || !bytes.Equal(content(b), bytesFrom(0, total)) {
			t.Errorf("%v: %v, headroom %d, %x", c.lens, got, b.Headroom(), content(b))
		}
		want := 1
		if !c.ok {
			want = len(c.lens)
		}
		if b.NumSegments() != want || p.Free() != 4-want || p.DoubleFrees() != 0 {
			t.Errorf("%v: %d segments, %d buffers free, %d double frees", c.lens, b.NumSegments(), p.Free(), p.DoubleFrees())
		}
	}
}

// TestPacketNotHeld uses packets after they were freed, or parts of them: nothing
// is changed.
func TestPacketNotHeld(t *testing.T) {
	p := newPool(t, Config{Count: 4, DataRoom: 10})
	c := p.NewCache(32)
	b := p.GetOne()
	b.AppendBytes(bytesFrom(0, 15))
	b.Next().Free() // the application's mistake
	if b.AppendBytes(bytesFrom(0, 1)) || b.PacketLen() != 10 {
		t.Error("bytes are appended to a segment that was freed")
	}
	b.Reset()
	b.Free()
	if b.AppendBytes(nil) || b.Linearize() || b.CopyTo(make([]byte, 1)) != 0 || p.Clone(b) != nil || c.Clone(b) != nil {
		t.Error("a freed packet can be used")
	}
	if p.Free() != 4 || p.DoubleFrees() != 0 {
		t.Errorf("%d free, %d double frees", p.Free(), p.DoubleFrees())
	}
}

// TestTailLinkedToItself: the mistake ends the chain, and freeing it is a double
// free.
func TestTailLinkedToItself(t *testing.T) {
	p := newPool(t, Config{Count: 8, DataRoom: 10})
	b := p.GetOne()
	b.AppendBytes(bytesFrom(0, 15))
	tail := b.Next()
	tail.SetNext(tail)
	if b.NumSegments() != 2 || b.PacketLen() != 15 || len(slices.Collect(b.Segments())) != 2 || len(content(b)) != 15 {
		t.Errorf("%d segments, %d bytes", b.NumSegments(), b.PacketLen())
	}
	clone := p.Clone(b)
	if !bytes.Equal(content(clone), bytesFrom(0, 15)) {
		t.Errorf("the clone is %x", content(clone))
	}
	clone.Free()
	if !b.AppendBytes(bytesFrom(15, 20)) || !bytes.Equal(content(b), bytesFrom(0, 35)) {
		t.Errorf("after AppendBytes: %x", content(b))
	}
	tail.SetNext(tail)
	b.Free()
	if p.DoubleFrees() != 1 {
		t.Errorf("%d double frees", p.DoubleFrees())
	}
	one := p.GetOne()
	one.SetNext(one)
	if !one.Linearize() || one.Next() != nil {
		t.Error("a buffer linked to itself is not made one segment")
	}
	one.Free()
}

func TestPacketAllocatesNothing(t *testing.T) {
	p := newPool(t, Config{Count: 64, DataRoom: 100})
	c := p.NewCache(32)
	data, out := bytesFrom(0, 150), make([]byte, 300)
	n := testing.AllocsPerRun(100, func() {
		a, b := p.GetOne(), c.GetOne()
		if !a.AppendBytes(data) || !a.AppendBytes(data) || a.CopyTo(out) != 300 || !b.AppendBytes(data[:80]) {
			t.Error("a packet was not made")
		}
		for s := range a.Segments() {
			out[0] += byte(s.Len())
		}
		d, e := p.Clone(a), c.Clone(a)
		if !b.AppendBytes(data[:40]) || !b.Linearize() {
			t.Error("a packet was not made one segment")
		}
		for _, b := range [...]*Buf{a, b, d, e} {
			b.Free()
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if c.Flush(); p.Free() != 64 || p.DoubleFrees() != 0 {
		t.Errorf("%d free, %d double frees", p.Free(), p.DoubleFrees())
	}
}

// machine is packets of two pools, and what they should be.
type machine struct {
	pools  []*Pool
	caches []*Cache
	held   []*Buf
	want   [][]byte
	frees  uint64 // double frees
}

// TestPacketModel does what applications do, in any order, with pools that are
// soon empty, and compares contents and numbers of buffers with a model.
func TestPacketModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{}
		for _, name := range []string{"a", "b"} {
			headroom := rapid.IntRange(1, 40).Draw(r, "headroom "+name)
			p := newPool(t, Config{
				Count:    rapid.IntRange(1, 50).Draw(r, "count "+name),
				DataRoom: rapid.IntRange(1, 60).Draw(r, "data room "+name), Headroom: headroom,
			})
			m.pools = append(m.pools, p)
			m.caches = append(m.caches, p.NewCache(32))
		}
		r.Repeat(map[string]func(*rapid.T){
			"get": m.get, "append": m.append, "prepend": m.prepend, "cut": m.cut, "clone": m.clone,
			"linearize": m.linearize, "free": m.free, "free twice": m.freeTwice, "flush": m.flush, "": m.check,
		})
	})
}

func (m *machine) pick(r *rapid.T) int {
	if len(m.held) == 0 {
		r.Skip("no packet is held")
	}
	return rapid.IntRange(0, len(m.held)-1).Draw(r, "packet")
}

func (m *machine) keep(b *Buf, data []byte) {
	if b != nil {
		m.held, m.want = append(m.held, b), append(m.want, slices.Clone(data))
	}
}

func (m *machine) drop(i int) {
	m.held, m.want = slices.Delete(m.held, i, i+1), slices.Delete(m.want, i, i+1)
}

func (m *machine) get(r *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(r, "pool")
	from, free := interface{ GetOne() *Buf }(m.pools[i]), len(m.pools[i].free)
	if rapid.Bool().Draw(r, "cache") {
		from, free = m.caches[i], free+m.caches[i].n
	}
	b := from.GetOne()
	if (b != nil) != (free > 0) {
		r.Fatalf("GetOne = %v with %d free", b, free)
	}
	m.keep(b, nil)
}

func (m *machine) append(r *rapid.T) {
	i := m.pick(r)
	b, data := m.held[i], bytesFrom(rapid.IntRange(0, 255).Draw(r, "first"), rapid.IntRange(0, 300).Draw(r, "n"))
	last := slices.Collect(b.Segments())[b.NumSegments()-1]
	possible := len(data) <= last.Tailroom()+len(b.Pool().free)*b.Pool().DataRoom()
	if got := b.AppendBytes(data); got != possible {
		r.Fatalf("AppendBytes = %v", got)
	} else if got {
		m.want[i] = append(m.want[i], data...)
	}
}

func (m *machine) prepend(r *rapid.T) {
	i := m.pick(r)
	data := bytesFrom(rapid.IntRange(0, 255).Draw(r, "first"), rapid.IntRange(0, 40).Draw(r, "n"))
	if room := m.held[i].Prepend(len(data)); room != nil {
		copy(room, data)
		m.want[i] = slices.Concat(data, m.want[i])
	}
}

func (m *machine) cut(r *rapid.T) {
	i := m.pick(r)
	if n := rapid.IntRange(0, 30).Draw(r, "n"); m.held[i].Adj(n) {
		m.want[i] = m.want[i][n:]
	}
}

func (m *machine) clone(r *rapid.T) {
	i, to := m.pick(r), rapid.IntRange(0, 1).Draw(r, "pool")
	p, c := m.pools[to], m.caches[to]
	need, free := p.segmentsFor(len(m.want[i])), len(p.free)
	var b *Buf
	if rapid.Bool().Draw(r, "cache") {
		if b = c.Clone(m.held[i]); need <= len(c.stack) {
			free = p.Free()
		}
		if b != nil {
			free = max(free, need) // a cache may have had them
		}
	} else {
		b = p.Clone(m.held[i])
	}
	if (b != nil) != (need <= free) {
		r.Fatalf("Clone = %v of %d bytes with %d free", b, len(m.want[i]), free)
	}
	if b != nil && (b.NumSegments() != need || b.Pool() != p) {
		r.Fatalf("the clone has %d segments, not %d", b.NumSegments(), need)
	}
	m.keep(b, m.want[i])
}

func (m *machine) linearize(r *rapid.T) {
	i := m.pick(r)
	b := m.held[i]
	segments, possible := b.NumSegments(), len(m.want[i]) <= len(b.room)
	if got := b.Linearize(); got != (possible || segments == 1) {
		r.Fatalf("Linearize = %v", got)
	} else if got {
		segments = 1
	}
	if b.NumSegments() != segments {
		r.Fatalf("%d segments after Linearize", b.NumSegments())
	}
}

func (m *machine) free(r *rapid.T) {
	i := m.pick(r)
	switch rapid.IntRange(0, 2).Draw(r, "how") {
	case 0:
		m.held[i].Free()
	case 1:
		Free(m.held[i : i+1])
	case 2:
		m.caches[rapid.IntRange(0, 1).Draw(r, "cache")].Put(m.held[i : i+1])
	}
	m.drop(i)
}

func (m *machine) freeTwice(r *rapid.T) {
	i := m.pick(r)
	b := m.held[i]
	b.Free()
	b.Free()
	m.frees++
	m.drop(i)
}

func (m *machine) flush(r *rapid.T) { m.caches[rapid.IntRange(0, 1).Draw(r, "cache")].Flush() }

// check compares contents, and finds every buffer in exactly one place.
func (m *machine) check(r *rapid.T) {
	out := map[*Pool]int{}
	seen := map[*Buf]bool{}
	for i, b := range m.held {
		if !bytes.Equal(content(b), m.want[i]) {
			r.Fatalf("packet %d is %x, not %x", i, content(b), m.want[i])
		}
		for s := range b.Segments() {
			if seen[s] || !Driver(s).Held() {
				r.Fatalf("a segment of packet %d is in another packet, or free", i)
			}
			seen[s] = true
			out[s.Pool()]++
		}
	}
	doubles := uint64(0)
	for _, p := range m.pools {
		if p.Free()+out[p] != p.Size() {
			r.Fatalf("%d free and %d held of %d", p.Free(), out[p], p.Size())
		}
		doubles += p.DoubleFrees()
	}
	if doubles != m.frees {
		r.Fatalf("%d double frees, not %d", doubles, m.frees)
	}
}
