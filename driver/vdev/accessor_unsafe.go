package vdev

import (
	"sync/atomic"
	"unsafe"
)

// The words of a ring that both sides use at the same time go through the
// functions of this file and its two variants. b is an area of a ring, off a
// multiple of the width inside it; areas are aligned (see checkAreas) and the
// host is little-endian, as amd64 and arm64 are.
//
// A load is an atomic one everywhere, which costs nothing: all that the other side
// wrote before the value that is read is visible afterwards. The race detector
// pairs accesses of the same address only, so the words are those that a driver has
// to use as well: flags|idx and the two event words of a split ring, len|id|flags of
// a packed descriptor, and the event structures.

func load32(b []byte, off int) uint32 {
	_ = b[off+3]
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&b[off])))
}

func load64(b []byte, off int) uint64 {
	_ = b[off+7]
	return atomic.LoadUint64((*uint64)(unsafe.Pointer(&b[off])))
}
