package main

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// newICMPEcho answers ARP requests and ICMP echo requests, and frees all else.
func newICMPEcho(s *stream, _ *plan) func() bool { return s.icmpEcho }

func (s *stream) icmpEcho() bool {
	got := s.receive()
	if len(got) == 0 {
		return false
	}
	n := 0 // answers, which move to the front
	for i, b := range got {
		if s.answer(b) {
			got[n] = b
			n++
			continue
		}
		s.cache.Put(got[i : i+1])
	}
	if n > 0 {
		s.send(n)
	}
	return true
}

// answer makes the answer of a request, and reports whether it was one.
func (s *stream) answer(b *mbuf.Buf) bool {
	data := b.Data()
	l := frame.Parse(data)
	switch {
	case l.Type == frame.TypeARP:
		return s.answerARP(data, l.L2Len)
	case l.Type == frame.TypeIPv4 && l.Proto == frame.ProtoICMP && l.L4Len > 0:
		return s.answerEcho(b, &l)
	}
	return false
}

// answerARP answers a request for any IPv4 address with that of the port.
func (s *stream) answerARP(data []byte, at int) bool {
	const (
		length  = 28
		request = 1
		reply   = 2
	)
	arp := data[at:]
	if len(arp) < length || binary.BigEndian.Uint16(arp) != 1 || binary.BigEndian.Uint16(arp[2:]) != frame.TypeIPv4 ||
		arp[4] != 6 || arp[5] != 4 || binary.BigEndian.Uint16(arp[6:]) != request {
		return false
	}
	mac := s.mac
	copy(data[0:6], data[6:12])
	copy(data[6:12], mac[:])
	binary.BigEndian.PutUint16(arp[6:], reply)
	sender, target := arp[8:18], arp[18:28] // an Ethernet and an IPv4 address each
	var asked [4]byte
	copy(asked[:], target[6:])
	copy(target, sender)
	copy(sender, mac[:])
	copy(sender[6:], asked[:])
	return true
}

// answerEcho turns an echo request into its reply. The checksum of ICMP changes by as much as its
// type does.
func (s *stream) answerEcho(b *mbuf.Buf, l *frame.Layers) bool {
	const request, reply = 8, 0
	data := b.Data()
	ip := data[l.L2Len:]
	icmp := ip[l.L3Len:]
	if icmp[0] != request || icmp[1] != 0 || data[0]&1 != 0 {
		return false
	}
	for i := range 6 {
		data[i], data[6+i] = data[6+i], data[i]
	}
	exchange(ip[12:16], ip[16:20])
	icmp[0] = reply
	sum := uint32(binary.BigEndian.Uint16(icmp[2:])) + request<<8
	binary.BigEndian.PutUint16(icmp[2:], uint16(sum+sum>>16))
	return true
}
