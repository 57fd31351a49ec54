package meter

import (
	"fmt"
	"math/bits"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
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
	// Verify is what of each packet is verified.
	Verify Verify
}

// Stream is a stream that is measured.
type Stream struct {
	ID   uint16 // in the signature of its packets
	Name string
	// Latency records the latency of every packet. It takes about 0.7 MB.
	Latency bool
	// Start is where the payload begins in the packets as they are sent, and Check
	// reports whether a payload, to the end of the packet, is undamaged; nil: it is not
	// verified.
	Start int
	Check func(payload []byte) bool
}

// StreamOf returns the description of the stream that a program sends.
func StreamOf(p *traffic.Program) Stream {
	return Stream{
		ID: p.ID(), Name: p.Name(), Latency: p.Latency(), Start: p.Payload(), Check: p.CheckPayload,
	}
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
