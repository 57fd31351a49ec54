// Package frametest makes and checks Ethernet frames for the tests of this module:
// numbered frames whose bytes follow from their number, so that one that is lost,
// doubled or damaged shows.
package frametest

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// header is the Ethernet header of all frames: locally administered addresses, and
// the EtherType that is reserved for experiments.
var header = [14]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5}

// HeaderLen is the length of an Ethernet header.
const HeaderLen = len(header)

// MinLen is the length from which a frame holds its number.
const MinLen = HeaderLen + 4

// Seq returns frame number n, length bytes long. Behind the Ethernet header it holds
// the number, and bytes that follow from it: a shorter frame of the same number is the
// beginning of a longer one.
func Seq(n, length int) []byte {
	frame := make([]byte, 0, max(length, MinLen)+8)
	frame = append(frame, header[:]...)
	frame = binary.BigEndian.AppendUint32(frame, uint32(n))
	for x := uint64(n); len(frame) < length; {
		x = x*6364136223846793005 + 1442695040888963407
		frame = binary.BigEndian.AppendUint64(frame, x)
	}
	return frame[:length:length]
}

// Number returns the number of a frame that Seq made.
func Number(frame []byte) int { return int(binary.BigEndian.Uint32(frame[HeaderLen:])) }

// Varied returns frame number n, of 60 to 1514 bytes: lengths go up and down through
// all of them.
func Varied(n int) []byte { return Seq(n, 60+n*977%1455) }

// Series returns count frames from number first on, of all the lengths in turn, or
// Varied ones if there are none.
func Series(first, count int, lengths ...int) [][]byte {
	list := make([][]byte, count)
	for i := range list {
		n := first + i
		if len(lengths) == 0 {
			list[i] = Varied(n)
		} else {
			list[i] = Seq(n, lengths[n%len(lengths)])
		}
	}
	return list
}

// Fill makes an empty buffer a packet, a chain of buffers of its pool if it is long.
func Fill(t testing.TB, b *mbuf.Buf, frame []byte) {
	t.Helper()
	if !b.AppendBytes(frame) {
		t.Fatalf("the pool has too few buffers for %d bytes", len(frame))
	}
}

// Content returns a copy of a packet.
func Content(b *mbuf.Buf) []byte {
	frame := make([]byte, b.PacketLen())
	b.CopyTo(frame)
	return frame
}

// Equal fails the test if the frames that came are not those that were sent, in the
// same order.
func Equal(t testing.TB, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d frames, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("frame %d differs: %d bytes, want %d", i, len(got[i]), len(want[i]))
		}
	}
}

// EqualSet is Equal without regard to order.
func EqualSet(t testing.TB, got, want [][]byte) {
	t.Helper()
	sorted := func(list [][]byte) [][]byte {
		return slices.SortedFunc(slices.Values(list), bytes.Compare)
	}
	if !slices.EqualFunc(sorted(got), sorted(want), bytes.Equal) {
		t.Fatalf("%d frames are not the %d that were sent", len(got), len(want))
	}
}
