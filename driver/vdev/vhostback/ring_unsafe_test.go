package vhostback_test

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// ring is the driver side of a ring in shared memory, word by word. at is where
// it begins; its areas follow each other. Buffers get the numbers of their slots.
type ring struct {
	f      *front
	at     uint64
	size   int
	packed bool

	next, seen int // free-running: buffers added, buffers seen used
}

func newRing(f *front, at uint64, size int) *ring {
	return &ring{f: f, at: at, size: size, packed: f.packed}
}

// areas are the offsets of descriptor, driver and device area.
func (r *ring) areas() [3]uint64 {
	n := uint64(r.size)
	return [3]uint64{r.at, r.at + 16*n, (r.at + 18*n + 8 + 63) &^ 63}
}

func (r *ring) word(off uint64) *uint32 { return (*uint32)(unsafe.Pointer(&r.f.mem[off])) }

func (r *ring) get(off uint64) uint32    { return atomic.LoadUint32(r.word(off)) }
func (r *ring) put(off uint64, v uint32) { atomic.StoreUint32(r.word(off), v) }

// lap returns the wrap counter of a free-running position of a packed ring.
func (r *ring) lap(i int) bool { return i/r.size%2 == 0 }

func (r *ring) flags(i int, flags uint16) uint16 {
	if r.lap(i) {
		return flags | 1<<7
	}
	return flags | 1<<15
}

// desc writes descriptor i (of a packed ring: free-running) without publishing.
func (r *ring) desc(i int, addr uint64, length uint32, flags, next uint16) {
	off := r.areas()[0] + 16*uint64(i%r.size)
	binary.LittleEndian.PutUint64(r.f.mem[off:], addr)
	r.put(off+8, length)
	if r.packed {
		r.put(off+12, uint32(i%r.size)|uint32(r.flags(i, flags))<<16)
		return
	}
	r.put(off+12, uint32(flags)|uint32(next)<<16)
}

// offer makes the chain that begins with descriptor head available. Of a packed
// ring the descriptors are by writing them.
func (r *ring) offer(head uint16) {
	if r.packed {
		return
	}
	driver := r.areas()[1]
	binary.LittleEndian.PutUint16(r.f.mem[driver+4+2*uint64(r.next%r.size):], head)
	r.next++
	r.put(driver, r.get(driver)&0xffff|uint32(uint16(r.next))<<16)
}

// add makes a buffer of one descriptor available.
func (r *ring) add(addr uint64, length uint32, flags uint16) {
	i := r.next
	r.desc(i, addr, length, flags, 0)
	if r.packed {
		r.next++
		return
	}
	r.offer(uint16(i % r.size))
}

// chain makes a readable buffer of several descriptors available, whose bytes
// follow each other from addr on.
func (r *ring) chain(addr uint64, lengths ...uint32) {
	first := 0 // of a split ring the chain is always at the beginning of the table
	if r.packed {
		first = r.next
	}
	// The first one last: of a packed ring it is what makes the list available.
	end := addr
	for _, n := range lengths {
		end += uint64(n)
	}
	for i := len(lengths) - 1; i >= 0; i-- {
		var flags uint16 = next
		if i == len(lengths)-1 {
			flags = 0
		}
		end -= uint64(lengths[i])
		r.desc(first+i, end, lengths[i], flags, uint16(i+1))
	}
	if r.packed {
		r.next += len(lengths)
		return
	}
	r.offer(0)
}

// used returns the next used buffer.
func (r *ring) used() (id int, length uint32, ok bool) {
	if r.packed {
		off := r.areas()[0] + 16*uint64(r.seen%r.size)
		w := r.get(off + 12)
		avail, used := w>>16&(1<<7) != 0, w>>31 != 0
		if avail != used || used != r.lap(r.seen) {
			return 0, 0, false
		}
		r.seen++
		return int(w & 0xffff), r.get(off + 8), true
	}
	device := r.areas()[2]
	if uint16(r.get(device)>>16) == uint16(r.seen) {
		return 0, 0, false
	}
	off := device + 4 + 8*uint64(r.seen%r.size)
	r.seen++
	return int(r.get(off)), r.get(off + 4), true
}

// noInterrupt asks the device not to interrupt, or to interrupt again.
func (r *ring) noInterrupt(on bool) {
	var v uint32
	if on {
		v = 1
	}
	driver := r.areas()[1]
	if r.packed {
		r.put(driver, v<<16)
		return
	}
	r.put(driver, r.get(driver)&^0xffff|v)
}

// kickWanted reports whether the device asks to be notified.
func (r *ring) kickWanted() bool {
	device := r.areas()[2]
	if r.packed {
		return r.get(device)>>16 != 1
	}
	return r.get(device)&1 == 0
}

// skip sets the ring to the state after n buffers.
func (r *ring) skip(n int) {
	r.next, r.seen = n, n
	a := r.areas()
	if !r.packed {
		r.put(a[1], uint32(uint16(n))<<16)
		r.put(a[2], uint32(uint16(n))<<16)
		return
	}
	for i := max(0, n-r.size); i < n; i++ {
		var flags uint32
		if r.lap(i) {
			flags = 1<<7 | 1<<15
		}
		r.put(a[0]+16*uint64(i%r.size)+12, flags<<16)
	}
}

// base is the position in the words of SET_VRING_BASE.
func (r *ring) base() uint32 {
	if !r.packed {
		return uint32(uint16(r.next))
	}
	v := uint32(r.next % r.size)
	if r.lap(r.next) {
		v |= 1 << 15
	}
	return v | v<<16
}

// again makes all buffers of a ring available that is described already.
func (r *ring) again() {
	if !r.packed {
		r.next += r.size
		*r.word(r.areas()[1]) = uint32(uint16(r.next)) << 16
		return
	}
	base := unsafe.Pointer(&r.f.mem[r.areas()[0]])
	for i := range r.size {
		w := (*uint64)(unsafe.Add(base, 16*i+8))
		flags := uint64(1 << 7)
		if !r.lap(r.next) {
			flags = 1 << 15
		}
		*w = 0x700 | uint64(i)<<32 | (flags|uint64(r.f.mem[r.at+16*uint64(i)+14]&write))<<48
	}
	r.next += r.size
}
