package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// chain is one buffer that the driver made available: pieces of its memory that
// the device reads, then pieces that it writes (2.7.4).
type chain struct {
	id       uint16 // what the used entry returns: head index or buffer ID
	slots    uint16 // packed: descriptors it takes; split: 1
	from     cursor // where in the ring it was found
	readable int    // that many of segs are to be read, the others to be written
	out, in  uint64 // bytes to be read and to be written
	segs     [][]byte
	mark     mark // of a queue with a record
}

// mark is what the record of a queue says about a chain.
type mark struct {
	tracked bool   // it says that the chain was taken
	entry   uint16 // where
	again   uint16 // where in inflight.again it is, counted from 1; 0: it is from the ring
}

func (c *chain) reset(from cursor) {
	c.id, c.slots, c.from, c.readable, c.out, c.in = 0, 1, from, 0, 0, 0
	c.segs = c.segs[:0]
}

// descriptor is the common part of the descriptors of both ring formats.
type descriptor struct {
	addr  uint64
	len   uint32
	flags uint16
}

// add appends a piece to the chain. It returns false if that breaks a rule; the
// device has failed then.
func (q *queue) add(c *chain, v descriptor) bool {
	if v.len == 0 {
		q.dev.fail("x/desc/zero-length", q.index, "a descriptor of no bytes at %#x", v.addr)
		return false
	}
	seg := q.dev.mem.at(v.addr, uint64(v.len))
	if seg == nil {
		q.dev.fail(q.addressRule(), q.index, "a descriptor names %d bytes at %#x, which are not mapped", v.len, v.addr)
		return false
	}
	if v.flags&virtio.DescWrite != 0 {
		c.in += uint64(v.len)
	} else {
		if c.readable != len(c.segs) {
			q.dev.fail(q.rule("split/framing/1", "packed/sg/3"), q.index, "a readable descriptor follows a writable one")
			return false
		}
		c.readable++
		c.out += uint64(v.len)
	}
	if c.in+c.out > 1<<32 {
		q.dev.fail("split/desc/1", q.index, "a chain of %d bytes", c.in+c.out)
		return false
	}
	c.segs = append(c.segs, seg)
	return true
}

// indirectTable looks up the table that an indirect descriptor refers to and
// returns it with the number of its entries, 0 if it breaks a rule.
func (q *queue) indirectTable(v descriptor) (table []byte, n int) {
	d := q.dev
	n = int(v.len / virtio.DescLen)
	switch {
	case !q.indirect:
		d.fail(q.rule("split/indirect/1", "packed/indirect/1"), q.index, "an indirect descriptor without INDIRECT_DESC")
		return nil, 0
	case v.flags&virtio.DescNext != 0:
		d.fail(q.rule("split/indirect/4", "packed/indirect/4"), q.index, "a descriptor with both INDIRECT and NEXT")
		return nil, 0
	case v.len == 0 || v.len%virtio.DescLen != 0:
		d.fail("x/indirect/len", q.index, "an indirect table of %d bytes, which is no multiple of 16", v.len)
		return nil, 0
	case n > int(q.size):
		d.fail(q.rule("split/indirect/3", "packed/indirect/3"), q.index, "an indirect table of %d entries in a queue of %d", n, q.size)
		return nil, 0
	}
	if table = d.mem.at(v.addr, uint64(v.len)); table == nil {
		d.fail(q.addressRule(), q.index, "an indirect table of %d bytes at %#x, which are not mapped", v.len, v.addr)
		return nil, 0
	}
	return table, n
}

// descriptorAt reads entry i of a table in the split format, and the number of
// the next (2.7.5).
func descriptorAt(table []byte, i int) (v descriptor, next uint16) {
	b := table[virtio.DescLen*i : virtio.DescLen*i+virtio.DescLen]
	v.addr = binary.LittleEndian.Uint64(b)
	v.len = binary.LittleEndian.Uint32(b[8:])
	v.flags = binary.LittleEndian.Uint16(b[12:])
	return v, binary.LittleEndian.Uint16(b[14:])
}

// gather copies the readable part of the chain, from off on, into b and returns
// what it wrote. It stops when b is full.
func (c *chain) gather(b []byte, off int) []byte {
	n := 0
	for _, seg := range c.segs[:c.readable] {
		if off >= len(seg) {
			off -= len(seg)
			continue
		}
		n += copy(b[n:], seg[off:])
		off = 0
	}
	return b[:n]
}
