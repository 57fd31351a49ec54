package vdev

import "unsafe"

// pageAligned reports whether mem begins at a page boundary.
func pageAligned(mem []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%pageSize == 0
}

// aligned reports whether mem begins at a multiple of n.
func aligned(mem []byte, n uint64) bool {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))%n == 0
}

// adjacent reports whether b follows a in the address space of the process.
func adjacent(a, b []byte) bool {
	return uintptr(unsafe.Pointer(unsafe.SliceData(a)))+uintptr(len(a)) == uintptr(unsafe.Pointer(unsafe.SliceData(b)))
}

// extend returns the n bytes from the beginning of b on. The caller has made
// sure that all of them are mapped, in regions found to be adjacent.
func extend(b []byte, n uint64) []byte {
	return unsafe.Slice(unsafe.SliceData(b), n)
}
