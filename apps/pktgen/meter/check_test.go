package meter

import (
	"encoding/binary"
	"testing"

	"pgregory.net/rapid"
)

// TestSumOfWords compares the sum with one of single words, for any length.
func TestSumOfWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x7f, 0xfe, 0xff}), 0, 200).Draw(t, "bytes")
		want := uint32(0)
		for i := 0; i < len(b); i += 2 {
			word := [2]byte{b[i]}
			copy(word[:], b[i:])
			want += uint32(binary.BigEndian.Uint16(word[:]))
			want = want&0xffff + want>>16
		}
		if got := words(b); got>>36 != 0 || fold(got) != uint16(want) {
			t.Fatalf("%#x, folded %#x, want %#x", got, fold(got), want)
		}
	})
}
