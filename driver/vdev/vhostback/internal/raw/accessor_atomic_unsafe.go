//go:build !amd64 || race

package raw

import (
	"sync/atomic"
	"unsafe"
)

// Other processors than amd64 need to be told to keep stores in order, and the
// race detector wants to see them.

func load32(p unsafe.Pointer) uint32 { return atomic.LoadUint32((*uint32)(p)) }
func load64(p unsafe.Pointer) uint64 { return atomic.LoadUint64((*uint64)(p)) }

func store32(p unsafe.Pointer, v uint32) { atomic.StoreUint32((*uint32)(p), v) }
func store64(p unsafe.Pointer, v uint64) { atomic.StoreUint64((*uint64)(p), v) }
