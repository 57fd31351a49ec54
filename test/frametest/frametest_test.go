package frametest

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestSeq checks that frames of different numbers differ, and not only in the number.
func TestSeq(t *testing.T) {
	bodies := map[string]int{}
	for n := range 300 {
		for _, length := range []int{18, 19, 25, 26, 27, 60, 1514} {
			f := Seq(n, length)
			if len(f) != length || Number(f) != n || !bytes.Equal(f, Seq(n, 1600)[:length]) {
				t.Fatalf("frame %d of %d bytes: %x", n, length, f)
			}
		}
		body := string(Seq(n, MinLen+8)[MinLen:])
		if other, twice := bodies[body]; twice {
			t.Errorf("frames %d and %d differ in nothing but their numbers", other, n)
		}
		bodies[body] = n
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
