package traffic

import "encoding/binary"

// SignatureLen is the length of a signature: the last bytes of a packet.
const SignatureLen = 16

// signatureMagic begins a signature.
const signatureMagic = 0x7ac3

// Signature identifies a packet: which stream it belongs to, which one of it it is, and
// when it was to be sent. Its fields are big endian in this order, after 16 bits that
// are the same in every signature.
type Signature struct {
	Stream   uint16
	Sequence uint32
	Time     int64 // in nanoseconds, of the clock of the program that sends
}

// PutSignature writes s to the end of a packet, which has at least SignatureLen bytes.
// A checksum that covers them is not corrected.
func PutSignature(packet []byte, s Signature) {
	p := packet[len(packet)-SignatureLen:]
	binary.BigEndian.PutUint64(p[8:], uint64(s.Time))
	binary.BigEndian.PutUint64(p, signatureMagic<<48|uint64(s.Stream)<<32|uint64(s.Sequence))
}

// ReadSignature returns the signature at the end of a packet and reports whether there
// is one. A foreign packet has one by chance once in 65,536.
func ReadSignature(packet []byte) (s Signature, ok bool) {
	if len(packet) < SignatureLen {
		return s, false
	}
	p := packet[len(packet)-SignatureLen:]
	first := binary.BigEndian.Uint64(p)
	s.Stream, s.Sequence = uint16(first>>32), uint32(first)
	s.Time = int64(binary.BigEndian.Uint64(p[8:]))
	return s, first>>48 == signatureMagic
}
