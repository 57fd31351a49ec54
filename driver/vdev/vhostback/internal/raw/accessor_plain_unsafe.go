//go:build amd64 && !race

package raw

import (
	"sync/atomic"
	"unsafe"
)

// On amd64 stores become visible in program order, so that a plain one publishes
// what was written before it, and a load is not moved before another.

func load32(p unsafe.Pointer) uint32 { return atomic.LoadUint32((*uint32)(p)) }
func load64(p unsafe.Pointer) uint64 { return atomic.LoadUint64((*uint64)(p)) }

func store32(p unsafe.Pointer, v uint32) { *(*uint32)(p) = v }
func store64(p unsafe.Pointer, v uint64) { *(*uint64)(p) = v }
