//go:build !amd64 || race

package vdev

import (
	"sync/atomic"
	"unsafe"
)

// Here every store is an atomic one: other processors than amd64 do not keep
// stores in order, and the race detector needs the pairs. Atomic operations of Go
// are ordered among each other, so that fence does nothing.

func store32(b []byte, off int, v uint32) {
	_ = b[off+3]
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&b[off])), v)
}

func store64(b []byte, off int, v uint64) {
	_ = b[off+7]
	atomic.StoreUint64((*uint64)(unsafe.Pointer(&b[off])), v)
}

// word returns the aligned 32-bit word that holds the 16 bits at off, and where
// in it they are. The word may reach two bytes beyond the area; it never
// crosses a page, so that it is mapped.
func word(b []byte, off int) (*uint32, uint) {
	_ = b[off+1]
	p := unsafe.Pointer(&b[off])
	half := uintptr(p) & 2
	return (*uint32)(unsafe.Add(p, -int(half))), uint(half) * 8
}

func load16(b []byte, off int) uint16 {
	w, shift := word(b, off)
	return uint16(atomic.LoadUint32(w) >> shift)
}

// store16 leaves the other half of the word as it is: it may be the driver's.
func store16(b []byte, off int, v uint16) {
	w, shift := word(b, off)
	for {
		old := atomic.LoadUint32(w)
		if atomic.CompareAndSwapUint32(w, old, old&^(0xffff<<shift)|uint32(v)<<shift) {
			return
		}
	}
}

func fence(*uint32) {}
