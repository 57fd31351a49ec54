package raw

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// piece is one descriptor of a buffer on the slow path.
type piece struct {
	mem   []byte
	write bool
}

// fail stops the engine because the driver broke a rule in this ring. It returns
// false.
func (q *ring) fail(rule, format string, args ...any) bool {
	q.engine.fail(q.index, rule, format, args...)
	return false
}

// add appends the piece that a descriptor names.
func (q *ring) add(addr uint64, n uint32, flags uint16) bool {
	mem := q.engine.at(addr, uint64(n))
	switch {
	case n == 0:
		return q.fail("x/desc/zero-length", "a descriptor of no bytes at %#x", addr)
	case mem == nil:
		return q.fail("basic/reserved/5", "a descriptor names %d bytes at %#x, which are not mapped", n, addr)
	case len(q.pieces) >= int(q.size):
		return q.fail("split/indirect/3", "a chain of more than %d descriptors, or a loop", q.size)
	}
	q.pieces = append(q.pieces, piece{mem, flags&virtio.DescWrite != 0})
	return true
}

// table returns the descriptors of an indirect table, nil if it breaks a rule.
func (q *ring) table(addr uint64, n uint32, flags uint16) []byte {
	mem := q.engine.at(addr, uint64(n))
	switch {
	case n == 0 || n%virtio.DescLen != 0 || n/virtio.DescLen > q.size:
		q.fail("x/indirect/len", "an indirect table of %d bytes in a ring of %d", n, q.size)
	case mem == nil:
		q.fail("basic/reserved/5", "an indirect table of %d bytes at %#x, which are not mapped", n, addr)
	case flags&virtio.DescNext != 0:
		q.fail("split/indirect/4", "a descriptor with both INDIRECT and NEXT")
	default:
		return mem
	}
	return nil
}

// process writes a packet to the collected pieces, or reads one from them.
func (q *ring) process() bool {
	if !q.receives {
		left, bytes := touched, 0
		for _, p := range q.pieces {
			for _, b := range p.mem[:min(left, len(p.mem))] {
				q.sum += uint64(b)
			}
			left -= min(left, len(p.mem))
			bytes += len(p.mem)
		}
		q.count.bytes.Add(uint64(max(bytes-headerLen, 0)))
		return true
	}
	rest := q.engine.packet
	for _, p := range q.pieces {
		if !p.write {
			return q.fail("x/net/rx-readable", "a receive buffer has readable descriptors")
		}
		rest = rest[copy(p.mem, rest):]
	}
	if len(rest) > 0 {
		return q.fail("net/rxbuf/2",
			"a receive buffer is %d bytes too short for header and frame, and raw mode does not use several", len(rest))
	}
	return true
}

// slowSplit uses the available buffer number i on the slow path. It writes the
// used entry, which is for the caller to publish, and reports whether it did.
func (q *ring) slowSplit(i uint32, written uint32) bool {
	slot := int(ringEntries + 2*((q.at+i)&(q.size-1)))
	head := binary.LittleEndian.Uint16(q.areas[vdev.DriverArea][slot:])
	q.pieces = q.pieces[:0]
	if !q.walkSplit(q.areas[vdev.DescArea], head, true) || !q.process() {
		return false
	}
	q.storeUsed(i, uint32(head), written)
	return true
}

// walkSplit follows the links of a table of descriptors (2.7.5).
func (q *ring) walkSplit(table []byte, i uint16, direct bool) bool {
	for range q.size + 1 {
		if int(i) >= len(table)/virtio.DescLen {
			return q.fail("x/split/next", "descriptor %d in a table of %d", i, len(table)/virtio.DescLen)
		}
		b := table[virtio.DescLen*int(i):]
		addr, n := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])
		flags := binary.LittleEndian.Uint16(b[12:])
		if flags&virtio.DescIndirect != 0 {
			if !direct {
				return q.fail("split/indirect/2", "an indirect descriptor inside an indirect table")
			}
			inner := q.table(addr, n, flags)
			return inner != nil && q.walkSplit(inner, 0, false)
		}
		if !q.add(addr, n, flags) {
			return false
		}
		if flags&virtio.DescNext == 0 {
			return true
		}
		i = binary.LittleEndian.Uint16(b[14:])
	}
	return q.fail("split/indirect/3", "a chain of more than %d descriptors, or a loop", q.size)
}

// slowPacked uses the next buffer on the slow path, if there is one, and counts it
// in total. It reports whether the caller can go on.
func (q *ring) slowPacked(total *int) bool {
	at, wrap := q.at, q.wrap
	desc := q.areas[vdev.DescArea]
	available, used := packedFlags(wrap)
	if loadDesc(desc, at)&(wordAvail|wordUsed) != available {
		return false
	}
	q.pieces = q.pieces[:0]
	id, ok := q.walkPacked(desc)
	if !ok || !q.process() {
		q.at, q.wrap = at, wrap
		return false
	}
	if q.receives {
		used |= wordWrite | uint64(q.need)
	}
	storeDesc(desc, at, used|uint64(id)<<32)
	*total++
	return true
}

// walkPacked collects the pieces of the next buffer and goes on behind it. The
// last descriptor of a list holds the buffer's ID (2.8.6).
func (q *ring) walkPacked(desc []byte) (id uint16, ok bool) {
	for range q.size {
		w := loadDesc(desc, q.at)
		flags := uint16(w >> 48)
		if available, _ := packedFlags(q.wrap); w&(wordAvail|wordUsed) != available {
			return 0, q.fail("packed/sg/6", "descriptor %d of a list is not available while the first one is", q.at)
		}
		addr := binary.LittleEndian.Uint64(desc[virtio.DescLen*q.at:])
		q.advance(1)
		if flags&virtio.DescIndirect != 0 {
			return uint16(w >> 32), q.walkPackedTable(addr, uint32(w), flags)
		}
		if !q.add(addr, uint32(w), flags) {
			return 0, false
		}
		if flags&virtio.DescNext == 0 {
			return uint16(w >> 32), true
		}
	}
	return 0, q.fail("packed/sg/2", "a list of more than %d descriptors", q.size)
}

func (q *ring) walkPackedTable(addr uint64, n uint32, flags uint16) bool {
	table := q.table(addr, n, flags)
	if table == nil {
		return false
	}
	for ; len(table) > 0; table = table[virtio.DescLen:] {
		entry := binary.LittleEndian.Uint16(table[14:])
		if entry&virtio.DescIndirect != 0 {
			return q.fail("packed/indirect/2", "an entry of an indirect table has flags %#x", entry)
		}
		if !q.add(binary.LittleEndian.Uint64(table), binary.LittleEndian.Uint32(table[8:]), entry) {
			return false
		}
	}
	return true
}
