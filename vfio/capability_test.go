package vfio

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// entry encodes a capability with pairs of 64-bit numbers.
func entry(id, version uint16, next uint32, pairs ...[2]uint64) []byte {
	b := encode(capHeader{ID: id, Version: version, Next: next})
	b = append(b, encode(capArray{Count: uint32(len(pairs))})...)
	for _, p := range pairs {
		b = append(b, encode(p)...)
	}
	return b
}

// iommuReply encodes a reply to VFIO_IOMMU_GET_INFO with a chain that begins at offset first.
func iommuReply(flags uint32, pageSizes uint64, first uint32, chain ...[]byte) []byte {
	tail := slices.Concat(chain...)
	return append(encode(iommuInfo{Argsz: uint32(24 + len(tail)), Flags: flags, PageSizes: pageSizes,
		CapOffset: first}), tail...)
}

func TestIOMMUInfo(t *testing.T) {
	const both = iommuPageSizes | iommuCaps
	// The reply of an Intel IOMMU of 39 bits: migration, mappings available, ranges.
	migration := slices.Concat(encode(capHeader{ID: 2, Version: 1, Next: 24 + 24}), make([]byte, 16))
	available := slices.Concat(encode(capHeader{ID: 3, Version: 1, Next: 24 + 24 + 16}),
		encode(uint32(65535)), make([]byte, 4))
	ranges := entry(capIOVARange, 1, 0, [2]uint64{0, 0xfedfffff}, [2]uint64{0xfef00000, 1<<39 - 1})
	got, err := parseIOMMUInfo(iommuReply(both, 0x40201000, 24, migration, available, ranges))
	want := iommuLimits{pageSize: 4096, ranges: []pci.Range{{First: 0, Last: 0xfedfffff},
		{First: 0xfef00000, Last: 1<<39 - 1}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}

	for _, c := range []struct {
		name  string
		reply []byte
		want  iommuLimits
	}{
		{"no capabilities, as before Linux 4.17", iommuReply(iommuPageSizes, 1<<16, 0),
			iommuLimits{pageSize: 1 << 16}},
		{"no page sizes", iommuReply(0, 1<<16, 0), iommuLimits{pageSize: 4096}},
		{"offset without the flag", iommuReply(iommuPageSizes, 4096, 24), iommuLimits{pageSize: 4096}},
		{"flag without a chain", iommuReply(both, 4096, 0), iommuLimits{pageSize: 4096}},
		{"a later version of the ranges", iommuReply(both, 4096, 24,
			entry(capIOVARange, 2, 0, [2]uint64{5, 1})), iommuLimits{pageSize: 4096}},
		{"descending ranges",
			iommuReply(both, 4096, 24, entry(capIOVARange, 1, 0, [2]uint64{64, 127}, [2]uint64{0, 63})),
			iommuLimits{pageSize: 4096, ranges: []pci.Range{{First: 0, Last: 63}, {First: 64, Last: 127}}}},
		{"all addresses", iommuReply(both, 4096, 24, entry(capIOVARange, 1, 0,
			[2]uint64{0, math.MaxUint64})),
			iommuLimits{pageSize: 4096, ranges: []pci.Range{{First: 0, Last: math.MaxUint64}}}},
	} {
		if got, err := parseIOMMUInfo(c.reply); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v; want %+v", c.name, got, err, c.want)
		}
	}
}

func TestInvalidIOMMUInfo(t *testing.T) {
	const both = iommuPageSizes | iommuCaps
	tooMany := entry(capIOVARange, 1, 0, [2]uint64{0, 1})
	tooMany[8] = 200
	most := entry(capIOVARange, 1, 0)
	copy(most[8:], encode(uint32(math.MaxUint32)))
	for _, c := range []struct {
		name, want string
		reply      []byte
	}{
		{"empty", "too short", nil},
		{"cut off", "too short", iommuReply(both, 4096, 0)[:23]},
		{"chain outside", "out of the reply", iommuReply(both, 4096, 25)},
		{"chain far outside", "out of the reply", iommuReply(both, 4096, math.MaxUint32)},
		{"loop on itself", "leads back", iommuReply(both, 4096, 24, entry(9, 1, 24))},
		{"loop of two", "leads back", iommuReply(both, 4096, 24, entry(9, 1, 40), entry(9, 1, 24))},
		{"next outside", "out of the reply", iommuReply(both, 4096, 24, entry(9, 1, 40))},
		{"no room for the count", "inside a capability", iommuReply(both, 4096, 24,
			entry(capIOVARange, 1, 0)[:12])},
		{"more ranges than bytes", "more entries", iommuReply(both, 4096, 24, tooMany)},
		{"largest count of ranges", "more entries", iommuReply(both, 4096, 24, most)},
		{"range upside down", "ends before", iommuReply(both, 4096, 24,
			entry(capIOVARange, 1, 0, [2]uint64{2, 1}))},
		{"overlap", "overlap",
			iommuReply(both, 4096, 24, entry(capIOVARange, 1, 0, [2]uint64{0, 10}, [2]uint64{10, 20}))},
		{"no range", "no device address", iommuReply(both, 4096, 24, entry(capIOVARange, 1, 0))},
	} {
		_, err := parseIOMMUInfo(c.reply)
		var reply *Error
		if !errors.As(err, &reply) || !strings.Contains(reply.Reason, "invalid reply") ||
			!strings.Contains(err.Error(), c.want) || reply.Op != "VFIO_IOMMU_GET_INFO" {
			t.Errorf("%s: %v; want an invalid reply with %q", c.name, err, c.want)
		}
	}
}

// regionReply encodes a reply to VFIO_DEVICE_GET_REGION_INFO.
func regionReply(flags uint32, size uint64, chain ...[]byte) []byte {
	tail := slices.Concat(chain...)
	info := regionInfo{Argsz: uint32(32 + len(tail)), Flags: flags, Size: size, Offset: 2 << 40}
	if len(tail) > 0 {
		info.CapOffset = 32
	}
	return append(encode(info), tail...)
}

func TestRegionInfo(t *testing.T) {
	const access = regionRead | regionWrite
	mappable := encode(capHeader{ID: capMSIXMappable, Version: 1})
	table := sparseArea{Offset: 0x2800, Size: 0x30} // in the third page
	for _, c := range []struct {
		name  string
		reply []byte
		hole  sparseArea
		want  []sparseArea
	}{
		{"an I/O BAR", regionReply(access, 0x20), sparseArea{}, nil},
		{"no such BAR", regionReply(access|regionMmap, 0), sparseArea{}, nil},
		{"mapped as a whole", regionReply(access|regionMmap, 0x4000), sparseArea{},
			[]sparseArea{{0, 0x4000}}},
		{"smaller than a page", regionReply(access|regionMmap, 0x100), sparseArea{},
			[]sparseArea{{0, 0x1000}}},
		{"table in another BAR or none", regionReply(access|regionMmap|regionCaps, 0x4000, mappable),
			sparseArea{}, []sparseArea{{0, 0x4000}}},
		{"table can be mapped", regionReply(access|regionMmap|regionCaps, 0x4000, mappable), table,
			[]sparseArea{{0, 0x4000}}},
		{"table cannot be mapped", regionReply(access|regionMmap, 0x4000), table,
			[]sparseArea{{0, 0x2000}, {0x3000, 0x1000}}},
		{"table at the start", regionReply(access|regionMmap, 0x2000), sparseArea{0, 16},
			[]sparseArea{{0x1000, 0x1000}}},
		{"table at the end", regionReply(access|regionMmap, 0x2000), sparseArea{0x1ff0, 16},
			[]sparseArea{{0, 0x1000}}},
		{"table over two pages", regionReply(access|regionMmap, 0x4000), sparseArea{0x1ff0, 0x20},
			[]sparseArea{{0, 0x1000}, {0x3000, 0x1000}}},
		{"table is all there is", regionReply(access|regionMmap, 0x1000), sparseArea{0, 0x1000}, nil},
		{"table beyond the BAR", regionReply(access|regionMmap, 0x1000), sparseArea{0x1000, 16},
			[]sparseArea{{0, 0x1000}}},
		{"sparse", regionReply(access|regionMmap|regionCaps, 0x4000,
			entry(capSparseMmap, 1, 0, [2]uint64{0, 0x1000}, [2]uint64{0x3000, 0x1000})),
			table, []sparseArea{{0, 0x1000}, {0x3000, 0x1000}}},
		{"sparse, and none at all", regionReply(access|regionMmap|regionCaps, 0x4000,
			entry(capSparseMmap, 1, 0)), sparseArea{}, nil},
		{"sparse areas that cannot be mapped", regionReply(access|regionMmap|regionCaps, 0x4000,
			entry(capSparseMmap, 1, 0,
				[2]uint64{0x800, 0x1000}, [2]uint64{0, 0x800}, [2]uint64{0x3000, 0x2000},
				[2]uint64{0x5000, 0x1000},
				[2]uint64{0x1000, math.MaxUint64 - 0xfff}, [2]uint64{0, 0}, [2]uint64{0x2000, 0x1000})),
			sparseArea{}, []sparseArea{{0x2000, 0x1000}}},
	} {
		got, err := parseRegionInfo(c.reply, c.hole, 4096)
		if err != nil || !slices.Equal(got.areas, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got.areas, err, c.want)
		}
		if got.offset != 2<<40 {
			t.Errorf("%s: offset %#x", c.name, got.offset)
		}
	}
}

func TestInvalidRegionInfo(t *testing.T) {
	const mapped = regionRead | regionWrite | regionMmap | regionCaps
	for name, reply := range map[string][]byte{
		"cut off":   regionReply(0, 0)[:31],
		"too large": regionReply(mapped, math.MaxUint64),
		"loop":      regionReply(mapped, 4096, entry(9, 1, 32)),
		"more areas than room": regionReply(mapped, 4096, entry(capSparseMmap, 1, 0,
			[2]uint64{0, 4096})[:31]),
	} {
		var want *Error
		_, err := parseRegionInfo(reply, sparseArea{}, 4096)
		if !errors.As(err, &want) || !strings.Contains(want.Reason, "invalid reply") {
			t.Errorf("%s: %v, want an invalid reply", name, err)
		}
	}
}

func FuzzIOMMUInfo(f *testing.F) {
	f.Add(iommuReply(3, 4096, 24, entry(capIOVARange, 1, 0, [2]uint64{0, 0xfedfffff},
		[2]uint64{0xfef00000, 1<<39 - 1})))
	f.Add(iommuReply(3, 4096, 24, entry(9, 1, 40), entry(9, 1, 24)))
	f.Fuzz(func(t *testing.T, reply []byte) {
		limits, err := parseIOMMUInfo(reply)
		if err != nil {
			return
		}
		if p := limits.pageSize; p == 0 || p&(p-1) != 0 {
			t.Errorf("page size %#x", p)
		}
		for i, r := range limits.ranges {
			if r.First > r.Last || i > 0 && r.First <= limits.ranges[i-1].Last {
				t.Errorf("ranges %+v", limits.ranges)
			}
		}
	})
}

func FuzzRegionInfo(f *testing.F) {
	f.Add(regionReply(15, 0x4000, entry(capSparseMmap, 1, 0, [2]uint64{0, 0x1000},
		[2]uint64{0x3000, 0x1000})), uint32(0x2800), uint16(3))
	f.Add(regionReply(7, 0x4000), uint32(0x2800), uint16(2048))
	f.Fuzz(func(t *testing.T, reply []byte, table uint32, vectors uint16) {
		hole := sparseArea{Offset: uint64(table), Size: uint64(vectors) * 16}
		layout, err := parseRegionInfo(reply, hole, 4096)
		if err != nil {
			return
		}
		for _, a := range layout.areas {
			end := (layout.size + 4095) &^ 4095
			if a.Size == 0 || a.Offset%4096 != 0 || a.Size%4096 != 0 || a.Offset > end ||
				a.Size > end-a.Offset {
				t.Errorf("area %+v of a region of %#x bytes", a, layout.size)
			}
		}
	})
}
