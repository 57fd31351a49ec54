package vfio

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// capability is one entry of the chain that follows the reply to a request.
type capability struct {
	id, version uint16
	body        []byte // what follows the header
}

const (
	capHeaderSize = 8
	capArraySize  = 8
	capPairSize   = 16
)

// capabilities walks the chain in a reply that begins at offset first, 0 for no chain. The kernel
// appends entries, so that the offsets ascend; a chain whose offsets do not is invalid, which also
// bounds the walk.
func capabilities(call string, reply []byte, first uint32) ([]capability, error) {
	var caps []capability
	var last uint32
	for at := first; at != 0; {
		if at <= last {
			return nil, replyError(call, uint64(at), "its capability chain leads back")
		}
		if uint64(at)+capHeaderSize > uint64(len(reply)) {
			return nil, replyError(call, uint64(at), "its capability chain leads out of the reply")
		}
		var h capHeader
		if err := decode(reply[at:], &h); err != nil {
			return nil, err
		}
		caps = append(caps, capability{id: h.ID, version: h.Version, body: reply[at+capHeaderSize:]})
		last, at = at, h.Next
	}
	return caps, nil
}

// pairs returns the pairs of 64-bit numbers in the body of a capability, which begins with their
// count.
func (c capability) pairs(call string) ([][2]uint64, error) {
	var head capArray
	if err := decode(c.body, &head); err != nil {
		return nil, replyError(call, uint64(len(c.body)), "it ends inside a capability")
	}
	rest := c.body[capArraySize:]
	if uint64(head.Count)*capPairSize > uint64(len(rest)) {
		return nil, replyError(call, uint64(head.Count),
			"a capability has more entries than it has room for")
	}
	list := make([][2]uint64, head.Count)
	for i := range list {
		list[i][0] = binary.NativeEndian.Uint64(rest[i*capPairSize:])
		list[i][1] = binary.NativeEndian.Uint64(rest[i*capPairSize+8:])
	}
	return list, nil
}

// iommuLimits is what VFIO_IOMMU_GET_INFO says about mappings.
type iommuLimits struct {
	// pageSize is the smallest page: addresses and sizes are multiples of it.
	pageSize uint64
	// ranges are the device addresses that can be mapped, in ascending order, without reserved ones
	// such as the window of message interrupts. It is empty on kernels before 4.17, which do not
	// report them.
	ranges []pci.Range
}

// parseIOMMUInfo reads the reply to VFIO_IOMMU_GET_INFO.
func parseIOMMUInfo(reply []byte) (iommuLimits, error) {
	call := getIOMMUInfo.String()
	var info iommuInfo
	if err := decode(reply, &info); err != nil {
		return iommuLimits{}, replyError(call, uint64(len(reply)), "it is too short")
	}
	limits := iommuLimits{pageSize: 4096}
	if info.Flags&iommuPageSizes != 0 && info.PageSizes != 0 {
		limits.pageSize = info.PageSizes & -info.PageSizes // the lowest bit
	}
	if info.Flags&iommuCaps == 0 {
		return limits, nil
	}
	caps, err := capabilities(call, reply, info.CapOffset)
	if err != nil {
		return iommuLimits{}, err
	}
	for _, c := range caps {
		if c.id != capIOVARange || c.version != 1 {
			continue
		}
		if limits.ranges, err = iovaRanges(call, c); err != nil {
			return iommuLimits{}, err
		}
	}
	return limits, nil
}

// iovaRanges reads the capability that lists the usable device addresses.
func iovaRanges(call string, c capability) ([]pci.Range, error) {
	list, err := c.pairs(call)
	if err != nil {
		return nil, err
	}
	ranges := make([]pci.Range, 0, len(list))
	for _, p := range list {
		if p[0] > p[1] {
			return nil, replyError(call, p[0], "a range of device addresses ends before it begins")
		}
		ranges = append(ranges, pci.Range{First: p[0], Last: p[1]})
	}
	slices.SortFunc(ranges, func(a, b pci.Range) int { return cmp.Compare(a.First, b.First) })
	for i := 1; i < len(ranges); i++ {
		if ranges[i].First <= ranges[i-1].Last {
			return nil, replyError(call, ranges[i].First, "ranges of device addresses overlap")
		}
	}
	if len(ranges) == 0 {
		// pci.DMA.Ranges means all addresses if it is empty.
		return nil, replyError(call, 0, "no device address at all can be mapped")
	}
	return ranges, nil
}

// regionLayout is what VFIO_DEVICE_GET_REGION_INFO says about a region.
type regionLayout struct {
	size   uint64
	offset uint64 // in the device's file
	// areas can be mapped; the rest is accessed by system calls.
	areas []sparseArea
}

// parseRegionInfo reads the reply to VFIO_DEVICE_GET_REGION_INFO. hole is the MSI-X table if it is
// in this region: kernels without capMSIXMappable refuse to map it.
func parseRegionInfo(reply []byte, hole sparseArea, page uint64) (regionLayout, error) {
	call := getRegionInfo.String()
	var info regionInfo
	if err := decode(reply, &info); err != nil {
		return regionLayout{}, replyError(call, uint64(len(reply)), "it is too short")
	}
	layout := regionLayout{size: info.Size, offset: info.Offset}
	if info.Size > 1<<62 || info.Offset > 1<<62 {
		return regionLayout{}, replyError(call, info.Size, "the region is too large")
	}
	if info.Flags&regionMmap == 0 || info.Size == 0 {
		return layout, nil
	}
	var caps []capability
	if info.Flags&regionCaps != 0 {
		var err error
		if caps, err = capabilities(call, reply, info.CapOffset); err != nil {
			return regionLayout{}, err
		}
	}
	for _, c := range caps {
		switch {
		case c.id == capMSIXMappable:
			hole = sparseArea{}
		case c.id == capSparseMmap && c.version == 1:
			list, err := c.pairs(call)
			if err != nil {
				return regionLayout{}, err
			}
			layout.areas = sparseAreas(list, info.Size, page)
			return layout, nil
		}
	}
	layout.areas = areasAround(hole, info.Size, page)
	return layout, nil
}

// sparseAreas returns the listed areas that consist of pages of the region. Others cannot be mapped
// and are accessed by system calls.
func sparseAreas(list [][2]uint64, size, page uint64) []sparseArea {
	var areas []sparseArea
	for _, p := range list {
		offset, length := p[0], p[1]
		if length == 0 || offset%page != 0 || length%page != 0 || offset >= size || length > size-offset {
			continue
		}
		areas = append(areas, sparseArea{Offset: offset, Size: length})
	}
	return areas
}

// areasAround returns the pages of a region without those that the hole overlaps. The last page may
// extend beyond the region.
func areasAround(hole sparseArea, size, page uint64) []sparseArea {
	end := (size + page - 1) &^ (page - 1)
	if hole.Size == 0 || hole.Offset >= size {
		return []sparseArea{{Size: end}}
	}
	var areas []sparseArea
	if before := hole.Offset &^ (page - 1); before > 0 {
		areas = append(areas, sparseArea{Size: before})
	}
	if after := (hole.Offset + hole.Size + page - 1) &^ (page - 1); after < end {
		areas = append(areas, sparseArea{Offset: after, Size: end - after})
	}
	return areas
}
