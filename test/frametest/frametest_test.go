package frametest

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestSeq checks that frames of different numbers or lengths differ, whatever their
// lengths are.
func TestSeq(t *testing.T) {
	seen := map[string][2]int{}
	for n := range 300 {
		for _, length := range []int{18, 19, 25, 26, 27, 60, 1514} {
			f := Seq(n, length)
			if len(f) != length || Number(f) != n || !bytes.Equal(f[:HeaderLen], header[:]) {
				t.Fatalf("frame %d of %d bytes: %x", n, length, f)
			}
			key := string(f[:min(length, 60)])
			if other, twice := seen[key]; twice {
				t.Errorf("frames %v and %v are equal", other, [2]int{n, length})
			}
			seen[key] = [2]int{n, length}
			if !bytes.Equal(f, Seq(n, length)) {
				t.Errorf("frame %d of %d bytes is not always the same", n, length)
			}
		}
	}
	for length := range MinLen {
		if got := Seq(7, length); len(got) != length {
			t.Errorf("%d bytes, want %d", len(got), length)
		}
	}
}

// TestFillContent checks that a packet holds what Fill was given.
func TestFillContent(t *testing.T) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 8, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	want := Series(3, 5, 60, 2000, 5000)
	var got [][]byte
	for _, f := range want {
		b := make([]*mbuf.Buf, 1)
		if pool.Get(b) != 1 {
			t.Fatal("the pool is empty")
		}
		Fill(t, b[0], f)
		got = append(got, Content(b[0]))
		mbuf.Free(b)
	}
	Equal(t, got, want)
	got[0], got[4] = got[4], got[0]
	EqualSet(t, got, want)
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
}
