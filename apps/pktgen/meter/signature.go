package meter

import "encoding/binary"

// signatureLen is the length of a signature: the last bytes of a packet.
const signatureLen = 16

// signatureMagic begins a signature.
const signatureMagic = 0x7ac3

// parseSignature splits the first half of a signature and reports whether it is one.
func parseSignature(p []byte) (stream uint16, seq uint32, ok bool) {
	first := binary.BigEndian.Uint64(p)
	return uint16(first >> 32), uint32(first), first>>48 == signatureMagic
}
