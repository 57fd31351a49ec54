package pci

import "fmt"

const (
	msixLen       = 12
	msixEntrySize = 16
)

// MSIXTable is what the MSI-X capability says about the table of message interrupts and about the
// array of pending bits (PBA).
type MSIXTable struct {
	Vectors     int    // 1 to 2048
	Enabled     bool   // message interrupts are on, the line interrupt is off
	Masked      bool   // all vectors are masked
	TableBAR    int    // 0 to 5
	TableOffset uint32 // bytes into that BAR, a multiple of 8
	PBABAR      int    // 0 to 5
	PBAOffset   uint32 // bytes into that BAR, a multiple of 8
}

// ReadMSIX reads an MSI-X capability found by [Capabilities]. A BAR number above 5 is an [Error].
// Whether table and PBA lie inside their BARs is not checked: the sizes are known only to the owner
// of the BARs.
func ReadMSIX(fn ConfigReader, c Capability) (MSIXTable, error) {
	if c.ID != CapabilityMSIX || c.Len < msixLen {
		return MSIXTable{}, capabilityError(c.Offset, int(c.ID), "there is no MSI-X capability")
	}
	b, err := c.Read(fn)
	if err != nil {
		return MSIXTable{}, err
	}
	control := uint16(b[2]) | uint16(b[3])<<8
	m := MSIXTable{
		Vectors: int(control&0x7ff) + 1,
		Enabled: control>>15&1 != 0,
		Masked:  control>>14&1 != 0,
	}
	if m.TableBAR, m.TableOffset, err = msixLocation(c.Offset+4, b[4:8]); err != nil {
		return MSIXTable{}, err
	}
	if m.PBABAR, m.PBAOffset, err = msixLocation(c.Offset+8, b[8:12]); err != nil {
		return MSIXTable{}, err
	}
	return m, nil
}

// msixLocation splits a register that holds a BAR number in its low three bits and an offset in the
// rest.
func msixLocation(off int, b []byte) (bar int, offset uint32, err error) {
	v := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	bar, offset = int(v&7), v&^7
	if bar > 5 {
		return 0, 0, capabilityError(off, bar, fmt.Sprintf("MSI-X is said to be in BAR %d", bar))
	}
	return bar, offset, nil
}

// Size returns the length of the vector table in bytes.
func (m MSIXTable) Size() uint64 { return uint64(m.Vectors) * msixEntrySize }

// PBASize returns the length of the pending bit array in bytes: one bit a vector, in words of 8
// bytes.
func (m MSIXTable) PBASize() uint64 { return (uint64(m.Vectors) + 63) / 64 * 8 }
