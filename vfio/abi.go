package vfio

import "fmt"

// request is the number of an ioctl of VFIO: _IO(';', 100+n).
type request uintptr

const requestBase = ';'<<8 + 100

const (
	getAPIVersion  request = requestBase + 0  // container
	checkExtension request = requestBase + 1  // container
	setIOMMU       request = requestBase + 2  // container
	getGroupStatus request = requestBase + 3  // group
	setContainer   request = requestBase + 4  // group
	getDeviceFD    request = requestBase + 6  // group
	getDeviceInfo  request = requestBase + 7  // device
	getRegionInfo  request = requestBase + 8  // device
	getIRQInfo     request = requestBase + 9  // device
	setIRQs        request = requestBase + 10 // device
	resetDevice    request = requestBase + 11 // device
	getIOMMUInfo   request = requestBase + 12 // container, type1
	mapDMA         request = requestBase + 13 // container, type1
	unmapDMA       request = requestBase + 14 // container, type1
)

// String returns the name in linux/vfio.h.
func (r request) String() string {
	switch r {
	case getAPIVersion:
		return "VFIO_GET_API_VERSION"
	case checkExtension:
		return "VFIO_CHECK_EXTENSION"
	case setIOMMU:
		return "VFIO_SET_IOMMU"
	case getGroupStatus:
		return "VFIO_GROUP_GET_STATUS"
	case setContainer:
		return "VFIO_GROUP_SET_CONTAINER"
	case getDeviceFD:
		return "VFIO_GROUP_GET_DEVICE_FD"
	case getDeviceInfo:
		return "VFIO_DEVICE_GET_INFO"
	case getRegionInfo:
		return "VFIO_DEVICE_GET_REGION_INFO"
	case getIRQInfo:
		return "VFIO_DEVICE_GET_IRQ_INFO"
	case setIRQs:
		return "VFIO_DEVICE_SET_IRQS"
	case resetDevice:
		return "VFIO_DEVICE_RESET"
	case getIOMMUInfo:
		return "VFIO_IOMMU_GET_INFO"
	case mapDMA:
		return "VFIO_IOMMU_MAP_DMA"
	case unmapDMA:
		return "VFIO_IOMMU_UNMAP_DMA"
	}
	return fmt.Sprintf("VFIO ioctl %#x", uintptr(r))
}

const apiVersion = 0

// Types of IOMMU, which are also extensions that VFIO_CHECK_EXTENSION takes.
const (
	type1IOMMU   = 1
	type1v2IOMMU = 3
	noIOMMU      = 8
)

// Indexes of the regions and interrupts of a PCI function.
const (
	configRegion = 7

	intxIndex    = 0
	msixIndex    = 2
	removalIndex = 4
)

// All padding of the structures is written out, so that encoding/binary and the C compiler agree on
// their layout.

type groupStatus struct{ Argsz, Flags uint32 }

const (
	groupViable       = 1 << 0
	groupContainerSet = 1 << 1
)

type deviceInfo struct{ Argsz, Flags, Regions, IRQs, CapOffset uint32 }

const (
	deviceReset = 1 << 0
	devicePCI   = 1 << 1
)

type regionInfo struct {
	Argsz, Flags, Index, CapOffset uint32
	Size, Offset                   uint64
}

const (
	regionRead  = 1 << 0
	regionWrite = 1 << 1
	regionMmap  = 1 << 2
	regionCaps  = 1 << 3
)

type irqInfo struct{ Argsz, Flags, Index, Count uint32 }

const (
	irqEventfd    = 1 << 0
	irqMaskable   = 1 << 1
	irqAutomasked = 1 << 2
)

// irqSet is followed by Count descriptors of 32 bits with irqDataEventfd.
type irqSet struct{ Argsz, Flags, Index, Start, Count uint32 }

const (
	irqDataNone      = 1 << 0
	irqDataEventfd   = 1 << 2
	irqActionUnmask  = 1 << 4
	irqActionTrigger = 1 << 5
)

type iommuInfo struct {
	Argsz, Flags uint32
	PageSizes    uint64
	CapOffset, _ uint32
}

const (
	iommuPageSizes = 1 << 0
	iommuCaps      = 1 << 1
)

type dmaMap struct {
	Argsz, Flags        uint32
	Vaddr, Iova, Length uint64
}

const (
	dmaRead  = 1 << 0
	dmaWrite = 1 << 1
)

type dmaUnmap struct {
	Argsz, Flags uint32
	Iova, Length uint64
}

// capHeader begins each entry of a capability chain; Next is an offset from the start of the reply,
// 0 at the end.
type capHeader struct {
	ID, Version uint16
	Next        uint32
}

// Capabilities of a region and of the IOMMU.
const (
	capSparseMmap   = 1
	capMSIXMappable = 3

	capIOVARange = 1
)

// capArray begins the body of capSparseMmap and capIOVARange: Count pairs of 64 bits follow.
type capArray struct{ Count, _ uint32 }

// sparseArea is a part of a region that can be mapped.
type sparseArea struct{ Offset, Size uint64 }

// iovaRange is a range of device addresses, both ends included.
type iovaRange struct{ First, Last uint64 }
