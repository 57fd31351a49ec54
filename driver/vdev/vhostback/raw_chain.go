package vhostback

import (
	"encoding/binary"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// rawPiece is a piece of a buffer that consists of several, or is unusual in
// some other way.
type rawPiece struct {
	mem   []byte
	write bool
}

// bad is a ring that breaks a rule.
func (q *rawRing) bad(rule, format string, args ...any) error {
	return &RingError{Ring: q.index, Rule: rule, Reason: fmt.Sprintf(format, args...)}
}

// add appends the piece that a descriptor names.
func (q *rawRing) add(addr uint64, n uint32, flags uint16) error {
	mem := q.owner.at(addr, uint64(n))
	switch {
	case n == 0:
		return q.bad("x/desc/zero-length", "a descriptor of no bytes at %#x", addr)
	case mem == nil:
		return q.bad("basic/reserved/5", "a descriptor names %d bytes at %#x, which are not mapped", n, addr)
	case len(q.pieces) >= int(q.size):
		return q.bad("split/indirect/3", "a chain of more than %d descriptors, or a loop", q.size)
	}
	q.pieces = append(q.pieces, rawPiece{mem, flags&virtio.DescWrite != 0})
	return nil
}

// table returns the descriptors of an indirect table.
func (q *rawRing) table(addr uint64, n uint32, flags uint16) ([]byte, error) {
	mem := q.owner.at(addr, uint64(n))
	switch {
	case n == 0 || n%virtio.DescLen != 0 || n/virtio.DescLen > q.size:
		return nil, q.bad("x/indirect/len", "an indirect table of %d bytes in a ring of %d", n, q.size)
	case mem == nil:
		return nil, q.bad("basic/reserved/5", "an indirect table of %d bytes at %#x, which are not mapped", n, addr)
	case flags&virtio.DescNext != 0:
		return nil, q.bad("split/indirect/4", "a descriptor with both INDIRECT and NEXT")
	}
	return mem, nil
}

// carry does the work on the collected pieces: it writes a packet, or reads one.
func (q *rawRing) carry() error {
	if !q.receives {
		left, bytes := rawTouched, 0
		for _, p := range q.pieces {
			for _, b := range p.mem[:min(left, len(p.mem))] {
				q.sum += uint64(b)
			}
			left -= min(left, len(p.mem))
			bytes += len(p.mem)
		}
		q.count.bytes.Add(uint64(max(bytes-headerLen, 0)))
		return nil
	}
	rest := q.owner.packet
	for _, p := range q.pieces {
		if !p.write {
			return q.bad("x/net/rx-readable", "a receive buffer has readable descriptors")
		}
		rest = rest[copy(p.mem, rest):]
	}
	if len(rest) > 0 {
		return q.bad("net/rxbuf/2", "a receive buffer is %d bytes too short for header and frame, and raw mode does not use several", len(rest))
	}
	return nil
}

// oddSplit deals with the available buffer number i in the long way. It tells
// whether that worked out; the used entry is written then and not published.
func (q *rawRing) oddSplit(i uint32, written uint32) bool {
	slot := int(rawEntries + 2*((q.at+i)&(q.size-1)))
	head := binary.LittleEndian.Uint16(q.areas[vdev.DriverArea][slot:])
	q.pieces = q.pieces[:0]
	err := q.walkSplit(q.areas[vdev.DescArea], head, true)
	if err == nil {
		err = q.carry()
	}
	if err != nil {
		q.owner.fail(err)
		return false
	}
	q.storeUsed(i, uint32(head), written)
	return true
}

// walkSplit follows the links of a table of descriptors (2.7.5).
func (q *rawRing) walkSplit(table []byte, i uint16, direct bool) error {
	for range q.size + 1 {
		if int(i) >= len(table)/virtio.DescLen {
			return q.bad("x/split/next", "descriptor %d in a table of %d", i, len(table)/virtio.DescLen)
		}
		b := table[virtio.DescLen*int(i):]
		addr, n, flags := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint16(b[12:])
		if flags&virtio.DescIndirect != 0 {
			if !direct {
				return q.bad("split/indirect/2", "an indirect descriptor inside an indirect table")
			}
			inner, err := q.table(addr, n, flags)
			if err != nil {
				return err
			}
			return q.walkSplit(inner, 0, false)
		}
		if err := q.add(addr, n, flags); err != nil {
			return err
		}
		if flags&virtio.DescNext == 0 {
			return nil
		}
		i = binary.LittleEndian.Uint16(b[14:])
	}
	return q.bad("split/indirect/3", "a chain of more than %d descriptors, or a loop", q.size)
}

// oddPacked deals with the next buffer in the long way, if there is one, and
// adds it to total. It tells whether to go on.
func (q *rawRing) oddPacked(total *int) bool {
	at, wrap := q.at, q.wrap
	desc := q.areas[vdev.DescArea]
	available, used := packedFlags(wrap)
	if rawPackedWord(desc, at)&(rawAvail|rawUsed) != available {
		return false
	}
	q.pieces = q.pieces[:0]
	id, err := q.walkPacked(desc)
	if err == nil {
		err = q.carry()
	}
	if err != nil {
		q.at, q.wrap = at, wrap
		q.owner.fail(err)
		return false
	}
	if q.receives {
		used |= rawWrite | uint64(q.need)
	}
	rawStorePacked(desc, at, used|uint64(id)<<32)
	*total++
	return true
}

// walkPacked collects the pieces of the next buffer and goes on behind it. The
// last descriptor of a list holds the buffer's ID (2.8.6).
func (q *rawRing) walkPacked(desc []byte) (id uint16, err error) {
	for range q.size {
		w := rawPackedWord(desc, q.at)
		flags := uint16(w >> 48)
		if available, _ := packedFlags(q.wrap); w&(rawAvail|rawUsed) != available {
			return 0, q.bad("packed/sg/6", "descriptor %d of a list is not available while the first one is", q.at)
		}
		addr := binary.LittleEndian.Uint64(desc[virtio.DescLen*q.at:])
		q.advance(1)
		if flags&virtio.DescIndirect != 0 {
			return uint16(w >> 32), q.walkPackedTable(addr, uint32(w), flags)
		}
		if err := q.add(addr, uint32(w), flags); err != nil {
			return 0, err
		}
		if flags&virtio.DescNext == 0 {
			return uint16(w >> 32), nil
		}
	}
	return 0, q.bad("packed/sg/2", "a list of more than %d descriptors", q.size)
}

func (q *rawRing) walkPackedTable(addr uint64, n uint32, flags uint16) error {
	table, err := q.table(addr, n, flags)
	for ; err == nil && len(table) > 0; table = table[virtio.DescLen:] {
		entry := binary.LittleEndian.Uint16(table[14:])
		if entry&virtio.DescIndirect != 0 {
			return q.bad("packed/indirect/2", "an entry of an indirect table has flags %#x", entry)
		}
		err = q.add(binary.LittleEndian.Uint64(table), binary.LittleEndian.Uint32(table[8:]), entry)
	}
	return err
}
