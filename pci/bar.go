package pci

import "fmt"

// BAR is a base address register as configuration space shows it.
type BAR struct {
	Index        int    // 0 to 5
	IO           bool   // ports, not memory
	Wide         bool   // 64 bits: it takes the next register too
	Prefetchable bool   // reading has no side effects
	Base         uint64 // address on the bus, 0 when none was assigned
}

// ReadBARs returns the BARs of a function that have an address, in ascending
// order. A register of zero is no BAR, or one without an address; only sizing
// could tell, and that takes writes. A memory BAR of a reserved type, and a
// 64-bit one without a register for its upper half, are a *BARError.
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
			return nil, &BARError{BAR: i, Reason: fmt.Sprintf("its register %#08x is of a reserved type", v)}
		case 2:
			if i == 5 {
				return nil, &BARError{BAR: i, Reason: "it is 64 bits wide, and no register follows for the upper half"}
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

// BARError is a BAR that a function does not have or that cannot be used.
type BARError struct {
	Function string // address of the function, "" if not known
	BAR      int
	Reason   string // empty: the function does not have it
}

func (e *BARError) Error() string {
	reason := e.Reason
	if reason == "" {
		reason = "the function has no such BAR"
	}
	if e.Function == "" {
		return fmt.Sprintf("BAR %d: %s", e.BAR, reason)
	}
	return fmt.Sprintf("PCI function %s, BAR %d: %s", e.Function, e.BAR, reason)
}

// RegionError is an access that does not fit into the registers behind a BAR.
type RegionError struct {
	BAR    int
	Offset uint64 // bytes
	Width  int    // bytes
	Size   uint64 // bytes of the BAR
}

func (e *RegionError) Error() string {
	var reason string
	switch {
	case !registerWidth(e.Width):
		reason = "has no width of 1, 2 or 4 bytes"
	case e.Offset%uint64(e.Width) != 0:
		reason = "is not aligned"
	default:
		reason = fmt.Sprintf("lies outside its %#x bytes", e.Size)
	}
	return fmt.Sprintf("BAR %d: an access of %d bytes at %#x %s", e.BAR, e.Width, e.Offset, reason)
}

// CheckAccess tells whether an access of width bytes (1, 2 or 4) at off fits a
// BAR of size bytes and is aligned. The error is a *RegionError.
func CheckAccess(bar int, off uint64, width int, size uint64) error {
	if !registerWidth(width) || off%uint64(width) != 0 || off > size || size-off < uint64(width) {
		return &RegionError{BAR: bar, Offset: off, Width: width, Size: size}
	}
	return nil
}
