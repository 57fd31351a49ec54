package vfio

import (
	"runtime/debug"
	"unsafe"
)

// A register is a slice of 1, 2 or 4 bytes, naturally aligned, in mapped device memory. It is
// accessed by one instruction of exactly that width: the functions that do it are not inlined, so
// that the compiler can neither split an access, nor merge it with another, nor remove it.
//
// An access raises SIGBUS if the function does not decode its addresses, because it is being reset,
// is in a low-power state or was removed. A read then returns all ones, as on the bus.

// load reads a register. The barrier keeps later reads of the caller behind it.
func load(register []byte) (v uint32) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			v = 1<<(8*len(register)) - 1
		}
	}()
	p := unsafe.Pointer(unsafe.SliceData(register))
	switch len(register) {
	case 1:
		v = uint32(load8((*uint8)(p)))
	case 2:
		v = uint32(load16((*uint16)(p)))
	case 4:
		v = load32((*uint32)(p))
	}
	barrier()
	return v
}

// store writes a register. The barrier keeps it behind earlier stores of the caller, so that the
// device sees a descriptor before the doorbell.
func store(register []byte, v uint32) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { _ = recover() }()
	p := unsafe.Pointer(unsafe.SliceData(register))
	barrier()
	switch len(register) {
	case 1:
		store8((*uint8)(p), uint8(v))
	case 2:
		store16((*uint16)(p), uint16(v))
	case 4:
		store32((*uint32)(p), v)
	}
}

//go:noinline
func load8(p *uint8) uint8 { return *p }

//go:noinline
func load16(p *uint16) uint16 { return *p }

//go:noinline
func load32(p *uint32) uint32 { return *p }

//go:noinline
func store8(p *uint8, v uint8) { *p = v }

//go:noinline
func store16(p *uint16, v uint16) { *p = v }

//go:noinline
func store32(p *uint32, v uint32) { *p = v }
