package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// deliverOffload is deliverNext with offloads: a frame that the driver does not take as it
// is gets a complete checksum or is cut.
func (d *core) deliverOffload(q *queue, s *stage) bool {
	if len(s.cut.frames) > 0 {
		return d.deliverCut(q, s)
	}
	frame, o := s.frames[s.next], &s.offloads[s.next]
	if !d.acceptable(frame, o) {
		d.missed.Add(1)
		q.counts.drops++
		return true
	}
	switch {
	case *o == Offload{} && d.rxOffloads.Has(virtio.NetGuestCSUM):
		return d.deliverChecked(q, frame)
	case o.within(d.rxOffloads, frame):
	case o.GSOType == virtio.GSONone:
		if o.Flags&virtio.NetHeaderNeedsCsum != 0 {
			complete(frame, *o)
		}
		*o = Offload{}
	default:
		if !s.cut.cut(frame, *o) {
			d.missed.Add(1)
			q.counts.drops++
			return true
		}
		d.stats.RxSegments += uint64(len(s.cut.frames))
		return d.deliverCut(q, s)
	}
	return d.deliverWith(q, frame, *o)
}

// deliverChecked delivers a frame and says whether its checksum is right.
func (d *core) deliverChecked(q *queue, frame []byte) bool {
	var o Offload
	h, ok := parse(frame)
	if ok && h.valid(frame) {
		o.Flags = virtio.NetHeaderDataValid
	}
	none := q.offloads.none
	if !d.deliverWith(q, frame, o) {
		return false
	}
	if ok && !h.unsummed(frame) && q.offloads.none != none {
		q.offloads.none--
		q.offloads.wrong++
	}
	return true
}

// acceptable checks and completes the offload of a frame from the back end.
func (d *core) acceptable(frame []byte, o *Offload) bool {
	if o.GSOType != virtio.GSONone {
		h, ok := parse(frame)
		if !ok || o.GSOType&^virtio.GSOECN != h.gso() || o.GSOSize == 0 {
			return false
		}
		if o.Flags&virtio.NetHeaderNeedsCsum == 0 {
			h.dropChecksum(frame, o)
		}
		o.HdrLen = uint16(h.payload)
	}
	return o.Flags&virtio.NetHeaderNeedsCsum == 0 || o.inside(len(frame))
}

// dropChecksum takes the checksum out of a large packet, which Linux may have complete: what
// goes to a driver has NEEDS_CSUM (5.1.9.4).
func (h *headers) dropChecksum(frame []byte, o *Offload) {
	at := h.checksumAt()
	o.Flags, o.CsumStart, o.CsumOffset = virtio.NetHeaderNeedsCsum, uint16(h.l4), uint16(at)
	binary.BigEndian.PutUint16(frame[h.l4+at:], h.pseudoHeader(frame, len(frame)-h.l4))
}

// deliverCut delivers the segments of the next frame. It returns false if there are not
// enough buffers; the first segments may have been delivered then.
func (d *core) deliverCut(q *queue, s *stage) bool {
	for i, frame := range s.cut.frames {
		var o Offload
		if d.rxOffloads.Has(virtio.NetGuestCSUM) {
			o.Flags = virtio.NetHeaderDataValid // computed here
		}
		if !d.deliverWith(q, frame, o) {
			s.cut.frames = s.cut.frames[:copy(s.cut.frames, s.cut.frames[i:])]
			return false
		}
	}
	s.cut.clear()
	return true
}

// skip drops what is left of the next frame and returns how many frames that is.
func (s *stage) skip() uint64 {
	n := max(len(s.cut.frames), 1)
	s.cut.clear()
	return uint64(n)
}

// deliverWith is deliver for a frame with an offload.
func (d *core) deliverWith(q *queue, frame []byte, o Offload) bool {
	if o.GSOType == virtio.GSONone && len(frame) > q.longest && !d.fits(frame) {
		q.oversize()
		return true
	}
	before := q.counts.packets
	if q.take(0) == nil || !d.scatter(q, frame, o) {
		return false
	}
	if q.counts.packets != before {
		q.offloads.received(o, len(frame))
	}
	return true
}
