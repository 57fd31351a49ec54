package vfio

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
)

// The expected numbers were printed by a C program that includes linux/vfio.h.
func TestRequestNumbers(t *testing.T) {
	for _, c := range []struct {
		r    request
		want uintptr
		name string
	}{
		{getAPIVersion, 0x3b64, "VFIO_GET_API_VERSION"},
		{checkExtension, 0x3b65, "VFIO_CHECK_EXTENSION"},
		{setIOMMU, 0x3b66, "VFIO_SET_IOMMU"},
		{getGroupStatus, 0x3b67, "VFIO_GROUP_GET_STATUS"},
		{setContainer, 0x3b68, "VFIO_GROUP_SET_CONTAINER"},
		{getDeviceFD, 0x3b6a, "VFIO_GROUP_GET_DEVICE_FD"},
		{getDeviceInfo, 0x3b6b, "VFIO_DEVICE_GET_INFO"},
		{getRegionInfo, 0x3b6c, "VFIO_DEVICE_GET_REGION_INFO"},
		{getIRQInfo, 0x3b6d, "VFIO_DEVICE_GET_IRQ_INFO"},
		{setIRQs, 0x3b6e, "VFIO_DEVICE_SET_IRQS"},
		{resetDevice, 0x3b6f, "VFIO_DEVICE_RESET"},
		{getIOMMUInfo, 0x3b70, "VFIO_IOMMU_GET_INFO"},
		{mapDMA, 0x3b71, "VFIO_IOMMU_MAP_DMA"},
		{unmapDMA, 0x3b72, "VFIO_IOMMU_UNMAP_DMA"},
		{0x3bff, 0x3bff, "VFIO ioctl 0x3bff"},
	} {
		if uintptr(c.r) != c.want || c.r.String() != c.name {
			t.Errorf("%s is %#x, want %s, %#x", c.r, uintptr(c.r), c.name, c.want)
		}
	}
}

// The sizes and offsets are what sizeof and offsetof give for linux/vfio.h.
func TestStructures(t *testing.T) {
	for _, c := range []struct {
		v       any
		size    int
		offsets map[string]uintptr
	}{
		{groupStatus{}, 8, map[string]uintptr{"Flags": 4}},
		{deviceInfo{}, 20, map[string]uintptr{"Flags": 4, "Regions": 8, "IRQs": 12, "CapOffset": 16}},
		{regionInfo{}, 32, map[string]uintptr{"Flags": 4, "Index": 8, "CapOffset": 12, "Size": 16,
			"Offset": 24}},
		{irqInfo{}, 16, map[string]uintptr{"Flags": 4, "Index": 8, "Count": 12}},
		{irqSet{}, 20, map[string]uintptr{"Flags": 4, "Index": 8, "Start": 12, "Count": 16}},
		{iommuInfo{}, 24, map[string]uintptr{"Flags": 4, "PageSizes": 8, "CapOffset": 16}},
		{dmaMap{}, 32, map[string]uintptr{"Flags": 4, "Vaddr": 8, "Iova": 16, "Length": 24}},
		{dmaUnmap{}, 24, map[string]uintptr{"Flags": 4, "Iova": 8, "Length": 16}},
		{capHeader{}, 8, map[string]uintptr{"Version": 2, "Next": 4}},
		{capArray{}, 8, map[string]uintptr{"Count": 0}},
		{sparseArea{}, 16, map[string]uintptr{"Size": 8}},
	} {
		typ := reflect.TypeOf(c.v)
		// The encoder adds no padding: its size must be that of the structure in memory.
		if encoded := binary.Size(c.v); encoded != c.size || int(typ.Size()) != c.size ||
			len(encode(c.v)) != c.size {
			t.Errorf("%s: %d bytes encoded, %d in memory, want %d", typ, encoded, typ.Size(), c.size)
		}
		for name, want := range c.offsets {
			if f, ok := typ.FieldByName(name); !ok || f.Offset != want {
				t.Errorf("%s.%s is at %d, want %d", typ, name, f.Offset, want)
			}
		}
	}
}

func TestArgumentBeginsWithItsLength(t *testing.T) {
	for _, c := range []struct {
		v    any
		tail []byte
		want []byte
	}{
		{groupStatus{Argsz: 99, Flags: 5}, nil, []byte{8, 0, 0, 0, 5, 0, 0, 0}},
		{irqSet{Flags: irqDataEventfd | irqActionTrigger, Index: msixIndex, Start: 1, Count: 1},
			[]byte{3, 0, 0, 0},
			[]byte{24, 0, 0, 0, 0x24, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0}},
	} {
		if got := argument(c.v, c.tail...); !bytes.Equal(got, c.want) {
			t.Errorf("%+v: % x, want % x", c.v, got, c.want)
		}
	}
}
