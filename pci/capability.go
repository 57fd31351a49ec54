package pci

import (
	"fmt"
	"iter"
)

// CapabilityID is the first byte of a capability.
type CapabilityID uint8

// Capabilities that a virtio driver reads.
const (
	CapabilityVendor CapabilityID = 0x09
	CapabilityMSIX   CapabilityID = 0x11
)

// Capabilities that are only named.
const (
	capabilityPM      CapabilityID = 0x01
	capabilityMSI     CapabilityID = 0x05
	capabilityExpress CapabilityID = 0x10
)

// String returns the name of the capability, or its number if it has none here.
func (id CapabilityID) String() string {
	switch id {
	case capabilityPM:
		return "power management"
	case capabilityMSI:
		return "MSI"
	case CapabilityVendor:
		return "vendor-specific"
	case capabilityExpress:
		return "PCI Express"
	case CapabilityMSIX:
		return "MSI-X"
	}
	return fmt.Sprintf("capability %#02x", uint8(id))
}

// Capability is one entry of the capability list.
type Capability struct {
	ID CapabilityID
	// Offset is where the entry begins in configuration space: a multiple of 4 from 0x40 to 0xfc.
	Offset int
	// Len is the length in bytes, header included: for a vendor-specific capability what its own
	// length byte says, 12 for MSI-X, and 0 for the others, whose length follows from their
	// contents. Offset+Len never exceeds ConfigSize.
	Len int
}

// Capabilities walks the capability list in its own order. A function without a list has none,
// which is no error.
//
// The walk takes 48 steps at most, whatever the device answers. A pointer that leads back, into the
// header or to an unaligned offset, and an entry that does not fit into configuration space, are an
// [Error]. The capabilities found before the fault are returned with the error, for showing them; a
// driver should not use them.
func Capabilities(fn ConfigReader) ([]Capability, error) {
	status, err := fn.ReadConfig(RegStatus, 2)
	if err != nil {
		return nil, err
	}
	if uint16(status)&StatusCapabilities == 0 {
		return nil, nil
	}
	first, err := fn.ReadConfig(RegCapabilities, 1)
	if err != nil {
		return nil, err
	}
	var caps []Capability
	var visited uint64 // one bit for every 4 bytes of configuration space
	from, at := RegCapabilities, int(first&0xff)
	for at != 0 {
		if err := checkPointer(from, at, visited); err != nil {
			return caps, err
		}
		visited |= 1 << (at / 4)
		c, next, err := readCapability(fn, at)
		if err != nil {
			return caps, err
		}
		caps = append(caps, c)
		// The pointer to the next one is the second byte of the capability.
		from, at = at+1, next
	}
	return caps, nil
}

// checkPointer validates the pointer at, found at offset from. The two low bits are reserved: a
// device that sets them is not trusted about anything else.
func checkPointer(from, at int, visited uint64) error {
	switch {
	case at < HeaderSize:
		return capabilityError(from, at, "the pointer leads into the header, which ends at 0x40")
	case at%4 != 0:
		return capabilityError(from, at, "the pointer is not a multiple of 4")
	case visited>>(at/4)&1 != 0:
		return capabilityError(from, at,
			fmt.Sprintf("the list is a loop: the pointer leads back to %#02x", at))
	}
	return nil
}

// readCapability reads the entry at a checked offset and the pointer after it.
func readCapability(fn ConfigReader, at int) (c Capability, next int, err error) {
	header, err := fn.ReadConfig(at, 2)
	if err != nil {
		return Capability{}, 0, err
	}
	c = Capability{ID: CapabilityID(header), Offset: at}
	switch c.ID {
	case 0xff:
		// Every read from a function that was removed returns all ones.
		return Capability{}, 0, capabilityError(at, 0xff,
			"the capability reads as all ones, as if the function had been removed")
	case CapabilityMSIX:
		c.Len = msixLen
	case CapabilityVendor:
		length, err := fn.ReadConfig(at+2, 1)
		if err != nil {
			return Capability{}, 0, err
		}
		c.Len = int(length & 0xff)
		if c.Len < vendorLen {
			return Capability{}, 0, capabilityError(at+2, c.Len,
				"a vendor-specific capability is shorter than its own header")
		}
	}
	if at+c.Len > ConfigSize {
		return Capability{}, 0, capabilityError(at, c.Len,
			fmt.Sprintf("the %s capability runs past the end of configuration space", c.ID))
	}
	return c, int(header >> 8 & 0xff), nil
}

// vendorLen is the header of a vendor-specific capability: id, next, length.
const vendorLen = 3

// First returns the first capability of caps that has the given id.
func First(caps []Capability, id CapabilityID) (Capability, bool) {
	for _, c := range caps {
		if c.ID == id {
			return c, true
		}
	}
	return Capability{}, false
}

// Vendor returns an iterator over the vendor-specific capabilities of caps, in list order.
func Vendor(caps []Capability) iter.Seq[Capability] {
	return func(yield func(Capability) bool) {
		for _, c := range caps {
			if c.ID == CapabilityVendor && !yield(c) {
				return
			}
		}
	}
}

// Read returns the Len bytes of the capability, header included. Each is read once, in accesses of
// 4 bytes, so that the device cannot change a value between its check and its use.
func (c Capability) Read(fn ConfigReader) ([]byte, error) {
	b := make([]byte, 0, c.Len+3)
	for off := c.Offset; off < c.Offset+c.Len; off += 4 {
		v, err := fn.ReadConfig(off, 4)
		if err != nil {
			return nil, err
		}
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return b[:c.Len], nil
}
