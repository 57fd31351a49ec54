package virtq

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// txOffload is what the device does with packets that are sent.
type txOffload struct {
	offloads bool        // anything, or headers are longer: the queue has loops of its own
	checksum bool        // CSUM
	large    kindMask    // what it cuts into frames
	ecn      bool        // HOST_ECN
	pieces   []*mbuf.Buf // what a packet is cut into, nil until one is
}

func newTxOffload(cfg *Config) txOffload {
	f := cfg.Features
	o := txOffload{checksum: f.Has(virtio.NetCSUM), ecn: f.Has(virtio.NetHostECN)}
	if o.checksum {
		o.large = kindsOf(f, map[virtio.Feature]mbuf.Segmentation{
			virtio.NetHostTSO4: mbuf.SegmentTCPv4,
			virtio.NetHostTSO6: mbuf.SegmentTCPv6,
			virtio.NetHostUSO:  mbuf.SegmentUDP,
		})
	}
	o.offloads = o.checksum || cfg.HeaderLen != headerLen
	return o
}

// fillPackedOffload is fillPacked for headers of any length, and packets with a record.
func (t *Tx) fillPackedOffload(d []desc, in []*mbuf.Buf, tag uint64) (int, uint64) {
	in = in[:len(d)]
	bytes, checksums := uint64(0), uint64(0)
	n := 0
	for i := range d {
		b := in[i]
		off, size, requests, ok := t.front(b)
		if !ok {
			break
		}
		mbuf.Driver(b).Consume()
		d[i].addr = mbuf.Driver(b).RoomIOVA() + uint64(off)
		publish64(&d[i].meta, tag|uint64(size+t.header))
		tag += packedNextID
		bytes += uint64(size)
		checksums += requests
		n++
	}
	t.countChecksums(checksums)
	return n, bytes
}

// fillSplitOffload is fillSplit for headers of any length, and packets with a record.
func (t *Tx) fillSplitOffload(d []desc, in []*mbuf.Buf) (int, uint64) {
	in = in[:len(d)]
	bytes, checksums := uint64(0), uint64(0)
	n := 0
	for i := range d {
		b := in[i]
		off, size, requests, ok := t.front(b)
		if !ok {
			break
		}
		mbuf.Driver(b).Consume()
		d[i] = desc{
			addr: mbuf.Driver(b).RoomIOVA() + uint64(off),
			meta: uint64(size + t.header),
		}
		bytes += uint64(size)
		checksums += requests
		n++
	}
	t.countChecksums(checksums)
	return n, bytes
}

// countChecksums counts packets with a request that the device is to fulfil.
func (t *Tx) countChecksums(n uint64) {
	if n > 0 {
		t.stats.Checksums.Add(n)
	}
}

// front writes the header of a packet of one buffer of the cache's pool, which is sent
// as it is or with its checksum completed by the device. It returns where in the room
// the header begins, the length of the frame, and how many requests it has, 0 or 1. ok
// is false for another packet.
func (t *Tx) front(b *mbuf.Buf) (off, size uint32, requests uint64, ok bool) {
	if b == nil || b.Pool() != t.fast.pool || b.Next() != nil {
		return 0, 0, 0, false
	}
	v := mbuf.Driver(b).View()
	off, size = v.Offset(), v.Len()
	if size-minFrame > t.fast.span || off < t.header {
		return 0, 0, 0, false
	}
	h := mbuf.Driver(b).Room()[off-t.header : off]
	o := mbuf.Driver(b).Request()
	if o == nil {
		clearHeader(b, h)
		return off - t.header, size, 0, true
	}
	start := o.Start - off
	if !t.checksum || o.Kind != mbuf.SegmentNone || start > min(size, maxStart) ||
		start+uint32(o.Offset)+2 > size {
		return 0, 0, 0, false
	}
	putHeader(b, h, checksumWord(start), o.Offset)
	return off - t.header, size, 1, true
}

// maxStart is the largest csum_start.
const maxStart = 1<<16 - 1

// clearHeader makes the header h of b all zeros, and leaves a clean one alone as
// zeroHeader does.
func clearHeader(b *mbuf.Buf, h []byte) {
	dirty := uint64(0)
	for at := 0; at+4 <= len(h); at += 4 {
		dirty |= uint64(binary.LittleEndian.Uint32(h[at:]))
	}
	if dirty != 0 {
		clear(h)
		mbuf.Driver(b).SetHeaderDirty(true)
	}
}

// putHeader writes the first eight bytes of a header h of b, its csum_offset, and zeros.
func putHeader(b *mbuf.Buf, h []byte, word uint64, offset uint16) {
	binary.LittleEndian.PutUint64(h, word)
	binary.LittleEndian.PutUint32(h[virtio.NetHeaderCsumOffset:], uint32(offset))
	clear(h[virtio.NetHeaderLen:])
	mbuf.Driver(b).SetHeaderDirty(true)
}

// cuts reports whether the device can cut a packet of total bytes, of which h is the header,
// into frames with size bytes of payload.
func (t *Tx) cuts(h *mbuf.DriverTransport, kind mbuf.Segmentation, size, total int) bool {
	return h.Kind() == kind && size != 0 && h.Payload+size < total && h.End == total && h.Start <= maxStart &&
		t.large.has(kind) && (!h.CWR || t.ecn)
}

// checksumWord returns the first word of a header that asks for a checksum.
func checksumWord(start uint32) uint64 {
	return virtio.NetHeaderNeedsCsum | uint64(start)<<(8*virtio.NetHeaderCsumStart)
}

// largeWord returns the first word of a header that asks for frames of size bytes of
// payload.
func largeWord(h *mbuf.DriverTransport, kind mbuf.Segmentation, size int) uint64 {
	gso := uint64(kind)
	if h.CWR {
		gso |= virtio.GSOECN
	}
	return checksumWord(uint32(h.Start)) |
		gso<<(8*virtio.NetHeaderGSOType) |
		uint64(h.Payload)<<(8*virtio.NetHeaderHdrLen) |
		uint64(size)<<(8*virtio.NetHeaderGSOSize)
}

// sendRequest sends a packet with a request, of which t.segs are the descriptors. What
// the device cannot do is done here. It returns false if there is no room for it now.
func (t *Tx) sendRequest(b *mbuf.Buf) bool {
	o := mbuf.Driver(b).Request()
	if o.Kind != mbuf.SegmentNone {
		return t.sendLarge(b, o)
	}
	start := int64(o.Start) - int64(mbuf.Driver(b).View().Offset())
	why := t.checkLength(b, t.total)
	if start < 0 || start > maxStart || start+int64(o.Offset)+2 > int64(t.total) {
		why = &t.stats.OffloadDrops
	}
	if why != nil {
		t.discard(b, why)
		return true
	}
	if !t.checksum {
		if b.CompleteChecksum() {
			t.stats.SoftwareChecksums.Add(1)
		}
		return t.postPlain(b)
	}
	if !t.postWithHeader(b, checksumWord(uint32(start)), o.Offset) {
		return false
	}
	t.stats.Checksums.Add(1)
	return true
}

// postWithHeader is postSlow with a header of its own. It goes in front of the frame, or
// in a buffer of its own if there is no room.
func (t *Tx) postWithHeader(b *mbuf.Buf, word uint64, offset uint16) bool {
	if off := mbuf.Driver(b).View().Offset(); off >= t.header {
		putHeader(b, mbuf.Driver(b).Room()[off-t.header:off], word, offset)
		return t.postSlow(b)
	}
	h := (*mbuf.Cache)(t.cache).GetOne()
	if h == nil {
		return false
	}
	room := mbuf.Driver(h).Room()
	if len(room) < int(t.header) {
		t.cache.Put([]*mbuf.Buf{h})
		t.discard(b, &t.stats.OffloadDrops)
		return true
	}
	putHeader(h, room[:t.header], word, offset)
	t.segs[0].Address = mbuf.Driver(h).RoomIOVA()
	h.SetNext(b)
	if t.postSlow(h) {
		return true
	}
	h.SetNext(nil)
	t.cache.Put([]*mbuf.Buf{h})
	return false
}

// sendLarge sends a packet that is to be cut into frames.
func (t *Tx) sendLarge(b *mbuf.Buf, o *mbuf.DriverOffload) bool {
	kind, size := o.Kind, int(o.Size)
	var h mbuf.DriverTransport
	if !mbuf.Driver(b).Transport(&h, t.total) || h.Kind() != kind || size == 0 || h.End != t.total || t.total > longestPacket ||
		h.Start > maxStart {
		t.discard(b, &t.stats.OffloadDrops)
		return true
	}
	// What was received from another device may say it differently, or have the wrong sum
	// in the checksum field: DPDK leaves the length out.
	mbuf.Driver(b).RequestSegmentation(&h, size)
	if why := t.checkLength(b, min(h.Payload+size, t.total)); why != nil {
		t.discard(b, why)
		return true
	}
	payload := t.total - h.Payload
	if payload <= size { // one frame
		if b.PrepareChecksum() != nil {
			t.discard(b, &t.stats.OffloadDrops)
			return true
		}
		return t.sendRequest(b)
	}
	if !t.large.has(kind) || h.CWR && !t.ecn {
		return t.sendPieces(b, &h, size)
	}
	if !t.postWithHeader(b, largeWord(&h, kind, size), mbuf.Driver(b).Request().Offset) {
		return false
	}
	t.stats.LargePackets.Add(1)
	return true
}

// sendPieces cuts a packet into frames and sends these. It counts one packet.
func (t *Tx) sendPieces(b *mbuf.Buf, h *mbuf.DriverTransport, size int) bool {
	n := (t.total - h.Payload + size - 1) / size
	pool := t.cache.Pool()
	each := (h.Payload + size + pool.DataRoom() - 1) / pool.DataRoom()
	segs := each
	if pool.Headroom() < int(t.header) {
		segs++
	}
	descs := n * needs(segs, t.indirectSize)
	if descs > t.size() || n*each > pool.Size() {
		t.discard(b, &t.stats.OffloadDrops)
		return true
	}
	fits := func() bool {
		return descs <= t.free() && (t.bufs == 0 || t.bufs+n*each <= t.limit)
	}
	if !fits() {
		t.reclaim()
		if t.idle() || !fits() {
			return false
		}
	}
	if t.pieces == nil {
		t.pieces = make([]*mbuf.Buf, t.size())
	}
	pieces := t.pieces[:n]
	if !t.cache.Segment(b, h, size, pieces) {
		t.discard(b, &t.stats.OffloadDrops)
		return true
	}
	packets, bytes := t.packets+1, t.bytes+uint64(t.total)
	for _, f := range pieces {
		if !t.sendSlow(f) {
			t.discard(f, &t.stats.OffloadDrops)
		}
	}
	t.packets, t.bytes = packets, bytes
	t.stats.SoftwareLarge.Add(1)
	t.stats.SoftwareFrames.Add(uint64(n))
	t.cache.Put([]*mbuf.Buf{b})
	return true
}
