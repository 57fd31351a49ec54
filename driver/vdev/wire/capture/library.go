// Package capture reads and writes capture files with Ethernet frames.
package capture

// This file is the only one that knows the capture library. The maintained fork
// has the same packages under github.com/gopacket/gopacket.
import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// linkType is what a record begins with. The library's type has 8 bits, that of a file
// has more.
type linkType uint32

const linkEthernet = linkType(layers.LinkTypeEthernet)

// String returns the name and the number of a link type.
func (t linkType) String() string {
	if t > 0xff {
		return strconv.Itoa(int(t))
	}
	return fmt.Sprintf("%v (%d)", layers.LinkType(t), uint32(t))
}

// linkTypeError is a capture file without Ethernet frames.
type linkTypeError struct{ link linkType }

func (e *linkTypeError) Error() string {
	return fmt.Sprintf("its link type is %v; only Ethernet can be played", e.link)
}

// Writer makes records of a pcap file with nanoseconds.
type Writer struct {
	// Buf is what was made and not taken away. At first it is the header of a file.
	Buf bytes.Buffer
	w   *pcapgo.Writer
}

// NewWriter returns a writer.
func NewWriter() *Writer {
	c := &Writer{}
	c.w = pcapgo.NewWriterNanos(&c.Buf)
	_ = c.w.WriteFileHeader(MaxFrame, layers.LinkTypeEthernet) // a Buffer does not fail
	return c
}

// Add adds the record of a frame to the buffer.
func (c *Writer) Add(at time.Time, frame []byte) {
	info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}
	_ = c.w.WritePacket(info, frame) // a Buffer does not fail
}
