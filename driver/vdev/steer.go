package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
	protoTCP  = 6
	protoUDP  = 17
)

// steer picks the receiveq for a frame: with RSS the one that it says; otherwise the hash
// of its flow modulo the pairs in use, which is the same in both directions of a flow. Of
// several queues one that is being reset is passed over then (5.1.9.5.5).
func (d *core) steer(frame []byte) *queue {
	switch {
	case d.rss.on:
		return d.scale(frame)
	case d.active == 1:
		return d.queues[virtio.RxQueueIndex(0)]
	}
	pair := int(flowHash(frame) % uint32(d.active))
	for range d.active - 1 {
		if d.queues[virtio.RxQueueIndex(pair)].alive {
			break
		}
		pair = (pair + 1) % d.active
	}
	return d.queues[virtio.RxQueueIndex(pair)]
}

// flowHash mixes addresses, protocol and ports of an IP packet, such that both
// directions of a flow get the same number. Other frames get 0.
func flowHash(frame []byte) uint32 {
	if len(frame) < etherHeader {
		return 0
	}
	at, ethertype := 12, binary.BigEndian.Uint16(frame[12:])
	if ethertype == 0x8100 && len(frame) >= etherHeader+vlanTag {
		at, ethertype = 16, binary.BigEndian.Uint16(frame[16:])
	}
	ip := frame[at+2:]
	switch {
	case ethertype == etherIPv4 && len(ip) >= 20:
		h := binary.LittleEndian.Uint32(ip[12:]) ^ binary.LittleEndian.Uint32(ip[16:])
		return mix(h ^ ports(ip, int(ip[0]&15)*4, ip[9]))
	case ethertype == etherIPv6 && len(ip) >= 40:
		var h uint32
		for i := 8; i < 40; i += 4 {
			h ^= binary.LittleEndian.Uint32(ip[i:])
		}
		return mix(h ^ ports(ip, 40, ip[6]))
	}
	return 0
}

// ports is the protocol with both port numbers where it has some, in no order.
func ports(ip []byte, at int, proto byte) uint32 {
	h := uint32(proto)
	if (proto == protoTCP || proto == protoUDP) && len(ip) >= at+4 {
		h ^= uint32(binary.LittleEndian.Uint16(ip[at:])^binary.LittleEndian.Uint16(ip[at+2:])) << 8
	}
	return h
}

// mix spreads differences in any bit over all of them.
func mix(h uint32) uint32 {
	h ^= h >> 16
	h *= 0x7feb352d
	h ^= h >> 15
	h *= 0x846ca68b
	return h ^ h>>16
}
