package pci

import "fmt"

// BAR is a base address register as configuration space shows it.
type BAR struct {
	Index        int    // 0 to 5
	IO           bool   // I/O ports, not memory
	Wide         bool   // 64 bits: it takes the next register too
	Prefetchable bool   // reading has no side effects
	Base         uint64 // address on the bus, 0 when none was assigned
}

// ReadBARs returns the BARs of a function that have an address, in ascending order. A register of
// zero is no BAR, or one without an address: telling them apart takes writes. A memory BAR of a
// reserved type, and a 64-bit one without a register for its upper half, are an [Error] whose Field
// names the BAR.
func ReadBARs(fn ConfigReader) ([]BAR, error) {
	var bars []BAR
	for i := 0; i < 6; i++ {
		v, err := fn.ReadConfig(RegBAR0+4*i, 4)
		if err != nil {
			return nil, err
		}
		if v == 0 {
			continue
		}
		bar := BAR{Index: i}
		if v&1 != 0 {
			bar.IO, bar.Base = true, uint64(v&^3)
			bars = append(bars, bar)
			continue
		}
		bar.Prefetchable, bar.Base = v>>3&1 != 0, uint64(v&^15)
		switch v >> 1 & 3 {
		case 1, 3:
			return nil, barError(i, v, fmt.Sprintf("its register %#08x is of a reserved type", v))
		case 2:
			if i == 5 {
				return nil, barError(i, v, "it is 64 bits wide, and no register follows for the upper half")
			}
			upper, err := fn.ReadConfig(RegBAR0+4*(i+1), 4)
			if err != nil {
				return nil, err
			}
			bar.Wide, bar.Base = true, bar.Base|uint64(upper)<<32
			i++
		}
		bars = append(bars, bar)
	}
	return bars, nil
}

// CheckAccess returns nil for an aligned access of width bytes (1, 2 or 4) at off that lies inside
// a BAR of size bytes. Any other is an [Error] whose Field names the BAR.
func CheckAccess(bar int, off uint64, width int, size uint64) error {
	switch {
	case !registerWidth(width):
		return accessError(bar, off, width, "does not have a width of 1, 2 or 4 bytes")
	case off%uint64(width) != 0:
		return accessError(bar, off, width, "is not aligned")
	case off > size || size-off < uint64(width):
		return accessError(bar, off, width, fmt.Sprintf("lies outside its %#x bytes", size))
	}
	return nil
}

// CheckDoorbell returns nil for a register that can be a doorbell: what [CheckAccess] allows, of 2
// or 4 bytes.
func CheckDoorbell(bar int, off uint64, width int, size uint64) error {
	if err := CheckAccess(bar, off, width, size); err != nil {
		return err
	}
	if width == 1 {
		return accessError(bar, off, width, "does not have the width of a doorbell, 2 or 4 bytes")
	}
	return nil
}

// accessError is an access that does not fit the registers behind a BAR.
func accessError(bar int, off uint64, width int, reason string) *Error {
	return &Error{
		Field: fmt.Sprintf("BAR %d", bar), Offset: off,
		Reason: fmt.Sprintf("an access of %d bytes at %#x %s", width, off, reason),
	}
}
