package wire

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

// captureWriter makes records of a pcap file with nanoseconds.
type captureWriter struct {
	buf bytes.Buffer
	w   *pcapgo.Writer
}

// newCaptureWriter returns a writer whose buffer has the header of a file.
func newCaptureWriter() *captureWriter {
	c := &captureWriter{}
	c.w = pcapgo.NewWriterNanos(&c.buf)
	_ = c.w.WriteFileHeader(maxFrame, layers.LinkTypeEthernet) // a Buffer does not fail
	return c
}

// add adds the record of a frame to the buffer.
func (c *captureWriter) add(at time.Time, frame []byte) {
	info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(frame), Length: len(frame)}
	_ = c.w.WritePacket(info, frame) // a Buffer does not fail
}
