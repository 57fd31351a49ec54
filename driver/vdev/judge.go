package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// judge checks the header of a transmitted packet against what was negotiated and against
// the packet (5.1.9.2), and returns what is left to be done on it. It returns false if
// that cannot be done.
func (d *core) judge(q *queue, header, frame []byte) (o Offload, ok bool) {
	// The driver may change the header at any time: it is read once.
	o = offloadOf(header)
	if n := binary.LittleEndian.Uint16(header[virtio.NetHeaderNumBuffers:]); n != 0 {
		d.violate("net/tx/2", q.index, "num_buffers %d", n)
	}
	if o.Flags&(virtio.NetHeaderDataValid|virtio.NetHeaderRSCInfo) != 0 {
		d.violate("net/tx/20", q.index, "header flags %#x", o.Flags)
	}
	const known = virtio.NetHeaderNeedsCsum | virtio.NetHeaderDataValid | virtio.NetHeaderRSCInfo
	if o.Flags&^known != 0 {
		d.violate("x/net/tx-flags", q.index, "header flags %#x", o.Flags)
	}
	o.Flags &= virtio.NetHeaderNeedsCsum
	switch {
	case o.GSOType == virtio.GSONone && !d.fits(frame):
		d.violate("net/config/9", q.index, "a frame of %d bytes with an MTU of %d", len(frame), d.net.mtu)
		return o, false
	case o.GSOType == virtio.GSONone && o.Flags == 0:
		return Offload{}, true
	case o.GSOType != virtio.GSONone && !d.judgeType(q, o):
		return o, false
	case !o.inside(len(frame)):
		d.violate("net/tx/13", q.index, "csum_start %d and csum_offset %d in a frame of %d bytes",
			o.CsumStart, o.CsumOffset, len(frame))
		return o, false
	}
	h, ok := parse(frame)
	if ok {
		d.judgeChecksum(q, h, frame, o)
	}
	if o.GSOType == virtio.GSONone {
		o.HdrLen, o.GSOSize = 0, 0
		return o, true
	}
	if !ok || o.GSOType&^virtio.GSOECN != h.gso() {
		d.violate("x/net/tx-gso", q.index, "gso_type %#x of a frame of %d bytes that is something else", o.GSOType, len(frame))
		return o, false
	}
	return d.judgeSegments(q, h, frame, o), true
}

// judgeType checks a gso_type that is not NONE, without looking at the packet.
func (d *core) judgeType(q *queue, o Offload) bool {
	rule := ""
	kind := o.GSOType &^ virtio.GSOECN
	switch {
	case d.accepted.And(largeTransmit).Empty():
		rule = "net/tx/14"
	case kind == virtio.GSOTCPv4 && !d.accepted.Has(virtio.NetHostTSO4):
		rule = "net/tx/5"
	case kind == virtio.GSOTCPv6 && !d.accepted.Has(virtio.NetHostTSO6):
		rule = "net/tx/6"
	case kind == virtio.GSOUDP:
		rule = "net/tx/7"
	case kind == virtio.GSOUDPL4 && !d.accepted.Has(virtio.NetHostUSO):
		rule = "net/tx/8"
	case kind != virtio.GSOTCPv4 && kind != virtio.GSOTCPv6 && o.GSOType != virtio.GSOUDPL4:
		rule = "x/net/tx-gso"
	case o.Flags&virtio.NetHeaderNeedsCsum == 0:
		rule = "net/tx/15"
	case o.GSOSize == 0:
		rule = "net/tx/16"
	default:
		return true
	}
	d.violate(rule, q.index, "gso_type %#x, gso_size %d, header flags %#x", o.GSOType, o.GSOSize, o.Flags)
	return false
}

// judgeChecksum checks what NEEDS_CSUM demands of a TCP or UDP packet. A checksum behind
// a UDP header may be that of a packet in a tunnel.
func (d *core) judgeChecksum(q *queue, h headers, frame []byte, o Offload) {
	if !h.v6 && onesSum(frame[h.l3:h.l4]) != 0xffff {
		d.violate("net/tx/11", q.index, "the checksum of the IPv4 header is wrong")
	}
	start := int(o.CsumStart)
	if start >= h.payload && h.proto == protoUDP && o.GSOType == virtio.GSONone {
		return
	}
	if start != h.l4 || int(o.CsumOffset) != h.checksumAt() {
		d.violate("net/tx/13", q.index, "csum_start %d and csum_offset %d, where the checksum of the packet is %d and %d",
			start, o.CsumOffset, h.l4, h.checksumAt())
		return
	}
	n := h.end - h.l4
	if o.GSOType != virtio.GSONone {
		n = len(frame) - h.l4
	}
	have, want := binary.BigEndian.Uint16(frame[start+int(o.CsumOffset):]), h.pseudoHeader(frame, n)
	if !sameSum(have, want) {
		d.violate("net/tx/12", q.index, "%#04x in place of the checksum, the sum of the pseudo-header is %#04x", have, want)
	}
}

// judgeSegments checks what else a segmentation offload demands, and returns the offload
// with an exact hdr_len.
func (d *core) judgeSegments(q *queue, h headers, frame []byte, o Offload) Offload {
	switch {
	case int(o.HdrLen) != h.payload && d.accepted.Has(virtio.NetGuestHdrLen):
		d.violate("net/tx/17", q.index, "hdr_len %d, the headers have %d bytes", o.HdrLen, h.payload)
	case int(o.HdrLen) < h.payload:
		d.violate("net/tx/18", q.index, "hdr_len %d, the headers have %d bytes", o.HdrLen, h.payload)
	}
	o.HdrLen = uint16(h.payload)
	if packet := h.payload - h.l3 + min(int(o.GSOSize), len(frame)-h.payload); packet > d.net.mtu && d.accepted.Has(virtio.NetMTU) {
		d.violate("net/tx/16", q.index, "gso_size %d makes packets of %d bytes with an MTU of %d", o.GSOSize, packet, d.net.mtu)
	}
	cwr := h.proto == protoTCP && frame[h.l4+13]&tcpCWR != 0
	ecn := o.GSOType&virtio.GSOECN != 0
	switch {
	case (cwr || ecn) && !d.accepted.Has(virtio.NetHostECN):
		d.violate("net/tx/9", q.index, "gso_type %#x and CWR %v without HOST_ECN", o.GSOType, cwr)
	case cwr && !ecn:
		d.violate("net/tx/10", q.index, "a TCP packet with CWR whose gso_type is %#x", o.GSOType)
	}
	if cwr {
		o.GSOType |= virtio.GSOECN
	}
	return o
}
