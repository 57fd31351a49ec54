//go:build !amd64 || race

package vhostback

import (
	"sync/atomic"
	"unsafe"
)

// Other processors than amd64 need to be told to keep stores in order, and the
// race detector wants to see them.

func rawLoad32(p unsafe.Pointer) uint32 { return atomic.LoadUint32((*uint32)(p)) }
func rawLoad64(p unsafe.Pointer) uint64 { return atomic.LoadUint64((*uint64)(p)) }

func rawStore32(p unsafe.Pointer, v uint32) { atomic.StoreUint32((*uint32)(p), v) }
func rawStore64(p unsafe.Pointer, v uint64) { atomic.StoreUint64((*uint64)(p), v) }
