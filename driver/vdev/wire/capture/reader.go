package capture

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A Reader reads the frames of a capture file: pcap or pcapng, of either byte order, also
// compressed by gzip. A record that is no whole Ethernet frame is counted and does not
// stop it. (The readers of package pcapgo give up at the first odd record, and allocate as
// many bytes as a file asks for.) The zero value with a Frame function is ready.
type Reader struct {
	// Frame gets each whole frame, whose data it may keep. An error of it ends reading.
	Frame func(Frame) error

	r     *bufio.Reader
	order binary.ByteOrder

	frames  int
	skipped [reasons]int
	foreign linkType // the first one that is not Ethernet
	end     string   // why reading ended before the file did, "" if it did not

	interfaces []source // of the section of a pcapng file
	ethernet   bool     // there is, or was, an interface of that type
}

// Frame is an Ethernet frame of a capture file, without FCS.
type Frame struct {
	Data []byte
	// Record is its number in the file, from 1 on, which counts those that are skipped too.
	Record int
	// Time is when it was captured, in nanoseconds since 1970; HasTime is false if the
	// file does not say.
	Time    int64
	HasTime bool
}

// source is where the frames of a pcapng file come from. A pcap file has one.
type source struct {
	link linkType
	fcs  int // bytes of checksum at the end of each frame
	resolution
}

// reason is why a record is skipped.
type reason int

const (
	whole   reason = iota // it is a frame
	cut                   // the file has only the beginning of the frame
	short                 // shorter than an Ethernet header
	long                  // longer than any Ethernet frame
	other                 // of another link type
	unknown               // of an interface that the file does not describe
	overrun               // longer than its own block
	reasons
)

var reasonText = [reasons]string{
	cut: "captured shorter than sent", short: "shorter than an Ethernet header",
	long: "longer than an Ethernet frame", other: "of another link type",
	unknown: "of an unknown interface", overrun: "longer than their block",
}

// maxRecord is the longest packet that a record is believed to have. libpcap
// has the same bound: what is above it is not a length, and where the next record
// begins is unknown.
const maxRecord = 256 << 10

const (
	// MinFrame is an Ethernet header, and MaxFrame the longest IP packet behind one with a
	// tag: a record that is shorter or longer is no frame.
	MinFrame = 14
	MaxFrame = 65535 + MinFrame + 4
)

const (
	pcapHeader = 24
	// RecordHeader is how many bytes of a pcap file are in front of each frame.
	RecordHeader = 16
	pcapMicro    = 0xa1b2c3d4
	pcapNano     = 0xa1b23c4d
)

// errEnd ends reading where Reader.end says why.
var errEnd = errors.New("end")

// Read reads a capture file. It returns no error for one that is damaged or cut off behind
// its beginning: see Skipped.
func (c *Reader) Read(r io.Reader) error {
	c.r = bufio.NewReaderSize(r, 1<<16)
	magic, err := c.r.Peek(4)
	if err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, zipErr := gzip.NewReader(c.r)
		if zipErr != nil {
			return zipErr
		}
		c.r = bufio.NewReaderSize(z, 1<<16)
		magic, err = c.r.Peek(4)
	}
	if err != nil {
		return fmt.Errorf("it is no capture file: %w", noEOF(err))
	}
	c.order = binary.LittleEndian
	if binary.BigEndian.Uint32(magic) == blockSection {
		err = c.blocks()
	} else {
		err = c.pcap(magic)
	}
	if errors.Is(err, errEnd) {
		err = nil
	}
	return err
}

// Frames returns how many frames there were.
func (c *Reader) Frames() int { return c.frames }

// Skipped returns how many records were no whole Ethernet frames, and why.
func (c *Reader) Skipped() (n int, why string) {
	var parts []string
	for i, k := range c.skipped {
		if k == 0 {
			continue
		}
		text := reasonText[i]
		if reason(i) == other {
			text += ", " + c.foreign.String()
		}
		parts = append(parts, fmt.Sprintf("%d %s", k, text))
	}
	n = c.total() - c.frames
	if c.end != "" {
		n++
		parts = append(parts, c.end)
	}
	return n, strings.Join(parts, ", ")
}

func (c *Reader) pcap(magic []byte) error {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(magic); m == pcapMicro || m == pcapNano {
			c.order = order
			return c.records(m == pcapNano)
		}
	}
	return fmt.Errorf("it is no capture file: it begins with %x", magic)
}

// records reads a pcap file. The snapshot length in its header is not looked at: what
// a record has is in the record.
func (c *Reader) records(nano bool) error {
	var h [pcapHeader]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return fmt.Errorf("it is no capture file: its header is cut off: %w", noEOF(err))
	}
	if major, minor := c.order.Uint16(h[4:]), c.order.Uint16(h[6:]); major != 2 || minor != 4 {
		return fmt.Errorf("version %d.%d of the format; 2.4 can be read", major, minor)
	}
	// The link type has 26 bits, above them is the length of the checksum in units of
	// 2 bytes and whether that is known.
	v := c.order.Uint32(h[20:])
	from := source{link: linkType(v & 0x03ffffff), resolution: resolution{power: 6}}
	if nano {
		from.power = 9
	}
	if v>>26&1 != 0 {
		from.fcs = int(v>>28) * 2
	}
	if from.link != linkEthernet {
		return &linkTypeError{from.link}
	}
	for {
		var h [RecordHeader]byte
		if _, err := io.ReadFull(c.r, h[:]); err != nil {
			return c.atEnd(err)
		}
		captured := c.order.Uint32(h[8:])
		if captured > maxRecord {
			return c.damaged("a record of %d bytes", captured)
		}
		f := Frame{HasTime: true, Time: int64(c.order.Uint32(h[:]))*1e9 + from.nanoseconds(uint64(c.order.Uint32(h[4:])))}
		if err := c.packet(&from, f, captured, c.order.Uint32(h[12:])); err != nil {
			return err
		}
	}
}

// packet reads the packet of a record.
func (c *Reader) packet(from *source, f Frame, captured, original uint32) error {
	n := int(captured) - from.fcs
	why := whole
	switch {
	case from.link != linkEthernet:
		why = other
		if c.foreign == 0 {
			c.foreign = from.link
		}
	case original > captured: // a smaller one is a mistake of the program that wrote it
		why = cut
	case n < MinFrame:
		why = short
	case n > MaxFrame:
		why = long
	}
	if why != whole {
		return c.skip(why, captured)
	}
	frame := make([]byte, captured)
	if _, err := io.ReadFull(c.r, frame); err != nil {
		return c.inside(err)
	}
	c.frames++
	f.Data, f.Record = frame[:n:n], c.total()
	return c.Frame(f)
}

// skip counts a record that is no whole frame and goes behind it.
func (c *Reader) skip(why reason, captured uint32) error {
	if err := c.discard(captured); err != nil {
		return err
	}
	c.skipped[why]++
	return nil
}

func (c *Reader) discard(n uint32) error {
	if _, err := io.CopyN(io.Discard, c.r, int64(n)); err != nil {
		return c.inside(err)
	}
	return nil
}

// atEnd returns what an error between two records means, which is where a file ends.
func (c *Reader) atEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return c.inside(err)
}

// inside returns what an error inside a record means.
func (c *Reader) inside(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.end = "1 cut off by the end of the file"
		return errEnd
	}
	return err
}

// damaged ends reading at what cannot be part of a capture file.
func (c *Reader) damaged(format string, args ...any) error {
	c.end = fmt.Sprintf("damaged after record %d: %s", c.total(), fmt.Sprintf(format, args...))
	return errEnd
}

// total returns how many records were read.
func (c *Reader) total() int {
	n := c.frames
	for _, k := range c.skipped {
		n += k
	}
	return n
}

// noEOF is err, but says of io.EOF what is meant by it.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is too short")
	}
	return err
}
