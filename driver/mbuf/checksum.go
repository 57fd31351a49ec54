package mbuf

import (
	"encoding/binary"
	"math/bits"
)

// CompleteChecksum does what RequestChecksum asks for, in place: it sums the packet and
// puts the checksum into its field. [Buf.Checksum] then returns [ChecksumUnknown]. It
// does nothing if no checksum is to be completed. A packet that was to be cut into frames
// becomes one long frame. It returns false, and changes nothing, if the field is not in
// the packet any more, or a segment not held.
func (b *Buf) CompleteChecksum() bool {
	o := Driver(b).Request()
	if o == nil {
		return true
	}
	start := int(o.Start) - int(b.view.Offset())
	if o.State == ChecksumPartial && (start < 0 || !b.putChecksum(start, start+int(o.Offset))) {
		return false
	}
	hash, report := b.Hash()
	b.ClearOffload()
	if report != 0 {
		Driver(b).Describe(&DriverOffload{Hash: hash, Report: uint8(report)})
	}
	return true
}

// putChecksum completes the checksum at byte field of the packet, of which the sum
// begins at byte start.
func (b *Buf) putChecksum(start, field int) bool {
	if field+2 > b.PacketLen() {
		return false
	}
	sum := ^fold(b.sumFrom(start))
	if sum == 0 {
		sum = 0xffff // the same value; in UDP, 0 is no checksum at all
	}
	b.put16(field, sum)
	return true
}

// put16 writes v at byte i of the packet.
func (b *Buf) put16(i int, v uint16) {
	if data := b.Data(); i+2 <= len(data) {
		binary.BigEndian.PutUint16(data[i:], v)
		return
	}
	b.setByte(i, byte(v>>8))
	b.setByte(i+1, byte(v))
}

// setByte sets byte i of the packet, which has it.
func (b *Buf) setByte(i int, v byte) {
	for i >= b.Len() {
		i -= b.Len()
		b = b.next
	}
	b.Data()[i] = v
}

// sumFrom returns the ones' complement sum of the packet from byte start on.
func (b *Buf) sumFrom(start int) uint64 {
	sum, odd := uint64(0), false
	for ; b != nil; b = b.following() {
		data := b.Data()
		if start >= len(data) {
			start -= len(data)
			continue
		}
		data, start = data[start:], 0
		part := uint64(fold(sumBytes(data)))
		if odd { // bytes of this segment are the other halves of 16-bit words
			part = part>>8 | part&0xff<<8
		}
		sum += part
		odd = odd != (len(data)%2 != 0)
	}
	return sum
}

// sumBytes returns the ones' complement sum of data as 16-bit words, not folded. An odd
// byte at the end is the upper half of a word.
func sumBytes(data []byte) uint64 {
	var sum, carry uint64
	for len(data) >= 32 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data[8:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data[16:]), carry)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data[24:]), carry)
		data = data[32:]
	}
	for len(data) >= 8 {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(data), carry)
		data = data[8:]
	}
	if len(data) > 0 {
		var last [8]byte
		copy(last[:], data)
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(last[:]), carry)
	}
	// Halves keep the sum from wrapping here and where others add to it.
	return sum>>32 + sum&0xffffffff + carry
}

// fold makes 16 bits of a ones' complement sum.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum&0xffff)
}
