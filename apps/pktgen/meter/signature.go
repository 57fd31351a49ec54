package meter

import "encoding/binary"

// signatureLen is the length of a signature: the last bytes of a packet.
const signatureLen = 16

// signatureMagic begins a signature.
const signatureMagic = 0x7ac3

// signature returns the first half of a signature.
func signature(stream uint16, seq uint32) uint64 {
	return signatureMagic<<48 | uint64(stream)<<32 | uint64(seq)
}

// parse splits the first half of a signature and reports whether it is one.
func parse(first uint64) (stream uint16, seq uint32, ok bool) {
	return uint16(first >> 32), uint32(first), first>>48 == signatureMagic
}

// readSignature returns the two halves of a signature.
func readSignature(p []byte) (first uint64, sent int64) {
	return binary.BigEndian.Uint64(p), int64(binary.BigEndian.Uint64(p[8:]))
}
