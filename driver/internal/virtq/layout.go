package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// RingAlign is what the memory of a queue is aligned to, in bytes. It is more
// than the areas need (2.7, 2.8) and keeps them inside whole pages.
const RingAlign = 4096

const (
	// areaAlign keeps what the driver writes and what the device writes in
	// different cache lines, and in different pairs of lines that processors fetch
	// together.
	areaAlign = 128
	// headerArea is the room of the zero header for packets without room for
	// their own.
	headerArea = 64
	// maxIndirectSize is the largest number of entries of an indirect table.
	maxIndirectSize = 256
)

// Layout says where the areas of a queue are, in bytes from the start of its
// memory (2.7: descriptor, driver and device area; 2.8: descriptor ring, driver
// and device event suppression).
type Layout struct {
	Desc, Driver, Device int
	// Header is the zero header that packets without room for their own share,
	// Indirect the first of the preallocated indirect tables, one for each
	// descriptor of the ring. The device reads them through descriptors only.
	Header, Indirect int
	// Bytes is the length of the memory.
	Bytes int
}

// Layout returns how the memory of the queue is used. The error is an [*Error].
func (c Config) Layout() (Layout, error) {
	c.trimTables()
	packed := c.Features.Has(virtio.RingPacked)
	if err := c.checkSize(packed); err != nil {
		return Layout{}, err
	}
	// The event suppression areas of a packed ring (2.8.14), or the avail and
	// the used ring (2.7.6, 2.7.8). Two more bytes behind each of those make the
	// event index at its end part of an aligned word of four bytes.
	driver, device := 4, 4
	if !packed {
		driver, device = 4+2*c.Size+2+2, 4+8*c.Size+2+2
	}
	var l Layout
	l.Driver = alignUp(c.Size*virtio.DescLen, areaAlign)
	l.Device = alignUp(l.Driver+driver, areaAlign)
	l.Header = alignUp(l.Device+device, areaAlign)
	l.Indirect = l.Header + alignUp(headerArea, areaAlign)
	l.Bytes = alignUp(l.Indirect+c.Size*c.IndirectSize*virtio.DescLen, RingAlign)
	return l, nil
}

// checkSize refuses sizes that no ring and no indirect table has.
func (c *Config) checkSize(packed bool) error {
	e := &Error{Queue: c.Index, Field: "Size", Value: c.Size, Limit: virtio.MaxQueueSize}
	inRange := c.Size >= 1 && c.Size <= virtio.MaxQueueSize
	switch {
	case packed && !inRange:
		e.Reason = "no packed ring has that many descriptors"
		e.Remedy = "ask for 1 to 32768"
	case !packed && (!inRange || c.Size&(c.Size-1) != 0):
		e.Reason = "no split ring has that many descriptors"
		e.Remedy = "ask for a power of two from 1 to 32768"
	case c.IndirectSize < 0 || c.IndirectSize > maxIndirectSize:
		e.Field, e.Value, e.Limit = "IndirectSize", c.IndirectSize, maxIndirectSize
		e.Reason = "no indirect table has that many entries"
		e.Remedy = "ask for 0 to 256"
	default:
		return nil
	}
	return e
}

func alignUp(n, to int) int { return (n + to - 1) / to * to }
