package mbuf

import (
	"fmt"
	"math"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// ChecksumState says what is known about the checksum of a packet's transport header,
// TCP or UDP.
type ChecksumState uint8

const (
	// ChecksumUnknown means that nothing is known: the application has to verify the
	// checksum if it matters.
	ChecksumUnknown ChecksumState = iota
	// ChecksumGood means that the device has verified it.
	ChecksumGood
	// ChecksumPartial means that the checksum field has only the sum of the pseudo-header:
	// a packet that came from another guest or process and was never on a cable, so that
	// its data can be relied on, or one for which RequestChecksum was called. A transmit
	// queue completes the checksum, or has the device do it.
	ChecksumPartial
)

// String returns "unknown", "good" or "partial".
func (s ChecksumState) String() string {
	switch s {
	case ChecksumUnknown:
		return "unknown"
	case ChecksumGood:
		return "good"
	case ChecksumPartial:
		return "partial"
	}
	return fmt.Sprintf("ChecksumState(%d)", uint8(s))
}

// Segmentation is a way to cut a packet into several frames: a value of gso_type in the
// header of a packet (5.1.9), without the bit for ECN.
type Segmentation uint8

const (
	SegmentNone  Segmentation = virtio.GSONone  // the packet is one frame
	SegmentTCPv4 Segmentation = virtio.GSOTCPv4 // TCP over IPv4
	SegmentTCPv6 Segmentation = virtio.GSOTCPv6 // TCP over IPv6
	SegmentUDP   Segmentation = virtio.GSOUDPL4 // UDP over IPv4 or IPv6, a datagram for each segment
)

// String returns the name of the way: "none", "TCPv4", "TCPv6" or "UDP".
func (s Segmentation) String() string {
	switch s {
	case SegmentNone:
		return "none"
	case SegmentTCPv4:
		return "TCPv4"
	case SegmentTCPv6:
		return "TCPv6"
	case SegmentUDP:
		return "UDP"
	}
	return fmt.Sprintf("Segmentation(%d)", uint8(s))
}

// checksumField returns how far the checksum field is from the start of the transport
// header.
func (s Segmentation) checksumField() uint16 {
	if s == SegmentUDP {
		return udpChecksum
	}
	return tcpChecksum
}

const (
	udpChecksum = 6  // offset of the checksum in a UDP header
	tcpChecksum = 16 // and in a TCP header
)

// Checksum returns what is known about the checksum of the packet that begins with b. A
// port reports more than [ChecksumUnknown] if it has negotiated GUEST_CSUM.
func (b *Buf) Checksum() ChecksumState {
	if o := b.offload(); o != nil {
		return o.State
	}
	return ChecksumUnknown
}

// PartialChecksum returns where the checksum of the packet has to be completed: it covers
// the packet from start to its end, and its field is offset bytes behind start. ok is
// false unless [Buf.Checksum] returns [ChecksumPartial].
func (b *Buf) PartialChecksum() (start, offset int, ok bool) {
	o := b.offload()
	if o == nil || o.State != ChecksumPartial {
		return 0, 0, false
	}
	return int(o.Start) - int(b.view.Offset()), int(o.Offset), true
}

// Segmentation returns how the packet that begins with b is to be cut into frames, or
// which frames a device that received it has merged. [SegmentNone] means that it is one
// frame.
func (b *Buf) Segmentation() Segmentation {
	if o := b.offload(); o != nil {
		return o.Kind
	}
	return SegmentNone
}

// SegmentSize returns how many bytes of payload each of these frames has, but for the
// last one, which may have fewer. It is 0 if the packet is one frame.
func (b *Buf) SegmentSize() int {
	if o := b.offload(); o != nil {
		return int(o.Size)
	}
	return 0
}

// Hash returns the hash that the device computed over the addresses, and ports, of the
// received packet that begins with b, and over which of them. A port that has not
// negotiated HASH_REPORT, or a packet of another kind, has 0 and
// [virtio.HashReportNone].
func (b *Buf) Hash() (uint32, virtio.HashReport) {
	if o := b.offload(); o != nil {
		return o.Hash, virtio.HashReport(o.Report)
	}
	return 0, virtio.HashReportNone
}

// Coalesced returns how many TCP segments a device has merged into the received packet
// that begins with b, and how many duplicate acknowledgements it has left out (5.1.9.4). ok
// is false for a packet that was not merged, and unless the port has negotiated RSC_EXT.
func (b *Buf) Coalesced() (segments, duplicateACKs int, ok bool) {
	o := b.offload()
	if o == nil || !o.Coalesced {
		return 0, 0, false
	}
	c := b.pool.coalesced[b.index]
	return int(c.Segments), int(c.DuplicateACKs), true
}

// RequestChecksum asks for the checksum of the packet that begins with b to be completed
// when it is sent: the sum of the packet from byte start to its end goes into the 16 bits
// that are offset bytes behind start. These must have the sum of the pseudo-header, not
// complemented, as for TCP and UDP [Buf.PrepareChecksum] puts it there. Bytes are counted
// from the destination address on, as long as the packet begins where it does now:
// Prepend and Adj do not move what is to be summed.
//
// The device does it if CSUM was negotiated, otherwise the transmit queue. An [*Error]
// says that the field is not in the packet, or b not held; then nothing is changed.
func (b *Buf) RequestChecksum(start, offset int) error {
	if !b.inFirst(start, offset) {
		if err := b.checkChecksum("request checksum", start, offset); err != nil {
			return err
		}
	}
	b.request(uint32(start), uint16(offset), 0, SegmentNone)
	return nil
}

// RequestSegmentation asks for the packet that begins with b to be cut into frames of
// size bytes of payload each, 1 to 65535, when it is sent, the way that kind says. start
// is where its TCP or UDP header begins; the checksum field of that must have the sum of
// the pseudo-header for the whole packet. [Buf.PrepareSegmentation] sees to all of that.
//
// It includes the request for the checksum of each frame. The device does it if the
// feature for that kind was negotiated: HOST_TSO4, HOST_TSO6 or HOST_USO. Otherwise the
// transmit queue does. An [*Error] says what is wrong; then nothing is changed.
func (b *Buf) RequestSegmentation(kind Segmentation, start, size int) error {
	const op = "request segmentation"
	switch {
	case kind != SegmentTCPv4 && kind != SegmentTCPv6 && kind != SegmentUDP:
		return &Error{Op: op, Field: "kind", Value: kind, Reason: "no packet is cut that way",
			Remedy: "it is SegmentTCPv4, SegmentTCPv6 or SegmentUDP"}
	case size < 1 || size > math.MaxUint16:
		return &Error{Op: op, Field: "size", Value: size, Reason: "not between 1 and 65535",
			Remedy: "the MTU less the headers of IP and TCP or UDP is usual"}
	}
	offset := kind.checksumField()
	if !b.inFirst(start, int(offset)) {
		if err := b.checkChecksum(op, start, int(offset)); err != nil {
			return err
		}
	}
	b.request(uint32(start), offset, uint16(size), kind)
	return nil
}

// inFirst reports whether a checksum field is in the first segment, as nearly all are, and
// can be said in the header of a packet.
func (b *Buf) inFirst(start, offset int) bool {
	return uint(start) <= math.MaxUint16 && uint(offset) <= math.MaxUint16 &&
		uint(start)+uint(offset)+2 <= uint(b.view.Len()) && b.view != notHeld
}

// checkChecksum refuses a checksum field that is not in the packet, or cannot be said in
// the header of a packet.
func (b *Buf) checkChecksum(op string, start, offset int) error {
	if b.view == notHeld {
		return errNotHeld(op)
	}
	n := b.PacketLen()
	if start < 0 || start > math.MaxUint16 || start >= n {
		return &Error{Op: op, Field: "start", Value: start,
			Reason: fmt.Sprintf("the packet has %d bytes", n)}
	}
	if offset < 0 || offset > math.MaxUint16 || start+offset+2 > n {
		return &Error{Op: op, Field: "offset", Value: offset,
			Reason: fmt.Sprintf("the packet has %d bytes behind byte %d", n-start, start)}
	}
	return nil
}

// errNotHeld is the error of an offload for a packet that is not the application's.
func errNotHeld(op string) error {
	return &Error{Op: op, Reason: "the buffer is not held by the application: it was freed or sent"}
}

// request puts a request into the record, and leaves a hash there.
func (b *Buf) request(start uint32, offset, size uint16, kind Segmentation) {
	o := &b.pool.offloads[b.index]
	if b.view&viewDescribed == 0 {
		o.Hash, o.Report, o.Coalesced = 0, 0, false
	}
	o.Start, o.Offset, o.Size = b.view.Offset()+start, offset, size
	o.Kind, o.State = kind, ChecksumPartial
	b.view |= viewDescribed | viewRequest
}

// ClearOffload takes back what RequestChecksum and RequestSegmentation have asked for, and
// forgets what a device has said about the packet.
func (b *Buf) ClearOffload() {
	if b.view != notHeld {
		b.view &^= viewDescribed | viewRequest
	}
}

// offload returns the record of b, nil if it means nothing.
func (b *Buf) offload() *DriverOffload {
	if b.view&viewDescribed == 0 || b.view == notHeld {
		return nil
	}
	return &b.pool.offloads[b.index]
}

// copyOffload gives b the record of the packet that it is a copy of.
func (b *Buf) copyOffload(packet *Buf) {
	if o := packet.offload(); o != nil {
		moved := *o
		moved.Start += b.view.Offset() - packet.view.Offset()
		if o.Coalesced {
			b.pool.coalesced[b.index] = packet.pool.coalesced[packet.index]
		}
		Driver(b).Describe(&moved)
	}
}

// DriverOffload is the record of a [Buf]: what a device said about a received packet, and
// what is to be done with one that is sent.
type DriverOffload struct {
	Start     uint32 // of what the checksum covers, in bytes from the start of the room
	Hash      uint32
	Offset    uint16 // of the checksum field, from Start on
	Size      uint16 // of a segment's payload, 0 for a packet that is one frame
	Report    uint8  // a virtio.HashReport
	Coalesced bool   // there is a DriverCoalesced
	Kind      Segmentation
	State     ChecksumState
}

// DriverCoalesced is what a device says about a packet that it has merged.
type DriverCoalesced struct{ Segments, DuplicateACKs uint16 }

// Describe gives b, which the application holds, this record.
func (b *DriverBuf) Describe(o *DriverOffload) {
	b.pool.offloads[b.index] = *o
	b.view |= viewDescribed
	if o.State == ChecksumPartial || o.Kind != SegmentNone {
		b.view |= viewRequest
	}
}

// SetCoalesced gives b what a record with Coalesced refers to.
func (b *DriverBuf) SetCoalesced(c DriverCoalesced) { b.pool.coalesced[b.index] = c }

// Request returns the record of b, nil if the packet can be sent as it is.
func (b *DriverBuf) Request() *DriverOffload {
	if b.view&viewRequest == 0 || b.view == notHeld {
		return nil
	}
	return &b.pool.offloads[b.index]
}
