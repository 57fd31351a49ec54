package vpci_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

func TestDMAWindow(t *testing.T) {
	all := transport.DMA{Last: math.MaxUint64}
	for name, c := range map[string]struct {
		cfg  pcifn.Config
		want transport.DMA
	}{
		"any address": {pcifn.Config{}, all},
		"the largest range": {pcifn.Config{Ranges: []pci.Range{{First: 0, Last: 0xfedfffff},
			{First: 0xfef00000, Last: 1<<39 - 1}, {First: 1 << 40, Last: 1<<40 + 4095}}},
			transport.DMA{First: 0xfef00000, Last: 1<<39 - 1}},
		"physical": {pcifn.Config{Physical: true},
			transport.DMA{Physical: true, Last: math.MaxUint64}},
	} {
		t.Run(name, func(t *testing.T) {
			_, d := emulate(t, c.cfg)
			if got := d.DMA(); got != c.want {
				t.Errorf("%+v, wanted %+v", got, c.want)
			}
		})
	}
}

// basic/reserved/4, fault/61: behind an IOMMU a device address is the
// virtual one, and only where the IOMMU can map it.
func TestMapDMA(t *testing.T) {
	_, d := emulate(t, pcifn.Config{Ranges: []pci.Range{{First: hugepages.DefaultFirst,
		Last: hugepages.DefaultLast}}})
	mem := allocate(t, 3)
	for range 2 { // the second time it is mapped already
		pages, err := d.MapDMA(mem)
		must(t, err)
		if len(pages) != 3 {
			t.Fatalf("%d pages", len(pages))
		}
		for i, p := range pages {
			if want := mem.Address() + uint64(i)*page; p != want {
				t.Errorf("page %d at %#x, not %#x", i, p, want)
			}
			pages[i] = 0 // the slice is the caller's
		}
	}
	must(t, d.UnmapDMA(mem))
	must(t, d.UnmapDMA(mem))
	_, err := d.MapDMA(mem)
	must(t, err)
	must(t, d.UnmapDMA(mem))
}

func TestMemoryOutsideTheWindow(t *testing.T) {
	mem := allocate(t, 2)
	first, last := mem.Address(), mem.Address()+2*page-1
	for name, r := range map[string]pci.Range{
		"below":          {First: 0, Last: first - 1},
		"above":          {First: last + 1, Last: math.MaxUint64},
		"ends in it":     {First: 0, Last: last - 1},
		"begins in it":   {First: first + 1, Last: math.MaxUint64},
		"inside, shared": {First: first + page, Last: first + page},
	} {
		t.Run(name, func(t *testing.T) {
			_, d := emulate(t, pcifn.Config{Ranges: []pci.Range{r}})
			_, err := d.MapDMA(mem)
			e := as[*transport.Error](t, err)
			if e.Op != fmt.Sprintf("mapping memory at %#x to %#x", first, last) ||
				e.Remedy != fmt.Sprintf("allocate it between %#x and %#x", r.First, r.Last) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Without an IOMMU ordinary pages are refused: the kernel may move them.
func TestOrdinaryPagesHaveNoPhysicalAddress(t *testing.T) {
	_, d := emulate(t, pcifn.Config{Physical: true})
	_, err := d.MapDMA(allocate(t, 1))
	if e := as[*hugepages.Error](t, err); !strings.Contains(e.Op, "physical address") {
		t.Errorf("%v", err)
	}
}

func TestReleasedMemory(t *testing.T) {
	_, d := emulate(t, pcifn.Config{})
	mem := allocate(t, 1)
	must(t, mem.Release())
	_, err := d.MapDMA(mem)
	if e := as[*transport.Error](t, err); e.Reason != "it was released" {
		t.Errorf("%v", err)
	}
}
