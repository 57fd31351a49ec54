package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	protoHop   = 0
	protoRoute = 43
	protoFrag  = 44
	protoAuth  = 51
	protoDest  = 60

	// maxExtensions bounds the walk through the extension headers of a packet.
	maxExtensions = 8
	homeAddress   = 0xc9 // the option in a destination options header
)

// tuple is what of a packet a hash can be calculated over. Slices are in the frame.
type tuple struct {
	version    int // 4, 6, or 0 if it is no IP packet
	src, dst   []byte
	home       []byte // of the home address option, or src
	route      []byte // of a routing header of type 2, or dst
	extensions bool   // IPv6 with extension headers
	proto      byte   // protoTCP or protoUDP if ports is not nil
	ports      []byte // both, in the order of the packet
	next       byte   // the protocol of payload
	payload    []byte // what follows the headers of IP, unless the packet is a fragment
	buf        [hashInput]byte
}

// parse takes a frame apart, behind up to two VLAN tags. A fragment has no ports here,
// not even the first one: all fragments of a packet get the same hash.
func (t *tuple) parse(frame []byte) {
	if len(frame) < etherHeader {
		return
	}
	at, ethertype := etherHeader, binary.BigEndian.Uint16(frame[12:])
	for tags := 0; tags < 2 && (ethertype == etherVLAN || ethertype == etherQinQ) && len(frame) >= at+vlanTag; tags++ {
		ethertype = binary.BigEndian.Uint16(frame[at+2:])
		at += vlanTag
	}
	t.parseIP(ethertype, frame[at:])
}

// parseIP takes the packet in a frame of this type apart.
func (t *tuple) parseIP(ethertype uint16, ip []byte) {
	switch {
	case ethertype == etherIPv4 && len(ip) >= 20 && ip[0]>>4 == 4:
		t.parseIPv4(ip)
	case ethertype == etherIPv6 && len(ip) >= 40 && ip[0]>>4 == 6:
		t.parseIPv6(ip)
	}
}

func (t *tuple) parseIPv4(ip []byte) {
	t.version, t.src, t.dst = 4, ip[12:16], ip[16:20]
	fragment := binary.BigEndian.Uint16(ip[6:])&0x3fff != 0 // more fragments, or an offset
	if n := int(ip[0]&15) * 4; n >= 20 && !fragment {
		t.transport(ip, n, ip[9])
	}
}

func (t *tuple) parseIPv6(ip []byte) {
	t.version, t.src, t.dst = 6, ip[8:24], ip[24:40]
	t.home, t.route = t.src, t.dst
	at, next := 40, ip[6]
	for range maxExtensions {
		header := ip[min(at, len(ip)):]
		switch next {
		case protoHop, protoRoute, protoFrag, protoAuth, protoDest:
			t.extensions = true
		default:
			t.transport(ip, at, next)
			return
		}
		if next == protoFrag || len(header) < 8 {
			return
		}
		n := 8 + 8*int(header[1])
		switch next {
		case protoAuth:
			n = 8 + 4*int(header[1])
		case protoRoute:
			if header[2] == 2 && len(header) >= 24 {
				t.route = header[8:24]
			}
		case protoDest:
			t.findHome(header[:min(n, len(header))])
		}
		at, next = at+n, header[0]
	}
}

// findHome looks for the home address option in a destination options header.
func (t *tuple) findHome(header []byte) {
	for at := 2; at+2 <= len(header); {
		option, n := header[at], int(header[at+1])
		if option == 0 { // one byte of padding
			at++
			continue
		}
		if option == homeAddress && n == 16 && at+18 <= len(header) {
			t.home = header[at+2 : at+18]
		}
		at += 2 + n
	}
}

// transport takes the header behind IP at an offset, and its ports if it is one of TCP or UDP.
func (t *tuple) transport(ip []byte, at int, proto byte) {
	t.next, t.payload = proto, ip[min(at, len(ip)):]
	if (proto == protoTCP || proto == protoUDP) && len(ip) >= at+4 {
		t.proto, t.ports = proto, ip[at:at+4]
	}
}

// report returns the type of the hash that is calculated if types are enabled.
func (t *tuple) report(types virtio.HashTypes) virtio.HashReport {
	first := virtio.HashReportIPv4
	switch {
	case t.version == 0:
		return virtio.HashReportNone
	case t.version == 6 && t.extensions:
		if r := t.among(virtio.HashReportIPv6Ex, types); r != virtio.HashReportNone {
			return r
		}
		first = virtio.HashReportIPv6
	case t.version == 6:
		first = virtio.HashReportIPv6
	}
	return t.among(first, types)
}

// among picks one of three types: that of addresses, which is first, of TCP and of UDP.
func (t *tuple) among(first virtio.HashReport, types virtio.HashTypes) virtio.HashReport {
	enabled := func(r virtio.HashReport) bool { return types>>(r-1)&1 != 0 }
	switch {
	case t.proto == protoTCP && enabled(first+1):
		return first + 1
	case t.proto == protoUDP && enabled(first+2):
		return first + 2
	case enabled(first):
		return first
	}
	return virtio.HashReportNone
}

// input returns the bytes that a hash of type r is calculated over.
func (t *tuple) input(r virtio.HashReport) []byte {
	src, dst := t.src, t.dst
	if r >= virtio.HashReportIPv6Ex {
		src, dst = t.home, t.route
	}
	n := copy(t.buf[:], src)
	n += copy(t.buf[n:], dst)
	switch r {
	case virtio.HashReportIPv4, virtio.HashReportIPv6, virtio.HashReportIPv6Ex:
		return t.buf[:n]
	}
	n += copy(t.buf[n:], t.ports)
	return t.buf[:n]
}
