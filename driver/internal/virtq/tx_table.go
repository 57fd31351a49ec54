package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// sendTable is the fast path of packets of several buffers: it sends one of which all are
// ordinary buffers of the cache's pool, and fit an indirect table. It returns false for
// another packet, or if there is no room, and has changed nothing but the table then, which
// the device does not have.
func (t *Tx) sendTable(b *mbuf.Buf) bool {
	if t.indirectSize == 0 || t.room() == 0 || b == nil || b.Next() == nil || b.Pool() != t.fast.pool {
		return false
	}
	v := mbuf.Driver(b).View()
	off, size := v.Offset(), v.Len()
	if size-minFrame > unlimitedSpan || off < t.header {
		return false
	}
	at := t.tail()
	id := t.id[at]
	table, address := t.table(id)
	table[0] = desc{mbuf.Driver(b).RoomIOVA() + uint64(off-t.header), uint64(size+t.header) | t.link}
	n, bytes := t.fillTable(table, b.Next())
	total := int(size) + int(bytes)
	if n == 0 || total > longestPacket || t.bufs > 0 && t.bufs+n > t.limit || !t.putFront(b, off, total) {
		return false
	}
	// The device must not see the descriptor before the table is complete.
	meta := uint64(n * descBytes)
	if t.packed {
		t.desc[at].addr = address
		publish64(&t.desc[at].meta, meta|packedIndirect|uint64(id)<<packedIDShift|t.tailFlags)
		t.enterPacked(1)
	} else {
		t.desc[id] = desc{address, meta | splitIndirect}
		t.fillAvail(t.id[at : at+1])
		t.count++
	}
	t.buf[at] = b
	t.special++
	for ; b != nil; b = b.Next() {
		mbuf.Driver(b).Consume()
	}
	t.countPosted(1, n, uint64(total))
	t.limitPositions()
	return true
}

// fillTable writes descriptors for the segments from b on behind the first of a table, and
// returns how many all are, and the sum of the lengths from b on. It returns 0 if one is not
// held, of another pool, empty or has a mark, or if the table is too small.
func (t *Tx) fillTable(table []desc, b *mbuf.Buf) (n int, bytes uint64) {
	link, pool := t.link, t.fast.pool
	for n = 1; b != nil; b = b.Next() {
		v := mbuf.Driver(b).View()
		if n >= len(table) || b.Pool() != pool || v.PlainLen()-1 >= unlimitedSpan {
			return 0, 0
		}
		link += t.nextLink
		table[n] = desc{mbuf.Driver(b).RoomIOVA() + uint64(v.Offset()), uint64(v.PlainLen()) | link}
		bytes += uint64(v.PlainLen())
		n++
	}
	table[n-1].meta = uint64(uint32(table[n-1].meta)) // the last one has no next
	return n, bytes
}

// putFront writes the header of a packet of total bytes that begins with b, at off in its
// room. It returns false, and writes none, if the packet is too long, or what it asks for is
// not simply the device's to do.
func (t *Tx) putFront(b *mbuf.Buf, off uint32, total int) bool {
	h := mbuf.Driver(b).Room()[off-t.header : off]
	most := int(t.fast.span) + minFrame
	o := mbuf.Driver(b).Request()
	if o == nil {
		if total > most {
			return false
		}
		clearHeader(b, h)
		return true
	}
	if !t.checksum {
		return false
	}
	start := o.Start - off
	if o.Kind != mbuf.SegmentNone {
		var tr mbuf.DriverTransport
		size := int(o.Size)
		if !mbuf.Driver(b).Transport(&tr, total) || !t.cuts(&tr, o.Kind, size, total) || tr.Payload+size > most ||
			start != uint32(tr.Start) || o.Offset != tr.Field() {
			return false
		}
		mbuf.Driver(b).PutPseudo(&tr)
		putHeader(b, h, largeWord(&tr, o.Kind, size), o.Offset)
		t.stats.LargePackets.Add(1)
		return true
	}
	if total > most || start > maxStart || int(start)+int(o.Offset)+2 > total {
		return false
	}
	putHeader(b, h, checksumWord(start), o.Offset)
	t.stats.Checksums.Add(1)
	return true
}
