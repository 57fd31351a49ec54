package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Offload is what is left to be done on a frame, as struct virtio_net_hdr says it
// (5.1.9). The zero value says that nothing is.
type Offload struct {
	// Flags are virtio.NetHeaderNeedsCsum, whose checksum is to be completed, and
	// virtio.NetHeaderDataValid, whose checksums were found to be right.
	Flags uint8
	// GSOType is virtio.GSONone or the kind of packet that is to be segmented, with
	// virtio.GSOECN if its first segment alone is to have the CWR flag.
	GSOType uint8
	// HdrLen is the length of the headers that each segment has, with the transport
	// header. GSOSize is how many bytes follow them in each but the last.
	HdrLen, GSOSize uint16
	// CsumStart is from where on the checksum is computed, CsumOffset where it goes,
	// counted from there.
	CsumStart, CsumOffset uint16
}

// OffloadBackend is a [Backend] that passes frames on together with what is left to be
// done on them. A device uses these methods in place of Transmit and Receive as soon as
// its driver has accepted an offload; one with another back end does the work itself.
type OffloadBackend interface {
	Backend
	// Takes returns the offloads that frames may have now which are transmitted, as a
	// set of GUEST_CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_ECN, GUEST_USO4 and GUEST_USO6: as
	// if the back end were a driver that receives them. On others the device does the
	// work before.
	Takes() virtio.Features
	// TransmitOffloads is Transmit for frames with offloads, as many as there are
	// frames.
	TransmitOffloads(pair int, frames [][]byte, offloads []Offload) int
	// ReceiveOffloads is Receive, and sets the offload of each frame. The device may
	// change the frames.
	ReceiveOffloads(pair int, frames [][]byte, offloads []Offload) int
	// SetOffloads says which offloads the driver takes from now on, as in Takes. It is
	// called for the first time when a driver accepts one; frames that come with others
	// the device works on itself.
	SetOffloads(f virtio.Features)
}

// Offloads of one direction, and all of them.
var (
	receiveOffloads = virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6,
		virtio.NetGuestECN, virtio.NetGuestUSO4, virtio.NetGuestUSO6)
	largeReceive  = receiveOffloads.Without(virtio.NetGuestCSUM).Without(virtio.NetGuestECN)
	largeTransmit = virtio.FeatureSet(virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostUSO)
	allOffloads   = receiveOffloads.Or(largeTransmit).With(virtio.NetCSUM).With(virtio.NetHostECN).
			With(virtio.NetGuestHdrLen).With(virtio.NetRSCExt)
)

// setReceiveOffloads says which offloads the driver takes: those of receiveOffloads that
// it accepted, until it switches some off (5.1.9.5, Offloads State). d.mu is held.
func (d *core) setReceiveOffloads(f virtio.Features) {
	d.rxOffloads = f.And(receiveOffloads)
	if d.rxOffloads.Empty() && !d.offloading || d.closed {
		return
	}
	d.offloading = true
	if d.offloader != nil {
		d.offloader.SetOffloads(d.rxOffloads)
	}
}

// offloadOf reads a header.
func offloadOf(h []byte) Offload {
	le := binary.LittleEndian
	return Offload{
		Flags: h[virtio.NetHeaderFlags], GSOType: h[virtio.NetHeaderGSOType],
		HdrLen: le.Uint16(h[virtio.NetHeaderHdrLen:]), GSOSize: le.Uint16(h[virtio.NetHeaderGSOSize:]),
		CsumStart: le.Uint16(h[virtio.NetHeaderCsumStart:]), CsumOffset: le.Uint16(h[virtio.NetHeaderCsumOffset:]),
	}
}

// put writes the offload into a header, all of it but num_buffers.
func (o *Offload) put(h []byte) {
	le := binary.LittleEndian
	h[virtio.NetHeaderFlags], h[virtio.NetHeaderGSOType] = o.Flags, o.GSOType
	le.PutUint16(h[virtio.NetHeaderHdrLen:], o.HdrLen)
	le.PutUint16(h[virtio.NetHeaderGSOSize:], o.GSOSize)
	le.PutUint16(h[virtio.NetHeaderCsumStart:], o.CsumStart)
	le.PutUint16(h[virtio.NetHeaderCsumOffset:], o.CsumOffset)
}

// putSegments has the header of a large packet of n bytes say how many segments it stands
// for, in place of where its checksum is (5.1.9.4). The device merges none itself, so that
// it has left out no duplicate acknowledgement.
func (o *Offload) putSegments(h []byte, n int) {
	le := binary.LittleEndian
	size := int(o.GSOSize)
	h[virtio.NetHeaderFlags] |= virtio.NetHeaderRSCInfo
	le.PutUint16(h[virtio.NetHeaderCsumStart:], uint16(max((n-int(o.HdrLen)+size-1)/size, 1)))
	le.PutUint16(h[virtio.NetHeaderCsumOffset:], 0)
}

// within reports whether a driver that takes the receive offloads f takes a frame as it is.
func (o *Offload) within(f virtio.Features, frame []byte) bool {
	if o.Flags == 0 && o.GSOType == virtio.GSONone {
		return true
	}
	if !f.Has(virtio.NetGuestCSUM) || o.GSOType&virtio.GSOECN != 0 && !f.Has(virtio.NetGuestECN) {
		return false
	}
	switch o.GSOType &^ virtio.GSOECN {
	case virtio.GSONone:
		return true
	case virtio.GSOTCPv4:
		return f.Has(virtio.NetGuestTSO4)
	case virtio.GSOTCPv6:
		return f.Has(virtio.NetGuestTSO6)
	case virtio.GSOUDPL4:
		if l, ok := parse(frame); ok && l.v6 {
			return f.Has(virtio.NetGuestUSO6)
		}
		return f.Has(virtio.NetGuestUSO4)
	}
	return false
}

// inside reports whether the checksum that is to be completed lies in a frame of n bytes,
// behind the Ethernet header.
func (o *Offload) inside(n int) bool {
	return o.CsumStart >= etherHeader && int(o.CsumStart)+int(o.CsumOffset)+2 <= n
}
