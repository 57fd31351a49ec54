package virtq

import (
	"sync/atomic"
	"unsafe"
)

// This file makes typed views of the bytes of ring memory, once, when a queue is
// made. Byte order is that of the machine, which is the little-endian of the
// specification on every machine that the driver runs on. The bounds were
// checked by checkMemory; each view is a slice of its own, so that the loops
// are checked from there on like any other Go code.

// desc is a descriptor of either format: an address, and eight bytes of which
// the meaning differs (2.7.5, 2.8.13).
type desc struct {
	addr uint64
	meta uint64
}

// usedElem is an entry of the split ring's used ring (2.7.8).
type usedElem struct {
	id  uint32
	len uint32
}

const descBytes = int(unsafe.Sizeof(desc{}))

// addressOf returns the virtual address of b[0], 0 if b is empty.
func addressOf(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// descsAt returns the n descriptors at off.
func descsAt(b []byte, off, n int) []desc {
	_ = b[off : off+n*descBytes]
	return unsafe.Slice((*desc)(unsafe.Pointer(&b[off])), n)
}

// usedElemsAt returns the n used entries at off.
func usedElemsAt(b []byte, off, n int) []usedElem {
	_ = b[off : off+n*int(unsafe.Sizeof(usedElem{}))]
	return unsafe.Slice((*usedElem)(unsafe.Pointer(&b[off])), n)
}

// halvesAt returns the n 16-bit words at off.
func halvesAt(b []byte, off, n int) []uint16 {
	_ = b[off : off+2*n]
	return unsafe.Slice((*uint16)(unsafe.Pointer(&b[off])), n)
}

// wordAt returns the 32-bit word at off, a multiple of 4.
func wordAt(b []byte, off int) *uint32 {
	_ = b[off : off+4]
	return (*uint32)(unsafe.Pointer(&b[off]))
}

// upperHalf returns the upper 32 bits of a word as a word.
func upperHalf(p *uint64) *uint32 { return (*uint32)(unsafe.Add(unsafe.Pointer(p), 4)) }

// load64 reads a word that the device may be writing: once, whole, and before
// anything that the caller reads after it. An atomic load is a plain MOV on
// amd64 and a load-acquire on arm64.
func load64(p *uint64) uint64 { return atomic.LoadUint64(p) }

// load32 is load64 for 32 bits.
func load32(p *uint32) uint32 { return atomic.LoadUint32(p) }

// publishAndFence32 stores v after everything stored before, and lets nothing
// after it be read earlier. It is the full barrier of 2.7.13.4.1: without it the
// index could still be in the store buffer while the driver reads that no
// notification is wanted, and the device go to sleep without having seen it.
func publishAndFence32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }

// fence lets nothing after it be read before everything stored before it is
// visible (2.8.21.3.1). p is a word of the caller's own: any atomic store is a
// full barrier on amd64 (XCHG), and on arm64 a store-release, before which the
// store-releases of the descriptors and after which the load-acquire of the
// event word stay in order.
func fence(p *uint32) { atomic.StoreUint32(p, 0) }
