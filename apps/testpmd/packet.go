package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// dumpPacket shows a packet that was received, or that is sent, on a line, and what the device does
// with it on another, as testpmd does.
func dumpPacket(b *strings.Builder, queue int, sent bool, buf *mbuf.Buf) {
	data := buf.Data()
	l := frame.Parse(data)
	if l.L2Len == 0 {
		fmt.Fprintf(b, "  shorter than an Ethernet header - length=%d\n", buf.PacketLen())
		return
	}
	fmt.Fprintf(b, "  src=%s - dst=%s - pool=mb_pool_0 - type=0x%04x - length=%d - nb_segs=%d",
		address(data[6:12]), address(data[:6]), binary.BigEndian.Uint16(data[12:]), buf.PacketLen(), segments(buf))
	if l.VLANs > 0 {
		fmt.Fprintf(b, " - VLAN tci=0x%x", binary.BigEndian.Uint16(data[14:]))
	}
	fmt.Fprintf(b, " - sw ptype: %s  - l2_len=%d", packetType(&l), l.L2Len)
	if l.L3Len > 0 {
		fmt.Fprintf(b, " - l3_len=%d", l.L3Len)
	}
	if l.L4Len > 0 {
		fmt.Fprintf(b, " - l4_len=%d", l.L4Len)
	}
	if sent {
		fmt.Fprintf(b, " - Send queue=0x%x\n  ol_flags: %s \n", queue, sendFlags(&l, buf))
		return
	}
	fmt.Fprintf(b, " - Receive queue=0x%x\n", queue)
	fmt.Fprintf(b, "  ol_flags: RTE_MBUF_F_RX_L4_CKSUM_%[1]s RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN RTE_MBUF_F_RX_OUTER_L4_CKSUM_UNKNOWN \n", checksumState(buf))
}

// sendFlags names what the device is to do with a packet that is sent.
func sendFlags(l *frame.Layers, buf *mbuf.Buf) string {
	switch {
	case buf.Segmentation() == mbuf.SegmentUDP:
		return "RTE_MBUF_F_TX_UDP_CKSUM RTE_MBUF_F_TX_UDP_SEG"
	case buf.Segmentation() != mbuf.SegmentNone:
		return "RTE_MBUF_F_TX_TCP_CKSUM RTE_MBUF_F_TX_TCP_SEG"
	case buf.Checksum() != mbuf.ChecksumPartial:
		return "RTE_MBUF_F_TX_L4_NO_CKSUM"
	case l.Proto == frame.ProtoUDP:
		return "RTE_MBUF_F_TX_UDP_CKSUM"
	}
	return "RTE_MBUF_F_TX_TCP_CKSUM"
}

// checksumState returns what the device said of the checksum of L4.
func checksumState(buf *mbuf.Buf) string {
	switch buf.Checksum() {
	case mbuf.ChecksumGood:
		return "GOOD"
	case mbuf.ChecksumPartial:
		return "NONE"
	}
	return "UNKNOWN"
}

// packetType names the headers of a packet with the words of DPDK.
func packetType(l *frame.Layers) string {
	words := []string{"L2_ETHER"}
	switch {
	case l.VLANs > 1:
		words[0] = "L2_ETHER_QINQ"
	case l.VLANs == 1:
		words[0] = "L2_ETHER_VLAN"
	}
	switch {
	case l.Type == frame.TypeIPv4 && l.L3Len > 20:
		words = append(words, "L3_IPV4_EXT")
	case l.Type == frame.TypeIPv4 && l.L3Len > 0:
		words = append(words, "L3_IPV4")
	case l.Type == frame.TypeIPv6 && l.L3Len > 0:
		words = append(words, "L3_IPV6")
	}
	switch {
	case l.Fragment:
		words = append(words, "L4_FRAG")
	case l.L4Len == 0:
	case l.Proto == frame.ProtoTCP:
		words = append(words, "L4_TCP")
	case l.Proto == frame.ProtoUDP:
		words = append(words, "L4_UDP")
	case l.Proto == frame.ProtoSCTP:
		words = append(words, "L4_SCTP")
	}
	return strings.Join(words, " ")
}

// segments returns how many buffers a packet is made of.
func segments(buf *mbuf.Buf) int {
	n := 0
	for ; buf != nil; buf = buf.Next() {
		n++
	}
	return n
}

// address writes an Ethernet address as DPDK does.
func address(mac []byte) string { return strings.ToUpper(net.HardwareAddr(mac).String()) }
