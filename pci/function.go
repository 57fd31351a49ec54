package pci

// Function is one PCI function that a driver in user space owns: a real one behind VFIO or an
// emulated one. It is used to set a device up and to watch it, never once per packet.
//
// The methods may be called from several goroutines, except Close, after which no method, [Region]
// or doorbell of the function may be used.
type Function interface {
	// Address returns the address for messages: "0000:00:03.0".
	Address() string

	// ReadConfig reads width bytes (1, 2 or 4) of configuration space at off in one access. off is
	// a multiple of width.
	ReadConfig(off, width int) (uint32, error)
	// WriteConfig writes width bytes (1, 2 or 4) of configuration space at off in one access. off
	// is a multiple of width.
	WriteConfig(off, width int, v uint32) error

	// Region returns the registers behind BAR bar (0 to 5), mapped on first use. It fails with an
	// [Error] if the function does not have that BAR.
	Region(bar int) (Region, error)

	// Vectors returns how many interrupt vectors of a kind the function has.
	Vectors(kind IRQ) (int, error)
	// SetIRQ connects vector i of a kind to the eventfd fds[i]; -1 leaves a vector alone. A nil
	// slice disables the kind. The caller keeps ownership of the descriptors.
	SetIRQ(kind IRQ, fds []int) error

	// DMA returns how addresses given to the device are interpreted.
	DMA() DMA
	// MapDMA lets the device access mem at the addresses that begin at iova. With Physical
	// addressing iova is the physical address of mem, and mem is one page.
	MapDMA(iova uint64, mem []byte) error
	// UnmapDMA removes the mapping of size bytes at iova.
	UnmapDMA(iova uint64, size int) error

	// Reset resets the function as a whole. It fails with an error that answers
	// [errors.ErrUnsupported] where the function cannot be reset.
	Reset() error

	// Close stops the function's DMA, disables its interrupts and returns it to the kernel. It may
	// be called more than once.
	Close() error
}

// IRQ is a kind of interrupt.
type IRQ int

const (
	// INTx is the one line interrupt of a function.
	INTx IRQ = iota
	// MSIX is the table of message interrupts.
	MSIX
	// Removal is raised when the kernel asks for the function to be closed, as hot-unplug does. It
	// has one vector where it exists.
	Removal
)

// String returns the name of the kind in the PCI specification.
func (k IRQ) String() string {
	switch k {
	case INTx:
		return "INTx"
	case MSIX:
		return "MSI-X"
	case Removal:
		return "removal request"
	}
	return "unknown interrupt"
}

// DMA says how the addresses that a function uses are translated to memory.
type DMA struct {
	// Physical is true if no IOMMU is between the function and memory: the device uses physical
	// addresses and can access all of memory.
	Physical bool
	// Ranges are the addresses that can be mapped, in ascending order. Empty means all of the
	// 64-bit space.
	Ranges []Range
}

// Range is a range of device addresses, both ends included.
type Range struct{ First, Last uint64 }

// Region is the registers behind one BAR. Every access has exactly the width its name says, is
// naturally aligned, and is checked against the size of the BAR: an [Error] names what does not
// fit.
type Region interface {
	// Size returns the length of the BAR in bytes.
	Size() uint64
	Read8(off uint64) (uint8, error)
	Read16(off uint64) (uint16, error)
	Read32(off uint64) (uint32, error)
	Write8(off uint64, v uint8) error
	Write16(off uint64, v uint16) error
	Write32(off uint64, v uint32) error
	// Doorbell returns the register of the given width (2 or 4) at off as a doorbell, for use by
	// one goroutine at a time. Ring stores v, truncated to the register's width; every earlier
	// store of the caller is visible to the device before it.
	Doorbell(off uint64, width int) (interface{ Ring(v uint32) }, error)
}
