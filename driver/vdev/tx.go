package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	maxHeaderLen = virtio.NetHeaderHashLen
	etherHeader  = 14
	vlanTag      = 4

	// scratchSize is room for the frames of a burst that lie in several pieces.
	// A single one always fits.
	scratchSize = 256 << 10
	maxFrame    = 65535 + etherHeader + vlanTag
)

// scratch is what one burst of transmission works with.
type scratch struct {
	chains [maxBurst]chain
	frames [maxBurst][]byte
	owner  [maxBurst]int // which chain a frame is from
	copies []byte        // frames that were in several pieces
	copied int
	header [maxHeaderLen]byte // one that was in several pieces
	out    outgoing
}

// transmit takes a burst from the transmitq of a pair, passes it to the back end
// and uses the buffers. It returns how many buffers it used.
func (d *core) transmit(pair int) int {
	q := d.queues[virtio.TxQueueIndex(pair)]
	if !q.alive {
		return 0
	}
	if d.accepted.Has(virtio.NetCSUM) {
		return d.transmitOffloads(pair, q)
	}
	w := &d.work
	w.copied = 0
	headerLen, longest := q.headerLen, q.headerLen+etherHeader+d.net.mtu
	chains, frames, bytes := 0, 0, 0
	for chains < d.cfg.Burst {
		c := &w.chains[chains]
		if !q.pop(c) {
			break
		}
		frame := c.plainFrame(headerLen, longest)
		if frame == nil {
			full := false
			if frame, full = d.txFrame(q, c); full {
				q.rewind(c)
				break
			}
		}
		if frame != nil {
			w.frames[frames], w.owner[frames] = frame, chains
			frames++
		}
		chains++
	}
	if chains == 0 || !d.running {
		return 0
	}
	taken := frames
	if d.net.link && !q.disabled && frames > 0 {
		taken = min(d.cfg.Backend.Transmit(pair, w.frames[:frames]), frames)
		if d.hold && taken < frames {
			chains = w.owner[taken]
			q.rewind(&w.chains[chains])
			frames = taken
		}
	} else {
		taken = 0 // all frames count as dropped
	}
	for _, f := range w.frames[:taken] {
		bytes += len(f)
	}
	d.stats.TxFrames += uint64(taken)
	d.stats.TxBytes += uint64(bytes)
	q.counts.packets += uint64(taken)
	q.counts.bytes += uint64(bytes)
	if taken < frames {
		d.drop(w.frames[taken:frames])
		q.counts.drops += uint64(frames - taken)
	}
	d.useTransmitted(q, w.chains[:chains])
	return chains
}

// drop counts frames that are not transmitted.
func (d *core) drop(frames [][]byte) {
	bytes := 0
	for _, f := range frames {
		bytes += len(f)
	}
	d.dropped.Add(uint64(len(frames)))
	d.droppedBytes.Add(uint64(bytes))
}

// useTransmitted marks transmitted chains as used.
func (d *core) useTransmitted(q *queue, chains []chain) {
	for i := range chains {
		q.stats.Bytes += chains[i].out
	}
	q.stats.Chains += uint64(len(chains))
	switch {
	case q.inOrder && d.cfg.BatchUsed:
		q.pushBatch(chains)
	case d.cfg.OutOfOrder:
		for i := range chains {
			if q.track != nil && !q.track.take(&chains[i]) {
				return
			}
		}
		for n := len(chains); n > 0; n-- {
			i := int(q.pick(uint32(n)))
			q.push(&chains[i], 0)
			chains[i], chains[n-1] = chains[n-1], chains[i]
		}
	default:
		for i := range chains {
			q.push(&chains[i], 0)
		}
	}
	q.flush()
}

// pick returns a number below n, in a sequence that is the same in every run.
func (q *queue) pick(n uint32) uint32 {
	q.random ^= q.random << 13
	q.random ^= q.random >> 17
	q.random ^= q.random << 5
	return q.random % n
}

// plainFrame returns the frame of a chain that is one piece with a header in which nothing
// is set, and has neither too few bytes nor more than longest; nil of another one.
func (c *chain) plainFrame(headerLen, longest int) []byte {
	if len(c.segs) != 1 || c.readable != 1 {
		return nil
	}
	b := c.segs[0]
	if len(b) < headerLen+etherHeader || len(b) > longest || !plainHeader(b) {
		return nil
	}
	return b[headerLen:]
}

// txFrame is txPacket and a check of what it returns.
func (d *core) txFrame(q *queue, c *chain) (frame []byte, full bool) {
	header, frame, full := d.txPacket(q, c)
	if frame == nil || !d.judgePlain(q, header, frame) {
		return nil, full
	}
	return frame, false
}

// plainHeader reports whether a header has no flags, no gso_type and no num_buffers.
func plainHeader(h []byte) bool {
	return binary.LittleEndian.Uint16(h)|binary.LittleEndian.Uint16(h[virtio.NetHeaderNumBuffers:]) == 0
}

// judgePlain checks header and length of a transmitted packet without CSUM. It returns
// false if the packet is dropped.
func (d *core) judgePlain(q *queue, header, frame []byte) bool {
	if !plainHeader(header) {
		d.checkHeader(q, header)
	}
	if !d.fits(frame) {
		d.tooLong(q, frame)
		return false
	}
	return true
}

func (d *core) tooLong(q *queue, frame []byte) {
	d.violate("net/config/9", q.index, "a frame of %d bytes with an MTU of %d", len(frame), d.net.mtu)
	q.malformed()
}

// txPacket returns header and frame of a transmitted packet, each in one piece; frame is
// nil if it is dropped for its length. full is true if the scratch memory of this burst has
// no room for a frame in several pieces.
func (d *core) txPacket(q *queue, c *chain) (header, frame []byte, full bool) {
	if c.readable != len(c.segs) {
		d.violate("x/net/tx-writable", q.index, "a transmitted packet has writable descriptors")
	}
	headerLen := q.headerLen
	if c.out < uint64(headerLen+etherHeader) || c.out > uint64(headerLen+maxFrame) {
		d.violate("x/net/tx-length", q.index, "a transmitted packet of %d bytes, including the header of %d", c.out, headerLen)
		q.malformed()
		return nil, nil, false
	}
	first := c.segs[0]
	switch {
	case len(first) > headerLen && c.readable == 1:
		frame = first[headerLen:]
	case len(first) == headerLen && c.readable == 2:
		frame = c.segs[1]
	default:
		if frame, full = d.work.assemble(c, headerLen); full {
			return nil, nil, true
		}
	}
	if len(first) < headerLen {
		first = c.gather(d.work.header[:headerLen], 0)
	}
	return first, frame, false
}

// assemble copies a frame that lies in several pieces, behind its header.
func (w *scratch) assemble(c *chain, headerLen int) (frame []byte, full bool) {
	if w.copies == nil {
		w.copies = make([]byte, scratchSize)
	}
	n := int(c.out) - headerLen
	if n > len(w.copies)-w.copied {
		return nil, true
	}
	frame = c.gather(w.copies[w.copied:w.copied+n], headerLen)
	w.copied += n
	return frame, false
}

// fits reports whether a frame respects the MTU, which counts what follows the
// Ethernet header and a VLAN tag.
func (d *core) fits(frame []byte) bool {
	if len(frame) <= d.net.mtu+etherHeader || !d.accepted.Has(virtio.NetMTU) {
		return true
	}
	tagged := binary.BigEndian.Uint16(frame[12:]) == 0x8100 || binary.BigEndian.Uint16(frame[12:]) == 0x88a8
	return tagged && len(frame) <= d.net.mtu+etherHeader+vlanTag
}

// checkHeader records what is wrong with a header without CSUM: all fields are 0 or
// ignored.
func (d *core) checkHeader(q *queue, h []byte) {
	if flags := h[virtio.NetHeaderFlags]; flags != 0 {
		d.violate("net/tx/3", q.index, "header flags %#x without CSUM", flags)
		if flags&(virtio.NetHeaderDataValid|virtio.NetHeaderRSCInfo) != 0 {
			d.violate("net/tx/20", q.index, "header flags %#x", flags)
		}
	}
	if gso := h[virtio.NetHeaderGSOType]; gso != virtio.GSONone {
		d.violate("net/tx/14", q.index, "gso_type %#x without an offload", gso)
	}
	if n := binary.LittleEndian.Uint16(h[virtio.NetHeaderNumBuffers:]); n != 0 {
		d.violate("net/tx/2", q.index, "num_buffers %d", n)
	}
}

// malformed counts a transmitted packet that is dropped for what the driver made of it.
func (q *queue) malformed() {
	q.dev.stats.TxErrors++
	q.counts.drops++
	q.counts.overruns++
}
