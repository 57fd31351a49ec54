package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// stage is a burst of frames from the back end on its way to the driver.
type stage struct {
	frames [maxBurst][]byte
	next   int // the first one that was neither delivered nor dropped
	n      int

	// offloads are what is left to be done on the frames, if the device has to do with
	// offloads; cut is what the next frame was cut into and not delivered yet.
	offloads [maxBurst]Offload
	cut      segments
}

// clear drops what is left of the burst and returns how many frames that is.
func (s *stage) clear() (dropped int) {
	dropped = s.n - s.next + max(len(s.cut.frames)-1, 0)
	s.next, s.n = 0, 0
	s.cut.clear()
	return dropped
}

// fill gets the next burst from the back end, as much as s.next and s.n say is wanted. It
// returns how many frames of it were filtered out.
func (s *stage) fill(d *core, pair int) (filtered int) {
	s.next = 0
	switch {
	case !d.offloading:
		s.n = d.cfg.Backend.Receive(pair, s.frames[:d.cfg.Burst])
	case d.offloader != nil:
		s.n = d.offloader.ReceiveOffloads(pair, s.frames[:d.cfg.Burst], s.offloads[:d.cfg.Burst])
	default:
		s.n = d.cfg.Backend.Receive(pair, s.frames[:d.cfg.Burst])
		clear(s.offloads[:s.n])
	}
	if d.filter.on && !d.filter.promiscuous {
		return d.filterStage(s)
	}
	return 0
}

// minPlainBuffer is how long a receive buffer without MRG_RXBUF and receive offloads is
// behind its header at least (5.1.9.3.1).
const minPlainBuffer = 1514

// minLargeBuffer is the same with receive offloads of large packets.
const minLargeBuffer = 65589

// prepare sets what depends on the accepted features.
func (q *queue) prepare() {
	f := q.dev.accepted
	q.headerLen, q.hashReport = virtio.HeaderLen(f), f.Has(virtio.NetHashReport)
	switch {
	case f.Has(virtio.NetMrgRxbuf):
		q.minBuffer, q.minBufferRule = uint64(q.headerLen), "net/rxbuf/3"
	case !f.And(largeReceive).Empty():
		q.minBuffer, q.minBufferRule = uint64(q.headerLen)+minLargeBuffer, "net/rxbuf/1"
	case f.Has(virtio.NetMTU):
		q.minBuffer, q.minBufferRule = uint64(q.headerLen+etherHeader+q.dev.net.mtu), "net/config/8"
	default:
		q.minBuffer, q.minBufferRule = uint64(q.headerLen)+minPlainBuffer, "net/rxbuf/2"
	}
	// A longer frame is not received (5.1.4.1), unless it has a VLAN tag.
	q.longest = maxFrame
	if f.Has(virtio.NetMTU) {
		q.longest = etherHeader + q.dev.net.mtu
	}
	q.mergeable, q.segments = f.Has(virtio.NetMrgRxbuf), f.Has(virtio.NetRSCExt)
}

// receive moves frames from the back end to the driver. It returns how many it
// delivered or dropped.
func (d *core) receive() int {
	if !d.traits.PerPair {
		return d.receiveAny()
	}
	n := 0
	for pair := range d.active {
		q := d.queues[virtio.RxQueueIndex(pair)]
		if !q.alive || !d.net.link {
			continue
		}
		s := &q.stage
		if s.next == s.n {
			n += s.fill(d, pair)
		}
		if d.rss.on {
			n += d.receiveScaled(s)
			continue
		}
		from := s.next
		if d.offloading {
			for s.next < s.n && d.deliverOffload(q, s) {
				s.next++
			}
		} else {
			for s.next < s.n && d.deliver(q, s.frames[s.next]) {
				s.next++
			}
		}
		n += s.next - from
		q.flush()
	}
	return n
}

// receiveAny is receive for a back end that leaves it to the device which pair
// a frame goes to.
func (d *core) receiveAny() int {
	s, n := &d.stage, 0
	if s.next == s.n {
		n = s.fill(d, AnyPair)
	}
	first := d.queues[virtio.RxQueueIndex(0)]
	if d.active == 1 && !d.rss.on && !d.offloading && d.net.link && first.alive { // the usual device
		for s.next < s.n && d.deliver(first, s.frames[s.next]) {
			s.next++
			n++
		}
	}
	for ; s.next < s.n; s.next++ {
		q := first
		if d.active > 1 || d.rss.on {
			q = d.steer(s.frames[s.next])
		}
		if !d.net.link || !q.alive || !d.deliverNext(q, s) {
			if (d.hold || d.traits.Lossless) && d.net.link && q.alive {
				break
			}
			q.miss(s.skip())
		}
		n++
	}
	moved := n > 0 || len(s.cut.frames) > 0
	for pair := 0; moved && pair < d.active; pair++ {
		d.queues[virtio.RxQueueIndex(pair)].flush()
	}
	return n
}

// deliverNext delivers the next frame of a stage, or what is left of it.
func (d *core) deliverNext(q *queue, s *stage) bool {
	if d.offloading {
		return d.deliverOffload(q, s)
	}
	return d.deliver(q, s.frames[s.next])
}

// deliver writes a frame into buffers of a receiveq. It returns false if there
// are not enough of them; none is taken then.
func (d *core) deliver(q *queue, frame []byte) bool {
	headerLen := q.headerLen
	need := headerLen + len(frame)
	if len(frame) > q.longest && !d.fits(frame) {
		q.oversize()
		return true
	}
	c := q.take(0)
	if c == nil {
		return false
	}
	if len(c.segs[0]) < need {
		return d.scatter(q, frame, Offload{})
	}
	b := c.segs[0][:need]
	putHeader(b, 1)
	if q.hashReport {
		d.putHash(b, frame)
	}
	copy(b[headerLen:], frame)
	q.push(c, need)
	q.received(len(frame), 1, need)
	return true
}

// putHeader writes a virtio_net_hdr without offloads and hash, with the number of buffers
// that the packet takes (5.1.9.4).
func putHeader(b []byte, buffers uint16) {
	_ = b[virtio.NetHeaderLen-1]
	binary.LittleEndian.PutUint64(b, 0)
	binary.LittleEndian.PutUint32(b[8:], uint32(buffers)<<16)
}

func (q *queue) received(frame, buffers, bytes int) {
	q.stats.Chains += uint64(buffers)
	q.stats.Bytes += uint64(bytes)
	q.counts.packets++
	q.counts.bytes += uint64(frame)
}

// scatter is deliver for a frame that takes several pieces of memory, and with
// MRG_RXBUF several buffers, or has an offload. Buffer 0 is in q.bufs already.
func (d *core) scatter(q *queue, frame []byte, o Offload) bool {
	need := uint64(q.headerLen + len(frame))
	n := 1
	for have := q.bufs[0].in; have < need; n++ {
		if !q.mergeable {
			// The buffer stays for a frame that fits.
			q.putBack(1)
			q.oversize()
			return true
		}
		c := q.take(n)
		if c == nil {
			q.putBack(n)
			return false
		}
		have += c.in
	}
	header := q.header[:q.headerLen]
	putHeader(header, uint16(n))
	o.put(header)
	if q.segments && o.GSOType != virtio.GSONone {
		o.putSegments(header, len(frame))
	}
	if q.hashReport {
		d.putHash(header, frame)
	}
	if d.forge != nil {
		d.forge(header)
		binary.LittleEndian.PutUint16(header[virtio.NetHeaderNumBuffers:], uint16(n))
	}
	rest := [2][]byte{header, frame}
	for i := range q.bufs[:n] {
		q.push(&q.bufs[i], q.bufs[i].fill(&rest))
	}
	q.received(len(frame), n, int(need))
	return true
}

// fill moves data into the writable part of the chain, as much as fits, and returns
// the number of bytes.
func (c *chain) fill(data *[2][]byte) int {
	total := 0
	for _, seg := range c.segs[c.readable:] {
		for i := range data {
			n := copy(seg, data[i])
			seg, data[i] = seg[n:], data[i][n:]
			total += n
		}
	}
	return total
}

// take gets the next buffer of a receiveq into q.bufs[i]; nil if there is none.
func (q *queue) take(i int) *chain {
	if i == len(q.bufs) {
		q.bufs = append(q.bufs, chain{})
	}
	c := &q.bufs[i]
	if q.dev.cfg.OutOfOrder {
		if !q.takeAny(c) {
			return nil
		}
	} else if !q.pop(c) || !q.checkBuffer(c) {
		return nil
	}
	return c
}

// checkBuffer checks what a driver posted for receiving.
func (q *queue) checkBuffer(c *chain) bool {
	if c.readable != 0 {
		q.dev.fail("x/net/rx-readable", q.index, "a receive buffer has readable descriptors")
		return false
	}
	if c.in < q.minBuffer {
		text := "a receive buffer of %d bytes, at least %d are needed"
		if q.mergeable {
			q.dev.fail(q.minBufferRule, q.index, text, c.in, q.minBuffer)
			return false
		}
		q.dev.violate(q.minBufferRule, q.index, text, c.in, q.minBuffer)
	}
	return true
}

// putBack returns the first n buffers of q.bufs to the ring, unused.
func (q *queue) putBack(n int) {
	if q.dev.cfg.OutOfOrder {
		for i := range q.bufs[:n] {
			q.held = append(q.held, chain{})
			last := len(q.held) - 1
			q.held[last], q.bufs[i] = q.bufs[i], q.held[last]
		}
		return
	}
	q.rewind(&q.bufs[0])
}

// heldBuffers is how many buffers OutOfOrder picks from.
const heldBuffers = 8

// takeAny is take with OutOfOrder: it picks among the next few.
func (q *queue) takeAny(c *chain) bool {
	for len(q.held) < heldBuffers {
		q.held = append(q.held, chain{})
		last := &q.held[len(q.held)-1]
		if !q.pop(last) || !q.checkBuffer(last) {
			q.held = q.held[:len(q.held)-1]
			break
		}
		if q.track != nil && !q.track.take(last) {
			return false
		}
	}
	if len(q.held) == 0 || !q.dev.running {
		return false
	}
	i, last := q.pick(uint32(len(q.held))), len(q.held)-1
	*c, q.held[i] = q.held[i], q.held[last]
	q.held = q.held[:last]
	return true
}

// oversize counts a frame that is dropped because it is longer than the driver may be given.
func (q *queue) oversize() {
	q.dev.oversize.Add(1)
	q.counts.drops++
}

// miss counts frames that are dropped for want of a buffer or a link, or because the queue
// is being reset.
func (q *queue) miss(n uint64) {
	q.dev.missed.Add(n)
	q.counts.drops += n
	if q.alive && q.dev.net.link {
		q.counts.overruns += n
	}
}
