package mbuf

import "github.com/virtio-pmd/virtio-pmd/hugepages"

// Sizes of a buffer unless [Config] says otherwise, in bytes.
const (
	// DefaultHeadroom is three cache lines: 12 bytes for the header of virtio-net
	// and 180 for the application. The frame then begins on a cache line of its
	// own, so that a program that forwards frames without reading them leaves
	// their lines with the core that filled them, although the header has to be
	// made zeros.
	DefaultHeadroom = 3 * cacheLine
	DefaultDataRoom = 2048
)

// NoHeadroom as Config.Headroom asks for none.
const NoHeadroom = -1

// Config describes the pool that [NewPool] makes. Only Count is required.
type Config struct {
	// Count is the number of buffers, 1 to 16777216.
	Count int
	// Headroom is how many bytes are free in front of the data of a new packet;
	// 0 means DefaultHeadroom.
	Headroom int
	// DataRoom is how many bytes there are after the headroom; 0 means
	// DefaultDataRoom.
	DataRoom int
	// Memory says what pages the memory is made of. NewPool computes Bytes.
	Memory hugepages.Options
}

// complete fills in defaults and checks the rest.
func (c *Config) complete() error {
	switch {
	case c.Headroom == 0:
		c.Headroom = DefaultHeadroom
	case c.Headroom == NoHeadroom:
		c.Headroom = 0
	}
	if c.DataRoom == 0 {
		c.DataRoom = DefaultDataRoom
	}
	switch {
	case c.Count < 1 || c.Count > maxCount:
		return configError("Count", c.Count, "use 1 to 16777216")
	case c.Headroom < 0 || c.Headroom > maxRoom:
		return configError("Headroom", c.Headroom,
			"use 1 byte to 1 GiB, 0 for the default, or NoHeadroom")
	case c.DataRoom < 0 || c.DataRoom > maxRoom:
		return configError("DataRoom", c.DataRoom, "use 1 byte to 1 GiB, or 0 for the default")
	}
	return nil
}

func configError(field string, value int, remedy string) error {
	return &Error{Op: "new pool", Field: field, Value: value, Reason: "out of range", Remedy: remedy}
}
