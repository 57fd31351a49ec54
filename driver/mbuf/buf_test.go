package mbuf

import (
	"bytes"
	"reflect"
	"testing"
)

func TestBufIsOneCacheLine(t *testing.T) {
	if n := reflect.TypeFor[Buf]().Size(); n != 64 {
		t.Errorf("a Buf has %d bytes", n)
	}
}

// TestBounds moves both ends of the data about and compares with a model.
func TestBounds(t *testing.T) {
	p := newPool(t, Config{Count: 2, Headroom: 100, DataRoom: 200})
	b := get(t, p, 1)[0]
	start, end := 100, 100
	check := func(step string) {
		t.Helper()
		if b.Headroom() != start || b.Len() != end-start || b.Tailroom() != 300-end || len(b.Data()) != end-start || cap(b.Data()) != end-start {
			t.Fatalf("%s: headroom %d, length %d, tailroom %d; want %d, %d, %d", step, b.Headroom(), b.Len(), b.Tailroom(), start, end-start, 300-end)
		}
	}
	check("new")
	for _, s := range []struct {
		name string
		do   func(n int) bool
		n    int
		ok   bool
		dStart,
		dEnd int
	}{
		{"append", func(n int) bool { return b.Append(n) != nil }, 50, true, 0, 50},
		{"append too much", func(n int) bool { return b.Append(n) != nil }, 151, false, 0, 0},
		{"append the rest", func(n int) bool { return b.Append(n) != nil }, 150, true, 0, 150},
		{"prepend", func(n int) bool { return b.Prepend(n) != nil }, 99, true, -99, 0},
		{"prepend too much", func(n int) bool { return b.Prepend(n) != nil }, 2, false, 0, 0},
		{"prepend the rest", func(n int) bool { return b.Prepend(n) != nil }, 1, true, -1, 0},
		{"adj", b.Adj, 40, true, 40, 0},
		{"trim", b.Trim, 60, true, 0, -60},
		{"adj too much", b.Adj, 201, false, 0, 0},
		{"trim too much", b.Trim, 201, false, 0, 0},
		{"adj all", b.Adj, 200, true, 200, 0},
		{"negative adj", b.Adj, -1, false, 0, 0},
		{"negative trim", b.Trim, -1, false, 0, 0},
		{"negative append", func(n int) bool { return b.Append(n) != nil }, -1, false, 0, 0},
		{"negative prepend", func(n int) bool { return b.Prepend(n) != nil }, -1, false, 0, 0},
	} {
		if got := s.do(s.n); got != s.ok {
			t.Fatalf("%s %d: %v", s.name, s.n, got)
		}
		start, end = start+s.dStart, end+s.dEnd
		check(s.name)
	}
	b.Reset()
	start, end = 100, 100
	check("reset")
}

// TestSlices writes through what Append and Prepend return and reads Data.
func TestSlices(t *testing.T) {
	p := newPool(t, Config{Count: 2})
	b := get(t, p, 2)
	copy(b[0].Append(3), "def")
	copy(b[0].Prepend(3), "abc")
	copy(b[1].Append(3), "ghi")
	if !bytes.Equal(b[0].Data(), []byte("abcdef")) {
		t.Errorf("data is %q", b[0].Data())
	}
	b[0].SetNext(b[1])
	if b[0].NumSegments() != 2 || b[0].PacketLen() != 9 || b[0].Next() != b[1] || b[1].Next() != nil {
		t.Errorf("%d segments, %d bytes", b[0].NumSegments(), b[0].PacketLen())
	}
	if b[0].Reset(); b[0].Next() != nil || b[1].Len() != 3 {
		t.Error("Reset leaves the next segment linked, or empties it")
	}
}

// TestNotHeld uses a buffer after it was freed: nothing is there, and nothing
// is broken.
func TestNotHeld(t *testing.T) {
	p := newPool(t, Config{Count: 2})
	if err := (*DriverPool)(p).Bind([]uint64{4096, 8192}); err != nil {
		t.Fatal(err)
	}
	b := get(t, p, 1)[0]
	b.Append(10)
	if Driver(b).IOVA() != Driver(b).RoomIOVA()+DefaultHeadroom || Driver(b).RoomIOVA() == 0 || b.Pool() != p {
		t.Errorf("address %#x, base %#x", Driver(b).IOVA(), Driver(b).RoomIOVA())
	}
	Free([]*Buf{b})
	if b.Data() != nil || b.Len() != 0 || b.Headroom() != 0 || b.Tailroom() != 0 || Driver(b).IOVA() != 0 || Driver(b).Held() {
		t.Error("a freed buffer still has data")
	}
	if b.Append(1) != nil || b.Prepend(0) != nil || b.Adj(0) || b.Trim(0) {
		t.Error("a freed buffer can be changed")
	}
	b.Reset()
	if p.Free() != 2 {
		t.Errorf("%d free", p.Free())
	}
}
