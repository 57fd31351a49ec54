package pci

import (
	"encoding/binary"
	"fmt"
	"io/fs"
)

// Registers of the configuration space header, type 0: byte offsets. The width in bytes is in the
// comment.
const (
	RegVendorID     = 0x00 // 2
	RegDeviceID     = 0x02 // 2
	RegCommand      = 0x04 // 2
	RegStatus       = 0x06 // 2
	RegRevisionID   = 0x08 // 1
	RegClass        = 0x09 // 3: programming interface, sub-class, base class
	RegHeaderType   = 0x0e // 1: bit 7 says several functions
	RegBAR0         = 0x10 // 4, six of them
	RegSubVendorID  = 0x2c // 2
	RegSubDeviceID  = 0x2e // 2
	RegCapabilities = 0x34 // 1: offset of the first capability
)

const (
	// HeaderSize is where the header ends and capabilities may begin. It is also all of
	// configuration space that Linux shows to unprivileged readers.
	HeaderSize = 0x40
	// ConfigSize is the configuration space that capabilities can be in; PCI Express has more
	// after it.
	ConfigSize = 0x100
)

// Bits of the command register.
const (
	CommandIO          uint16 = 1 << 0  // answers at its I/O BARs
	CommandMemory      uint16 = 1 << 1  // answers at its memory BARs
	CommandBusMaster   uint16 = 1 << 2  // may do DMA and send message interrupts
	CommandINTxDisable uint16 = 1 << 10 // must not raise its line interrupt
)

// StatusCapabilities is the bit of the status register that says there is a capability list.
const StatusCapabilities uint16 = 1 << 4

// ConfigReader is the part of [Function] that reads configuration space.
type ConfigReader interface {
	// ReadConfig reads width bytes (1, 2 or 4) of configuration space at off in one access. off is
	// a multiple of width.
	ReadConfig(off, width int) (uint32, error)
}

// ConfigAccess is the part of [Function] that reads and writes configuration space.
type ConfigAccess interface {
	ConfigReader
	WriteConfig(off, width int, v uint32) error
}

// UpdateCommand sets and clears bits of the command register and leaves its other bits alone. It
// writes only if that changes the register, and returns what the register held before.
func UpdateCommand(fn ConfigAccess, set, clear uint16) (before uint16, err error) {
	v, err := fn.ReadConfig(RegCommand, 2)
	if err != nil {
		return 0, err
	}
	before = uint16(v)
	after := before&^clear | set
	if after == before {
		return before, nil
	}
	return before, fn.WriteConfig(RegCommand, 2, uint32(after))
}

// ConfigSpace is configuration space in memory, such as a snapshot of it. It may be shorter than
// the real one.
type ConfigSpace []byte

// ReadConfig reads from the snapshot. It fails where [CheckConfigAccess] does.
func (c ConfigSpace) ReadConfig(off, width int) (uint32, error) {
	if err := CheckConfigAccess(off, width, len(c)); err != nil {
		return 0, err
	}
	switch width {
	case 1:
		return uint32(c[off]), nil
	case 2:
		return uint32(binary.LittleEndian.Uint16(c[off:])), nil
	}
	return binary.LittleEndian.Uint32(c[off:]), nil
}

// CheckConfigAccess returns nil for an aligned access of width bytes (1, 2 or 4) at off that lies
// inside configuration space of size bytes. Any other is an [Error]; it answers
// [io/fs.ErrPermission] where only size bytes, fewer than ConfigSize, are shown.
func CheckConfigAccess(off, width, size int) error {
	if !registerWidth(width) || off < 0 || off%width != 0 || off > size-width {
		return configError(off, width, size)
	}
	return nil
}

func registerWidth(n int) bool { return n == 1 || n == 2 || n == 4 }

// configError is an access to configuration space that cannot be made.
func configError(off, width, size int) *Error {
	e := &Error{Field: "configuration space", Offset: uint64(off)}
	if off >= 0 && size < ConfigSize && off+width > size {
		e.Reason = fmt.Sprintf("an access of %d bytes at %#x is refused, "+
			"only the first %d bytes can be read", width, off, size)
		e.Remedy = "run as root: Linux shows the rest to root only"
		e.Err = fs.ErrPermission
		return e
	}
	e.Reason = fmt.Sprintf("an access of %d bytes at %#x is not an aligned access of 1, 2 or 4 bytes "+
		"inside %d bytes", width, off, size)
	return e
}
