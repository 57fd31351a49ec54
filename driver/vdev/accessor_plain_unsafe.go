//go:build amd64 && !race

package vdev

import (
	"sync/atomic"
	"unsafe"
)

// On amd64 stores become visible in program order, so an ordinary store publishes
// what was written before it. Without that order the driver could read a new index
// before the entries that it stands for.

func store32(b []byte, off int, v uint32) {
	_ = b[off+3]
	*(*uint32)(unsafe.Pointer(&b[off])) = v
}

func store64(b []byte, off int, v uint64) {
	_ = b[off+7]
	*(*uint64)(unsafe.Pointer(&b[off])) = v
}

func load16(b []byte, off int) uint16 {
	_ = b[off+1]
	return *(*uint16)(unsafe.Pointer(&b[off]))
}

func store16(b []byte, off int, v uint16) {
	_ = b[off+1]
	*(*uint16)(unsafe.Pointer(&b[off])) = v
}

// fence orders the stores before it with the loads after it: without it an
// index could be read before the other side can see what asks it to notify, and
// both would wait for each other. Any locked instruction does.
func fence(word *uint32) { atomic.AddUint32(word, 1) }
