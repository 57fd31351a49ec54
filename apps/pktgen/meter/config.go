package meter

import (
	"fmt"
	"math/bits"
)

// DefaultWindow is how many sequence numbers of a stream are held to tell reordered
// packets from duplicates, unless Config says otherwise.
const DefaultWindow = 1 << 16

// MaxWindow is the largest window.
const MaxWindow = 1 << 24

// Config describes what a [Receiver] measures.
type Config struct {
	// Streams are the streams whose packets arrive.
	Streams []Stream
	// Window is how many sequence numbers before the next expected one are held for
	// each stream, a power of two from 64 to MaxWindow; 0 means DefaultWindow. Each
	// takes a bit.
	Window int
}

// Stream is a stream that is measured.
type Stream struct {
	ID   uint16 // in the signature of its packets
	Name string
	// Latency records the latency of every packet. It takes about 0.7 MB.
	Latency bool
}

// check returns an error if c is no valid configuration.
func (c *Config) check() error {
	if w := c.Window; w != 0 && (w < 64 || w > MaxWindow || bits.OnesCount(uint(w)) != 1) {
		return fmt.Errorf("meter: window of %d sequence numbers: not a power of two from 64 to %d; 0 means %d",
			w, MaxWindow, DefaultWindow)
	}
	names := make(map[uint16]string, len(c.Streams))
	for _, s := range c.Streams {
		if other, known := names[s.ID]; known {
			return fmt.Errorf("meter: stream %q: it has the number %d of stream %q; give it another", s.Name, s.ID, other)
		}
		names[s.ID] = s.Name
	}
	return nil
}
