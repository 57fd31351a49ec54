package virtq

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Config describes one queue.
type Config struct {
	// Index is the number of the virtqueue, for error messages.
	Index int
	// Size is the number of descriptors: a power of two for a split ring, any
	// number for a packed one, 1 to 32768.
	Size int
	// Features are the negotiated features.
	Features virtio.Features
	// HeaderLen is the length of the header in front of every packet, in
	// bytes. 0 means virtio.HeaderLen of the features.
	HeaderLen int
	// IndirectSize is the number of entries of an indirect table: a packet of no
	// more buffers takes one descriptor of the ring. 0 means none. It has no
	// effect unless INDIRECT_DESC was negotiated. For transmit queues.
	IndirectSize int
	// Memory is where the ring goes, at least Layout.Bytes bytes, and Address
	// is its device address, a multiple of RingAlign. Device addresses are
	// contiguous throughout Memory.
	Memory  []byte
	Address uint64
	// MaxFrame is the longest frame that may be sent, in bytes from the
	// destination address on, 0 for no limit. With MTU negotiated it is the
	// MTU and 14 bytes (5.1.4.2). A frame with a VLAN tag may be 4 bytes longer.
	MaxFrame int
}

// trimTables drops indirect tables if they were not negotiated. A table may
// not have more entries than the ring (2.7.5.3.1).
func (c *Config) trimTables() {
	c.IndirectSize = min(c.IndirectSize, c.Size)
	if !c.Features.Has(virtio.RingIndirectDesc) {
		c.IndirectSize = 0
	}
}

// complete fills in defaults, checks, and zeroes the memory.
func (c *Config) complete() (Layout, error) {
	if c.HeaderLen == 0 {
		c.HeaderLen = virtio.HeaderLen(c.Features)
	}
	c.trimTables()
	layout, err := c.Layout()
	if err != nil {
		return Layout{}, err
	}
	if c.HeaderLen < virtio.NetHeaderLen || c.HeaderLen > headerArea {
		return Layout{}, &Error{
			Queue: c.Index, Field: "HeaderLen", Value: c.HeaderLen, Limit: headerArea,
			Reason: "no packet has a header of that many bytes",
			Remedy: fmt.Sprintf("ask for %d to %d", virtio.NetHeaderLen, headerArea),
		}
	}
	if err := checkMemory(c, layout); err != nil {
		return Layout{}, err
	}
	clear(c.Memory[:layout.Bytes])
	return layout, nil
}

// checkMemory refuses memory that is too short or not aligned.
func checkMemory(c *Config, l Layout) error {
	e := &Error{
		Queue: c.Index, Field: "Memory", Value: fmt.Sprintf("at %#x", c.Address), Limit: l.Bytes,
		Remedy: fmt.Sprintf("give %d bytes aligned to %d", l.Bytes, RingAlign),
	}
	switch {
	case len(c.Memory) < l.Bytes:
		e.Reason = fmt.Sprintf("%d bytes are too short", len(c.Memory))
	case c.Address%RingAlign != 0:
		e.Reason = "the device address is not aligned"
	case addressOf(c.Memory)%RingAlign != 0:
		e.Reason = "the memory is not aligned"
	default:
		return nil
	}
	return e
}
