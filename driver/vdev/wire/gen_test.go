package wire_test

import (
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// SeqFrame finds every damage to the frames of a Generator.
func TestSeqFrame(t *testing.T) {
	for _, size := range []int{60, 61, 64, 65, 127, 1514, 9014, 65549} {
		g := wire.Gen(size)
		if err := g.Attach(nil); err != nil {
			t.Fatal(err)
		}
		frames := make([][]byte, 40)
		for pair := range 2 {
			for i := range g.Receive(pair, frames) {
				f := frames[i]
				p, n, ok := wire.SeqFrame(f)
				if len(f) != size || p != pair || n != uint64(i) || !ok {
					t.Fatalf("size %d: frame %d of pair %d reads as %d of %d, %v", size, i, pair, n, p, ok)
				}
			}
		}
		f := slices.Clone(frames[7])
		for i := 12; i < len(f); i += 1 + len(f)/500 {
			f[i] ^= 0x10
			if _, _, ok := wire.SeqFrame(f); ok {
				t.Errorf("size %d: a fault in byte %d goes unnoticed", size, i)
			}
			f[i] ^= 0x10
		}
		if _, _, ok := wire.SeqFrame(f[:len(f)-1]); ok {
			t.Errorf("size %d: a missing byte goes unnoticed", size)
		}
	}
}
