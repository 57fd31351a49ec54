package vpci

import (
	"errors"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// table is a function that knows only what is mapped.
type table struct {
	pci.Function
	mapped map[uint64]int
	room   int // of the table
}

var errFull = errors.New("the table is full")

func (f *table) MapDMA(iova uint64, mem []byte) error {
	if len(f.mapped) == f.room {
		return errFull
	}
	f.mapped[iova] = len(mem)
	return nil
}

func (f *table) UnmapDMA(iova uint64, size int) error {
	if f.mapped[iova] != size {
		return errors.New("no such mapping")
	}
	delete(f.mapped, iova)
	return nil
}

// Physical pages are mapped one by one, all of them or none.
func TestMapPages(t *testing.T) {
	pages := []uint64{0x40000000, 0x7e00000, 0x40200000}
	const size = 2 << 20
	for room := range 5 {
		fn := &table{mapped: make(map[uint64]int), room: room}
		d := &Device{fn: fn}
		err := d.mapPages(pages, make([]byte, len(pages)*size))
		if room < len(pages) {
			if !errors.Is(err, errFull) || len(fn.mapped) != 0 {
				t.Errorf("room for %d: %v, left mapped: %x", room, err, fn.mapped)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for at, n := range fn.mapped {
			if n != size || !slices.Contains(pages, at) {
				t.Errorf("%d bytes mapped at %#x", n, at)
			}
		}
		if err := d.unmapPages(pages, size); err != nil || len(fn.mapped) != 0 {
			t.Errorf("%v, left mapped: %x", err, fn.mapped)
		}
	}
}
