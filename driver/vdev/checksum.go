package vdev

import (
	"encoding/binary"
	"math/bits"
)

// onesSum returns the ones' complement sum of the 16-bit words of b (RFC 1071). An odd
// byte at the end counts as the upper half of a word.
func onesSum(b []byte) uint16 {
	// The sum is the same in either byte order, apart from the order of its own bytes,
	// and in words of any width, once they are folded.
	var sum, carry uint64
	le := binary.LittleEndian
	for ; len(b) >= 32; b = b[32:] {
		sum, carry = bits.Add64(sum, le.Uint64(b), carry)
		sum, carry = bits.Add64(sum, le.Uint64(b[8:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(b[16:]), carry)
		sum, carry = bits.Add64(sum, le.Uint64(b[24:]), carry)
	}
	for ; len(b) >= 8; b = b[8:] {
		sum, carry = bits.Add64(sum, le.Uint64(b), carry)
	}
	var rest [8]byte
	copy(rest[:], b)
	sum, carry = bits.Add64(sum, le.Uint64(rest[:]), carry)
	sum = sum>>32 + sum&0xffffffff + carry
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return bits.ReverseBytes16(uint16(sum))
}

// addSums adds two ones' complement sums.
func addSums(a, b uint16) uint16 {
	sum := uint32(a) + uint32(b)
	return uint16(sum>>16 + sum)
}

// sameSum reports whether two ones' complement sums are equal: there are two zeros.
func sameSum(a, b uint16) bool { return a%0xffff == b%0xffff }

// complete computes the checksum that o asks for and stores it in frame, which has room
// for it: see Offload.inside. What is in its place, the sum of the pseudo-header, is part of
// it. UDP has no checksum of 0 (RFC 768), and elsewhere 0xffff means the same.
func complete(frame []byte, o Offload) {
	sum := ^onesSum(frame[o.CsumStart:])
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(frame[int(o.CsumStart)+int(o.CsumOffset):], sum)
}
