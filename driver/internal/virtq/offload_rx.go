package virtq

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// MinLargeRoom is the least data room of receive buffers without MRG_RXBUF if the device may
// merge packets, in bytes: 65601 with a header of 12 (5.1.9.3.1).
const MinLargeRoom = 65589

// rxOffload is what a device may say about a received packet in its header.
type rxOffload struct {
	describes bool     // it may say anything: headers are read
	flags     uint64   // what makes the first word of a header worth looking at, 0 for nothing
	hashes    bool     // HASH_REPORT
	large     kindMask // how packets may have been merged
	coalesced bool     // RSC_EXT: csum_start and csum_offset of those say of what
}

// kindMask is a set of segmentations.
type kindMask uint8

// has reports whether a kind, which may have any value, is among them.
func (m kindMask) has(kind mbuf.Segmentation) bool { return kind < 8 && m>>kind&1 != 0 }

// kindsOf returns the kinds of which f has the features.
func kindsOf(f virtio.Features, kinds map[virtio.Feature]mbuf.Segmentation) kindMask {
	var m kindMask
	for feature, kind := range kinds {
		if f.Has(feature) {
			m |= 1 << kind
		}
	}
	return m
}

func newRxOffload(f virtio.Features) rxOffload {
	o := rxOffload{hashes: f.Has(virtio.NetHashReport)}
	if f.Has(virtio.NetGuestCSUM) {
		o.flags = virtio.NetHeaderNeedsCsum | virtio.NetHeaderDataValid | 0xff<<(8*virtio.NetHeaderGSOType)
		o.large = kindsOf(f, map[virtio.Feature]mbuf.Segmentation{
			virtio.NetGuestTSO4: mbuf.SegmentTCPv4,
			virtio.NetGuestTSO6: mbuf.SegmentTCPv6,
			virtio.NetGuestUSO4: mbuf.SegmentUDP,
			virtio.NetGuestUSO6: mbuf.SegmentUDP,
		})
		o.coalesced = f.Has(virtio.NetRSCExt)
	}
	o.describes = o.hashes || o.flags != 0
	return o
}

// leastSingle returns the least room for a frame if it must fit one buffer.
func (o *rxOffload) leastSingle() int {
	if o.large != 0 {
		return MinLargeRoom
	}
	return minSingle
}

// describe gives received packets what the device says about them in their headers, and
// returns how many are left: the others are freed and counted.
func (r *Rx) describe(bufs []*mbuf.Buf) int {
	kept, at := 0, r.data-r.header
	for _, b := range bufs {
		// The device may write the header at any time. Each field is read once.
		h := (*[virtio.NetHeaderHashLen]byte)(mbuf.Driver(b).Room()[at:])
		var o mbuf.DriverOffload
		said := false
		if r.hashes {
			report := virtio.HashReport(binary.LittleEndian.Uint16(h[virtio.NetHeaderHashReport:]))
			if report-1 < virtio.HashReportUDPv6Ex { // one of those there are
				o.Report = uint8(report)
				o.Hash = binary.LittleEndian.Uint32(h[virtio.NetHeaderHashValue:])
				said = true
			}
		}
		if word := binary.LittleEndian.Uint64(h[:]); word&r.flags != 0 {
			offset := binary.LittleEndian.Uint16(h[virtio.NetHeaderCsumOffset:])
			if !r.readOffload(&o, word, offset, b) {
				r.dropDescribed(b)
				continue
			}
			said = true
		}
		if said {
			mbuf.Driver(b).Describe(&o)
		}
		bufs[kept] = b
		kept++
	}
	return kept
}

// readOffload makes a record of the first word of a header and its csum_offset. It
// returns false if no conforming device has written them (5.1.9.4.2). hdr_len is not
// looked at.
func (r *Rx) readOffload(o *mbuf.DriverOffload, word uint64, offset uint16, b *mbuf.Buf) bool {
	kind := mbuf.Segmentation(word>>(8*virtio.NetHeaderGSOType)) &^ virtio.GSOECN
	if kind != mbuf.SegmentNone {
		o.Kind, o.Size = kind, uint16(word>>(8*virtio.NetHeaderGSOSize))
		switch {
		case !r.large.has(kind):
			return false
		case r.coalesced && word&virtio.NetHeaderRSCInfo != 0:
			return r.readCoalesced(o, word, offset, b)
		case o.Size == 0:
			return false
		}
	}
	switch {
	case word&(virtio.NetHeaderNeedsCsum|virtio.NetHeaderRSCInfo) == virtio.NetHeaderNeedsCsum:
		start := uint16(word >> (8 * virtio.NetHeaderCsumStart))
		if start < minFrame || int(start)+int(offset)+2 > b.PacketLen() {
			return false
		}
		o.State, o.Start, o.Offset = mbuf.ChecksumPartial, r.data+uint32(start), offset
		r.stats.ChecksumPartial.Add(1)
	case word&virtio.NetHeaderDataValid != 0:
		o.State = mbuf.ChecksumGood
		r.stats.ChecksumGood.Add(1)
	}
	if kind != mbuf.SegmentNone {
		r.stats.LargePackets.Add(1)
	}
	return true
}

// readCoalesced is readOffload for a packet with RSC_INFO: csum_start is how many segments
// were merged, and csum_offset how many duplicate acknowledgements. Where the checksum is
// has to be found. QEMU's device sets neither gso_size nor NEEDS_CSUM.
func (r *Rx) readCoalesced(o *mbuf.DriverOffload, word uint64, duplicateACKs uint16, b *mbuf.Buf) bool {
	segments := uint16(word >> (8 * virtio.NetHeaderCsumStart))
	var h mbuf.DriverTransport
	if !mbuf.Driver(b).Transport(&h, b.PacketLen()) || h.Kind() != o.Kind || segments == 0 || h.End == h.Payload {
		return false
	}
	if o.Size == 0 {
		o.Size = uint16((h.End - h.Payload + int(segments) - 1) / int(segments))
	}
	switch {
	case word&virtio.NetHeaderNeedsCsum != 0:
		o.State, o.Start, o.Offset = mbuf.ChecksumPartial, r.data+uint32(h.Start), h.Field()
		r.stats.ChecksumPartial.Add(1)
	case word&virtio.NetHeaderDataValid != 0:
		o.State = mbuf.ChecksumGood
		r.stats.ChecksumGood.Add(1)
	}
	o.Coalesced = true
	mbuf.Driver(b).SetCoalesced(mbuf.DriverCoalesced{Segments: segments, DuplicateACKs: duplicateACKs})
	r.stats.LargePackets.Add(1)
	return true
}

// dropDescribed frees a packet with an invalid header.
func (r *Rx) dropDescribed(b *mbuf.Buf) {
	r.bytes -= uint64(b.PacketLen())
	r.cache.Put([]*mbuf.Buf{b})
	r.stats.OffloadErrors.Add(1)
}
