package mbuf

import "iter"

// Next returns the segment that follows, nil after the last.
func (b *Buf) Next() *Buf { return b.next }

// SetNext makes next, which may be nil, follow b. It does not free a segment that
// followed b before. A chain must not lead back into itself.
func (b *Buf) SetNext(next *Buf) { b.next = next }

// Segments returns an iterator over the segments of the packet from b on. The
// loop body may detach the segment that it is given, but must not free it.
func (b *Buf) Segments() iter.Seq[*Buf] {
	return func(yield func(*Buf) bool) {
		for s := b; s != nil; {
			next := s.following() // before the body can detach s
			if !yield(s) {
				return
			}
			s = next
		}
	}
}

// NumSegments returns how many segments the packet has from b on.
func (b *Buf) NumSegments() int {
	n := 0
	for ; b != nil; b = b.following() {
		n++
	}
	return n
}

// PacketLen returns how many bytes of data the packet has from b on. [Buf.Len]
// counts those of one segment.
func (b *Buf) PacketLen() int {
	n := 0
	for ; b != nil; b = b.following() {
		n += b.Len()
	}
	return n
}

// CopyTo copies the data of the packet from b on to dst, as much as fits, and
// returns how many bytes that were.
func (b *Buf) CopyTo(dst []byte) int {
	n := 0
	for ; b != nil && n < len(dst); b = b.following() {
		n += copy(dst[n:], b.Data())
	}
	return n
}

// AppendBytes adds data to the end of the packet: to its last segment, and what
// that has no room for to new segments from the pool of b. It returns false and
// changes nothing if that pool has too few buffers, or if b or the last segment
// is not held.
func (b *Buf) AppendBytes(data []byte) bool {
	last := b
	for next := last.following(); next != nil; next = last.following() {
		last = next
	}
	if b.view == notHeld || last.view == notHeld {
		return false
	}
	fits := min(len(data), last.Tailroom())
	if rest := data[fits:]; len(rest) > 0 {
		more := b.pool.getChain(b.pool.segmentsFor(len(rest)))
		if more == nil {
			return false
		}
		more.fill(rest)
		last.next = more
	}
	copy(last.Append(fits), data)
	return true
}

// Linearize moves the data of all segments to the room of b and frees the other
// segments. Headroom is used as far as the tailroom does not suffice. It returns
// false and changes nothing if the packet is longer than the room, or b not held.
// [Pool.Clone] makes one segment of any packet that fits a buffer of its pool.
func (b *Buf) Linearize() bool {
	if b.view == notHeld {
		return false
	}
	if b.next == nil {
		return true
	}
	n := b.PacketLen()
	if n > len(b.room) {
		return false
	}
	off := min(b.Headroom(), len(b.room)-n)
	end := off + copy(b.room[off:], b.Data()) // nothing moves if off stays
	rest := b.following()
	for s := range rest.Segments() {
		end += copy(b.room[end:], s.Data())
	}
	b.next = nil
	marks := b.view & (viewDescribed | viewRequest)
	if o := b.offload(); o != nil {
		o.Start += uint32(off) - b.view.Offset()
	}
	b.view = DriverViewOf(uint32(off), uint32(n)) | marks
	rest.Free()
	return true
}

// Free frees the packet from b on: every segment goes back to the pool it came
// from. A segment that is free already is counted by its pool as a double free,
// and neither it nor the segments after it are touched. Freeing nil does nothing.
// It may be called from any goroutine. To free many packets, [Free] and, where
// there is a [Cache], [Cache.Put] are faster.
func (b *Buf) Free() { Free([]*Buf{b}) }

// Free frees packets as [Buf.Free] does, and locks a pool once for all adjacent
// buffers that belong to it.
func Free(bufs []*Buf) {
	var locked *Pool
	for _, b := range bufs {
		for b != nil {
			if b.pool != locked {
				if locked != nil {
					locked.unlock()
				}
				locked = b.pool
				locked.mu.Lock()
			}
			next := b.next
			if !locked.reclaim(b) {
				break
			}
			b = next
		}
	}
	if locked != nil {
		locked.unlock()
	}
}

// following returns the next segment. A last segment that was linked to itself
// ends the chain, so that this mistake makes no loop endless.
func (b *Buf) following() *Buf {
	if b.next == b {
		return nil
	}
	return b.next
}

// fill appends data to the segments of an empty packet, which has room for it.
func (b *Buf) fill(data []byte) {
	for ; len(data) > 0; b = b.next {
		n := min(len(data), b.Tailroom())
		copy(b.Append(n), data)
		data = data[n:]
	}
}

// copyFrom appends the data of packet to the segments of an empty packet, which
// has room for it, and gives it what is known of the packet and asked for.
func (b *Buf) copyFrom(packet *Buf) {
	b.copyOffload(packet)
	for ; packet != nil; packet = packet.following() {
		for data := packet.Data(); len(data) > 0; {
			if b.Tailroom() == 0 {
				b = b.next
			}
			n := min(len(data), b.Tailroom())
			copy(b.Append(n), data)
			data = data[n:]
		}
	}
}
