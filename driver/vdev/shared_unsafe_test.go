package vdev_test

import (
	"sync/atomic"
	"unsafe"
)

// The driver's half of the shared words. Tests can afford atomics everywhere.

func get32(b []byte, off int) uint32 { return atomic.LoadUint32((*uint32)(unsafe.Pointer(&b[off]))) }
func get64(b []byte, off int) uint64 { return atomic.LoadUint64((*uint64)(unsafe.Pointer(&b[off]))) }

func put32(b []byte, off int, v uint32) { atomic.StoreUint32((*uint32)(unsafe.Pointer(&b[off])), v) }
func put64(b []byte, off int, v uint64) { atomic.StoreUint64((*uint64)(unsafe.Pointer(&b[off])), v) }
