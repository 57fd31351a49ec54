package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// RingAlign is what the memory of a queue is aligned to, in bytes. It is more
// than the areas need (2.7, 2.8) and keeps them inside whole pages.
const RingAlign = 4096

const (
	// areaAlign keeps what the driver writes and what the device writes out of
	// each other's cache lines, and of the pairs that processors fetch at once.
	areaAlign = 128
	// headerArea is room for the zero header of packets that have no room for
	// one of their own.
	headerArea = 64
	// MaxSegments is the largest number of entries of an indirect table.
	MaxSegments = 256
)

// Layout says where the areas of a queue are, in bytes from the start of its
// memory (2.7: descriptor, driver and device area; 2.8: descriptor ring, driver
// and device event suppression).
type Layout struct {
	Desc, Driver, Device int
	// Header is the header that packets share which have no room for their
	// own, Indirect the first of the preallocated indirect tables, one a slot.
	// The device reads them through descriptors only.
	Header, Indirect int
	// Bytes is the size of it all.
	Bytes int
}

// SplitLayout lays out a split ring of size descriptors with an indirect table
// of so many entries for each, 0 for none. A *SizeError says that there is no
// such ring.
func SplitLayout(size, segments int) (Layout, error) {
	if size < 1 || size > virtio.MaxQueueSize || size&(size-1) != 0 {
		return Layout{}, &SizeError{Size: size}
	}
	// Two more bytes behind each ring make the event index at its end part of
	// an aligned word of four bytes.
	return layOut(size, segments, 4+2*size+2+2, 4+8*size+2+2)
}

// PackedLayout lays out a packed ring in the same way.
func PackedLayout(size, segments int) (Layout, error) {
	if size < 1 || size > virtio.MaxQueueSize {
		return Layout{}, &SizeError{Size: size, Packed: true}
	}
	return layOut(size, segments, 4, 4)
}

// layOut puts the areas one behind the other.
func layOut(size, segments, driver, device int) (Layout, error) {
	if segments < 0 || segments > MaxSegments {
		return Layout{}, &SegmentsError{Segments: segments}
	}
	var l Layout
	l.Driver = alignUp(size*virtio.DescLen, areaAlign)
	l.Device = alignUp(l.Driver+driver, areaAlign)
	l.Header = alignUp(l.Device+device, areaAlign)
	l.Indirect = l.Header + alignUp(headerArea, areaAlign)
	l.Bytes = alignUp(l.Indirect+size*segments*virtio.DescLen, RingAlign)
	return l, nil
}

func alignUp(n, to int) int { return (n + to - 1) / to * to }
