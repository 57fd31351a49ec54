// Package inettest makes and checks TCP and UDP packets for tests.
package inettest

import (
	"encoding/binary"
	"fmt"
)

// Packet describes a TCP or UDP packet in an Ethernet frame. Its bytes are made and
// checked without any code of the driver, from RFC 791, 8200, 9293 and 768.
type Packet struct {
	V6, UDP    bool
	Tags       int    // VLAN tags
	Options    int    // bytes of IPv4 options, a multiple of 4 up to 40
	Extensions []byte // IPv6 extension headers: 0, 43 or 60, 8 bytes each
	TCPOptions int    // bytes, a multiple of 4 up to 40
	Flags      byte   // of TCP
	Seq        uint32
	ID         uint16 // of IPv4
	Payload    []byte
}

// Start returns where in the frame the TCP or UDP header begins.
func (p Packet) Start() int {
	if p.V6 {
		return 14 + 4*p.Tags + 40 + 8*len(p.Extensions)
	}
	return 14 + 4*p.Tags + 20 + p.Options
}

// Field returns how far behind Start the checksum is.
func (p Packet) Field() int {
	if p.UDP {
		return 6
	}
	return 16
}

// HeadersLen returns where in the frame the payload begins.
func (p Packet) HeadersLen() int {
	if p.UDP {
		return p.Start() + 8
	}
	return p.Start() + 20 + p.TCPOptions
}

// Frame returns the frame with all its checksums.
func (p Packet) Frame() []byte {
	f := p.Partial()
	start := p.Start()
	sum := ^sum16(f[start:], 0)
	if sum == 0 {
		sum = 0xffff
	}
	be.PutUint16(f[start+p.Field():], sum)
	return f
}

var be = binary.BigEndian

// Partial returns the frame with the sum of the pseudo-header in place of the checksum.
func (p Packet) Partial() []byte {
	f := p.Blank()
	be.PutUint16(f[p.Start()+p.Field():], pseudo(f, p.V6, 14+4*p.Tags, p.Start(), p.protocol()))
	return f
}

func (p Packet) protocol() byte {
	if p.UDP {
		return 17
	}
	return 6
}

// Blank returns the frame with 0 in place of the checksum.
func (p Packet) Blank() []byte {
	f := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	for i := range p.Tags {
		f = append(f, 0x81, 0, 0, byte(i+1))
	}
	transport := p.transport()
	if p.V6 {
		f = append(f, 0x86, 0xdd)
		next := append(append([]byte{}, p.Extensions...), p.protocol())
		ip := make([]byte, 40)
		ip[0], ip[6], ip[7] = 0x60, next[0], 64
		be.PutUint16(ip[4:], uint16(8*len(p.Extensions)+len(transport)))
		for i := range 32 {
			ip[8+i] = byte(0xfd - i)
		}
		f = append(f, ip...)
		for i := range p.Extensions {
			f = append(f, next[i+1], 0, 1, 0, 0, 0, 0, 0) // with a PadN option, or no segments left
		}
		return append(f, transport...)
	}
	f = append(f, 8, 0)
	ip := make([]byte, 20+p.Options)
	ip[0], ip[8], ip[9] = 0x40|byte(len(ip)/4), 64, p.protocol()
	be.PutUint16(ip[2:], uint16(len(ip)+len(transport)))
	be.PutUint16(ip[4:], p.ID)
	copy(ip[12:], []byte{10, 1, 2, 3, 10, 3, 2, 1})
	for i := 20; i < len(ip); i++ {
		ip[i] = 1 // no operation
	}
	be.PutUint16(ip[10:], ^sum16(ip, 0))
	return append(append(f, ip...), transport...)
}

// transport returns the TCP or UDP header, without a checksum, and the payload.
func (p Packet) transport() []byte {
	h := make([]byte, 8)
	if !p.UDP {
		h = make([]byte, 20+p.TCPOptions)
		be.PutUint32(h[4:], p.Seq)
		h[12], h[13] = byte(len(h)/4)<<4, p.Flags
		for i := 20; i < len(h); i++ {
			h[i] = 1 // no operation
		}
	}
	be.PutUint16(h, 1000)
	be.PutUint16(h[2:], 2000)
	if p.UDP {
		be.PutUint16(h[4:], uint16(8+len(p.Payload)))
	}
	return append(h, p.Payload...)
}

// Parse parses a frame that Packet could have made, and checks its lengths and
// checksums.
func Parse(f []byte) (Packet, error) {
	var p Packet
	at := 12
	for ; be.Uint16(f[at:]) == 0x8100; at += 4 {
		p.Tags++
	}
	at += 2
	ip := f[at:]
	protocol, start := byte(0), 0
	switch be.Uint16(f[at-2:]) {
	case 0x86dd:
		p.V6, protocol, start = true, ip[6], at+40
		for protocol == 0 || protocol == 43 || protocol == 60 {
			p.Extensions = append(p.Extensions, protocol)
			protocol, start = f[start], start+8*(1+int(f[start+1]))
		}
		if n := int(be.Uint16(ip[4:])); at+40+n != len(f) {
			return p, fmt.Errorf("IPv6 payload length %d in a frame of %d bytes", n, len(f))
		}
	case 0x0800:
		protocol, start = ip[9], at+4*int(ip[0]&15)
		p.Options, p.ID = start-at-20, be.Uint16(ip[4:])
		if n := int(be.Uint16(ip[2:])); at+n != len(f) {
			return p, fmt.Errorf("IPv4 length %d in a frame of %d bytes", n, len(f))
		}
		if sum := sum16(f[at:start], 0); sum != 0xffff {
			return p, fmt.Errorf("the IPv4 header sums to %#x", sum)
		}
	default:
		return p, fmt.Errorf("type %#x", be.Uint16(f[at-2:]))
	}
	p.UDP = protocol == 17
	if sum := sum16(f[start:], pseudo(f, p.V6, at, start, protocol)); sum != 0xffff {
		return p, fmt.Errorf("the transport packet of %d bytes sums to %#x", len(f)-start, sum)
	}
	if p.UDP {
		p.Payload = f[start+8:]
		if n := int(be.Uint16(f[start+4:])); n != len(f)-start {
			return p, fmt.Errorf("UDP length %d of %d bytes", n, len(f)-start)
		}
		return p, nil
	}
	n := 4 * int(f[start+12]>>4)
	p.TCPOptions, p.Flags, p.Seq = n-20, f[start+13], be.Uint32(f[start+4:])
	p.Payload = f[start+n:]
	return p, nil
}

// pseudo returns the sum of the pseudo-header of the packet of which the IP header begins
// at ip and the transport header at start.
func pseudo(f []byte, v6 bool, ip, start int, protocol byte) uint16 {
	addresses := f[ip+12 : ip+20]
	if v6 {
		addresses = f[ip+8 : ip+40]
	}
	n := len(f) - start
	return sum16(addresses, sum16([]byte{0, protocol, 0, byte(n >> 16), byte(n >> 8), byte(n)}, 0))
}

// sum16 adds the 16-bit words of b in ones' complement, two bytes at a time.
func sum16(b []byte, sum uint16) uint16 {
	s := uint32(sum)
	for i := range b {
		if i%2 == 0 {
			s += uint32(b[i]) << 8
		} else {
			s += uint32(b[i])
		}
		s = s&0xffff + s>>16
	}
	return uint16(s)
}

// CompleteSum completes the checksum at start+offset of a frame, as a device does.
func CompleteSum(f []byte, start, offset int) {
	sum := ^sum16(f[start:], 0)
	if sum == 0 {
		sum = 0xffff
	}
	be.PutUint16(f[start+offset:], sum)
}
