//go:build !amd64 || race

package virtq

import "sync/atomic"

// publish64 stores v in ring memory after everything stored before: a
// store-release on arm64, and what tells the race detector that the device in
// another goroutine synchronises with it.
func publish64(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

// publish32 is publish64 for 32 bits.
func publish32(p *uint32, v uint32) { atomic.StoreUint32(p, v) }
