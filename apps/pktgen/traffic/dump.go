package traffic

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// Packets makes packets as bytes, one after the other: a [Program] or a [Replay].
type Packets interface {
	// Next makes a packet in dst, which has at least MaxLen bytes, and returns its length.
	Next(dst []byte, now int64) int
	// MaxLen returns the length of the longest packet.
	MaxLen() int
}

// Dump writes the next n packets of p in a readable form: what each header has, and all
// bytes. Packets are a millisecond apart.
func Dump(w io.Writer, name string, p Packets, n int) error {
	out := bufio.NewWriter(w)
	data := make([]byte, p.MaxLen())
	for i := range n {
		dumpPacket(out, fmt.Sprintf("%s, packet %d", name, i), data[:p.Next(data, int64(i)*int64(time.Millisecond))])
	}
	return out.Flush()
}

// dumpPacket writes one packet.
func dumpPacket(w io.Writer, title string, data []byte) {
	fmt.Fprintf(w, "%s: %d bytes, %d with FCS\n", title, len(data), len(data)+4)
	packet := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.NoCopy)
	for _, l := range packet.Layers() {
		switch l.LayerType() {
		case gopacket.LayerTypePayload, gopacket.LayerTypeDecodeFailure, layers.LayerTypeDNS:
			continue
		}
		fmt.Fprintf(w, "  %s\n", oneLine(gopacket.LayerString(l)))
	}
	if s, ok := ReadSignature(data); ok {
		fmt.Fprintf(w, "  signature stream=%d sequence=%d time=%d ns\n", s.Stream, s.Sequence, s.Time)
	}
	for line := range strings.Lines(hex.Dump(data)) {
		fmt.Fprintf(w, "  %s", line)
	}
	fmt.Fprintln(w)
}

// oneLine shortens what the packet library says of a header.
func oneLine(text string) string {
	name, rest, _ := strings.Cut(text, "\t")
	rest = strings.Trim(rest, "{}")
	var parts []string
	for part := range strings.FieldsSeq(rest) {
		switch key, value, _ := strings.Cut(part, "="); key {
		case "Contents", "Payload", "Options", "Padding", "BaseLayer":
			continue
		default:
			if value != "" {
				parts = append(parts, part)
			}
		}
	}
	return name + " " + strings.Join(parts, " ")
}

// Capture writes packets into a capture file: pcapng if its name ends so, else pcap. Both
// have times in nanoseconds.
type Capture struct {
	name string
	file *os.File
	out  *bufio.Writer
	pcap *pcapgo.Writer
	ng   *pcapgo.NgWriter
	err  error
}

// NewCapture makes a capture file, or overwrites one. An error is an [*Error].
func NewCapture(name string) (*Capture, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, &Error{File: name, Reason: "it cannot be written", Err: withoutPath(err)}
	}
	c := &Capture{name: name, file: f, out: bufio.NewWriter(f)}
	if filepath.Ext(name) == ".pcapng" {
		c.ng, c.err = pcapgo.NewNgWriter(c.out, layers.LinkTypeEthernet)
	} else {
		c.pcap = pcapgo.NewWriterNanos(c.out)
		c.err = c.pcap.WriteFileHeader(maxFrame, layers.LinkTypeEthernet)
	}
	return c, nil
}

// Add adds a packet. An error is returned by Close.
func (c *Capture) Add(at time.Time, packet []byte) {
	info := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(packet), Length: len(packet)}
	switch {
	case c.err != nil:
	case c.ng != nil:
		c.err = c.ng.WritePacket(info, packet)
	default:
		c.err = c.pcap.WritePacket(info, packet)
	}
}

// Close writes what is left and returns the first error, an [*Error].
func (c *Capture) Close() error {
	if c.err == nil && c.ng != nil {
		c.err = c.ng.Flush()
	}
	if c.err == nil {
		c.err = c.out.Flush()
	}
	if err := c.file.Close(); c.err == nil {
		c.err = err
	}
	if c.err != nil {
		return &Error{File: c.name, Reason: "it cannot be written", Err: withoutPath(c.err)}
	}
	return nil
}
