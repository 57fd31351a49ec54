package vdev

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// outgoing is a burst of frames on its way to the back end, with what is left to be
// done on them. A packet that is cut is several of them.
type outgoing struct {
	frames   [][]byte
	offloads []Offload
	owner    []int         // which chain a frame is from
	lengths  [maxBurst]int // of the packets, by chain; 0: dropped
	work     [maxBurst]packetWork
	segments segments // and copies of frames whose checksums were completed
}

func (o *outgoing) clear() {
	clear(o.frames)
	o.frames, o.offloads, o.owner = o.frames[:0], o.offloads[:0], o.owner[:0]
	o.segments.clear()
}

const (
	// maxOutgoing and maxOutgoingBytes end a burst: a packet alone may be more.
	maxOutgoing      = 4 * maxBurst
	maxOutgoingBytes = 512 << 10
)

func (o *outgoing) full() bool {
	return len(o.frames) >= maxOutgoing || len(o.segments.memory) >= maxOutgoingBytes
}

// transmitOffloads is transmit for a driver that has accepted CSUM, which all other
// offloads depend on.
func (d *core) transmitOffloads(pair int, q *queue) int {
	w := &d.work
	w.copied = 0
	out := &w.out
	out.clear()
	var passed virtio.Features
	if d.offloader != nil {
		passed = d.offloader.Takes()
	}
	chains := 0
	for chains < d.cfg.Burst && !out.full() {
		c := &w.chains[chains]
		if !q.pop(c) {
			break
		}
		header, frame, full := d.txPacket(q, c)
		if full {
			q.rewind(c)
			break
		}
		out.lengths[chains] = len(frame)
		if frame != nil && !d.add(q, chains, header, frame, passed) {
			out.lengths[chains] = 0
			q.malformed()
		}
		chains++
	}
	if chains == 0 || !d.running {
		return 0
	}
	chains = d.send(pair, q, chains)
	d.useTransmitted(q, w.chains[:chains])
	return chains
}

// add adds a packet to the outgoing frames: as it is if the back end takes its offload,
// with a complete checksum, or in segments. It returns false if the packet is dropped.
func (d *core) add(q *queue, chain int, header, frame []byte, passed virtio.Features) bool {
	out := &d.work.out
	o, ok := d.judge(q, header, frame)
	if !ok {
		return false
	}
	work := packetWork{partial: o.Flags&virtio.NetHeaderNeedsCsum != 0, large: o.GSOType != virtio.GSONone}
	switch {
	case o.within(passed, frame):
		out.frames, out.offloads = append(out.frames, frame), append(out.offloads, o)
	case o.GSOType == virtio.GSONone:
		frame = out.segments.copy(frame)
		complete(frame, o)
		out.frames, out.offloads = append(out.frames, frame), append(out.offloads, Offload{})
	default:
		out.segments.frames = out.segments.frames[:0]
		if !out.segments.cut(frame, o) {
			return false // the driver has changed it
		}
		work.segments = len(out.segments.frames)
		work.bytes = len(frame) + (work.segments-1)*int(o.HdrLen)
		out.frames = append(out.frames, out.segments.frames...)
		out.offloads = append(out.offloads, make([]Offload, len(out.segments.frames))...)
	}
	out.work[chain] = work
	for len(out.owner) < len(out.frames) {
		out.owner = append(out.owner, chain)
	}
	return true
}

// send passes the outgoing frames on. It returns how many of the chains are done with.
func (d *core) send(pair int, q *queue, chains int) int {
	w, out := &d.work, &d.work.out
	total := len(out.frames)
	// What was taken of the first packet, when the back end did not take all of it.
	sent := 0
	for sent < min(q.sent, total) && out.owner[sent] == 0 {
		sent++
	}
	q.sent = 0
	taken := sent
	passing := d.net.link && !q.disabled
	if passing && sent < total {
		if d.offloader != nil {
			taken += d.offloader.TransmitOffloads(pair, out.frames[sent:], out.offloads[sent:])
		} else {
			taken += d.cfg.Backend.Transmit(pair, out.frames[sent:])
		}
		taken = min(taken, total)
	}
	dropped := chains // the first chain that was not taken as a whole
	if !passing {
		dropped = 0
	} else if taken < total {
		dropped = out.owner[taken]
	}
	if d.hold && passing && taken < total {
		chains = dropped
		for first := taken; first > 0 && out.owner[first-1] == chains; first-- {
			q.sent++
		}
		q.rewind(&w.chains[chains])
	}
	d.countPackets(q, chains, dropped)
	return chains
}

// countPackets counts the packets of the chains that are done with: those in front of
// dropped are transmitted.
func (d *core) countPackets(q *queue, chains, dropped int) {
	out := &d.work.out
	for i, n := range out.lengths[:chains] {
		if n == 0 {
			continue
		}
		d.stats.TxSegments += uint64(out.work[i].segments)
		switch {
		case i < dropped:
			d.stats.TxFrames++
			d.stats.TxBytes += uint64(n)
			q.counts.packets++
			q.counts.bytes += uint64(n)
			q.offloads.transmitted(out.work[i], n)
		default:
			q.counts.drops++
			d.dropped.Add(1)
			d.droppedBytes.Add(uint64(n))
		}
	}
}
