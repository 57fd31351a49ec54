// Package traffic sends numbered frames through what is under test and checks
// that every one arrives exactly once, in order, and unharmed. It limits what
// is under way at once, because what forwards may drop what it has no room
// for: a frame that is missing is then the fault of what was tested.
package traffic

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
)

// MinSize is the smallest frame, without the frame check sequence.
const MinSize = 60

// MaxSize is the largest frame of an interface with the usual MTU of 1500.
const MaxSize = 1514

// A frame is Ethernet, IPv4 and UDP, so that hosts spread flows over queues,
// and then magic, run, flow and sequence number, and bytes made from these.
const (
	offMAC   = 0
	offIP    = 14
	offUDP   = offIP + 20
	offMagic = offUDP + 8
	offRun   = offMagic + 2
	offFlow  = offRun + 4
	offSeq   = offFlow + 2
	offBody  = offSeq + 4
	macs     = 12 // bytes of both addresses
	magic    = 0x7fa9
)

// MACs are the addresses of a frame.
type MACs struct{ Dst, Src net.HardwareAddr }

// identity is what makes a frame one of its kind.
type identity struct {
	run  uint32
	flow uint16
	seq  uint32
}

// encode makes the frame of an identity in buf, size bytes long.
func encode(buf []byte, m MACs, id identity, size int) []byte {
	f := buf[:size]
	copy(f[offMAC:], m.Dst)
	copy(f[offMAC+6:], m.Src)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip := f[offIP:offUDP]
	clear(ip)
	ip[0] = 0x45
	binary.BigEndian.PutUint16(ip[2:], uint16(size-offIP))
	ip[8], ip[9] = 64, 17
	// The run is part of the addresses, so that two directions are two flows.
	binary.BigEndian.PutUint32(ip[12:], 10<<24|id.run&0xffff<<1)
	binary.BigEndian.PutUint32(ip[16:], 10<<24|id.run&0xffff<<1|1)
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	udp := f[offUDP:offMagic]
	binary.BigEndian.PutUint16(udp, 1024+id.flow)
	binary.BigEndian.PutUint16(udp[2:], 9)
	binary.BigEndian.PutUint16(udp[4:], uint16(size-offUDP))
	binary.BigEndian.PutUint16(udp[6:], 0) // no checksum
	binary.BigEndian.PutUint16(f[offMagic:], magic)
	binary.BigEndian.PutUint32(f[offRun:], id.run)
	binary.BigEndian.PutUint16(f[offFlow:], id.flow)
	binary.BigEndian.PutUint32(f[offSeq:], id.seq)
	fill(f[offBody:], uint64(id.run)<<32|uint64(id.seq)^uint64(id.flow)<<48)
	return f
}

// fill writes bytes that differ from frame to frame and from place to place.
func fill(b []byte, seed uint64) {
	x := seed*0x9e3779b97f4a7c15 + 1
	for len(b) >= 8 {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		binary.LittleEndian.PutUint64(b, x)
		b = b[8:]
	}
	for i := range b {
		b[i] = byte(x >> (8 * i))
	}
}

// checksum is that of an IPv4 header whose checksum field is 0.
func checksum(h []byte) uint16 {
	var sum uint32
	for i := 0; i < len(h); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(h[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// identify reads the identity of a frame; false if it is none of ours.
func identify(f []byte) (identity, bool) {
	if len(f) < MinSize || binary.BigEndian.Uint16(f[offMagic:]) != magic {
		return identity{}, false
	}
	return identity{
		run:  binary.BigEndian.Uint32(f[offRun:]),
		flow: binary.BigEndian.Uint16(f[offFlow:]),
		seq:  binary.BigEndian.Uint32(f[offSeq:]),
	}, true
}

// compare says how a frame that arrived differs from the one expected, "" if
// it does not.
func compare(got, want []byte) string {
	if len(got) != len(want) {
		return fmt.Sprintf("is %d bytes long, was %d", len(got), len(want))
	}
	if !bytes.Equal(got[:macs], want[:macs]) {
		return fmt.Sprintf("has addresses %v > %v, expected %v > %v", net.HardwareAddr(got[6:12]),
			net.HardwareAddr(got[:6]), net.HardwareAddr(want[6:12]), net.HardwareAddr(want[:6]))
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("differs from byte %d of %d on: %#02x, was %#02x", i, len(got),
				got[i], want[i])
		}
	}
	return ""
}
