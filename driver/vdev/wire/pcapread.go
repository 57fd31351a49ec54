package wire

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// captureReader reads the frames of a capture file: pcap or pcapng, of either byte
// order, also compressed by gzip. A record that is no whole Ethernet frame is counted
// and does not stop it. (The readers of package pcapgo give up at the first odd record,
// and allocate as many bytes as a file asks for.)
type captureReader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	// yield gets each whole frame, which it may keep.
	yield func(frame []byte) error

	frames  int
	skipped [reasons]int
	foreign linkType // the first one that is not Ethernet
	end     string   // why reading ended before the file did, "" if it did not

	interfaces []captureInterface // of the section of a pcapng file
	ethernet   bool               // there is, or was, an interface of that type
}

// captureInterface is where the frames of a pcapng file come from. A pcap file has one.
type captureInterface struct {
	link linkType
	fcs  int // bytes of checksum at the end of each frame
}

// reason is why a record is not played.
type reason int

const (
	whole   reason = iota // it is played
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
	pcapHeader   = 24
	recordHeader = 16
	pcapMicro    = 0xa1b2c3d4
	pcapNano     = 0xa1b23c4d
)

// Block types of pcapng and what else is looked at.
const (
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	blockFrame     = 12 // type and length in front, length behind
	sectionMagic   = 0x1a2b3c4d
	optionFCS      = 13
	maxOptionBytes = 4096 // of an interface, beyond which options are not read
)

// errEnd ends reading where captureReader.end says why.
var errEnd = errors.New("end")

// read reads a capture file.
func (c *captureReader) read(r io.Reader) error {
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

// summary returns how many records are not played and why.
func (c *captureReader) summary() (n int, why string) {
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

func (c *captureReader) pcap(magic []byte) error {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(magic); m == pcapMicro || m == pcapNano {
			c.order = order
			return c.records()
		}
	}
	return fmt.Errorf("it is no capture file: it begins with %x", magic)
}

// records reads a pcap file. The snapshot length in its header is not looked at: what
// a record has is in the record.
func (c *captureReader) records() error {
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
	from := captureInterface{link: linkType(v & 0x03ffffff)}
	if v>>26&1 != 0 {
		from.fcs = int(v>>28) * 2
	}
	if from.link != linkEthernet {
		return &linkTypeError{from.link}
	}
	for {
		var h [recordHeader]byte
		if _, err := io.ReadFull(c.r, h[:]); err != nil {
			return c.atEnd(err)
		}
		captured := c.order.Uint32(h[8:])
		if captured > maxRecord {
			return c.damaged("a record of %d bytes", captured)
		}
		if err := c.packet(&from, captured, c.order.Uint32(h[12:])); err != nil {
			return err
		}
	}
}

// packet reads the packet of a record.
func (c *captureReader) packet(from *captureInterface, captured, original uint32) error {
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
	case n < etherHeader:
		why = short
	case n > maxFrame:
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
	return c.yield(frame[:n:n])
}

// skip counts a record whose packet is not played and goes behind it.
func (c *captureReader) skip(why reason, captured uint32) error {
	if err := c.discard(captured); err != nil {
		return err
	}
	c.skipped[why]++
	return nil
}

func (c *captureReader) discard(n uint32) error {
	if _, err := io.CopyN(io.Discard, c.r, int64(n)); err != nil {
		return c.inside(err)
	}
	return nil
}

// atEnd returns what an error between two records means, which is where a file ends.
func (c *captureReader) atEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return c.inside(err)
}

// inside returns what an error inside a record means.
func (c *captureReader) inside(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		c.end = "1 cut off by the end of the file"
		return errEnd
	}
	return err
}

// damaged ends reading at what cannot be part of a capture file.
func (c *captureReader) damaged(format string, args ...any) error {
	c.end = fmt.Sprintf("damaged after record %d: %s", c.total(), fmt.Sprintf(format, args...))
	return errEnd
}

// total returns how many records were read.
func (c *captureReader) total() int {
	n := c.frames
	for _, k := range c.skipped {
		n += k
	}
	return n
}

// blocks reads a pcapng file.
func (c *captureReader) blocks() error {
	for first := true; ; first = false {
		var h [8]byte
		if _, err := io.ReadFull(c.r, h[:]); err != nil {
			return c.sectionsEnd(c.atEnd(err))
		}
		kind := c.order.Uint32(h[:])
		if kind == blockSection {
			magic, err := c.r.Peek(4)
			if err != nil {
				return c.sectionsEnd(c.inside(err))
			}
			c.order = binary.LittleEndian
			if binary.BigEndian.Uint32(magic) == sectionMagic {
				c.order = binary.BigEndian
			}
			if c.order.Uint32(magic) != sectionMagic {
				return c.refuse(first, "a section of unknown byte order")
			}
		}
		length := c.order.Uint32(h[4:])
		if length < blockFrame || length%4 != 0 {
			return c.refuse(first, "a block of %d bytes", length)
		}
		b := block{c: c, left: length - blockFrame}
		err := b.read(kind, first)
		if err == nil {
			err = c.discard(b.left + 4)
		}
		if err != nil {
			return c.sectionsEnd(err)
		}
	}
}

// refuse is damaged, but at the first block it returns that this is no capture file.
func (c *captureReader) refuse(first bool, format string, args ...any) error {
	if first {
		return fmt.Errorf("it is no capture file: "+format, args...)
	}
	return c.sectionsEnd(c.damaged(format, args...))
}

// sectionsEnd returns err, or that no interface of the file is an Ethernet one.
func (c *captureReader) sectionsEnd(err error) error {
	if (err == nil || errors.Is(err, errEnd)) && !c.ethernet && c.foreign != 0 {
		return &linkTypeError{c.foreign}
	}
	return err
}

// block is the rest of a block of a pcapng file.
type block struct {
	c    *captureReader
	left uint32 // bytes up to the length at its end
}

// next reads n bytes of a block; nil if it is shorter.
func (b *block) next(n uint32) ([]byte, error) {
	if n > b.left {
		return nil, nil
	}
	b.left -= n
	body := make([]byte, n)
	if _, err := io.ReadFull(b.c.r, body); err != nil {
		return nil, b.c.inside(err)
	}
	return body, nil
}

func (b *block) read(kind uint32, first bool) error {
	switch kind {
	case blockSection:
		return b.section(first)
	case blockInterface:
		return b.addInterface()
	case blockPacket, blockEnhanced:
		return b.packet(kind)
	case blockSimple:
		h, err := b.next(4)
		if h == nil {
			return b.overrun(err)
		}
		// How much was captured follows from the room that there is.
		original := b.c.order.Uint32(h)
		return b.record(0, min(original, b.left), original)
	}
	return nil
}

func (b *block) section(first bool) error {
	h, err := b.next(16)
	if err != nil {
		return err
	}
	if h == nil || b.c.order.Uint16(h[4:]) != 1 {
		return b.c.refuse(first, "a section of another version than 1")
	}
	b.c.interfaces = b.c.interfaces[:0]
	return nil
}

// addInterface reads the description of an interface.
func (b *block) addInterface() error {
	h, err := b.next(8)
	if err != nil {
		return err
	}
	if h == nil {
		return b.c.damaged("an interface without a link type")
	}
	from := captureInterface{link: linkType(b.c.order.Uint16(h))}
	if b.left <= maxOptionBytes {
		options, err := b.next(b.left)
		if err != nil {
			return err
		}
		from.fcs = fcsOption(options, b.c.order)
	}
	b.c.interfaces = append(b.c.interfaces, from)
	if from.link == linkEthernet {
		b.c.ethernet = true
	} else if b.c.foreign == 0 {
		b.c.foreign = from.link
	}
	return nil
}

// fcsOption returns how many bytes of checksum the options of an interface say that
// its frames have.
func fcsOption(options []byte, order binary.ByteOrder) int {
	for len(options) >= 4 {
		code, n := order.Uint16(options), int(order.Uint16(options[2:]))
		padded := (n + 3) &^ 3
		if code == 0 || padded > len(options)-4 {
			break
		}
		if code == optionFCS && n == 1 {
			return int(options[4])
		}
		options = options[4+padded:]
	}
	return 0
}

// packet reads a packet block, of which the enhanced one differs in the width of the
// number of the interface.
func (b *block) packet(kind uint32) error {
	h, err := b.next(20)
	if h == nil {
		return b.overrun(err)
	}
	from := b.c.order.Uint32(h)
	if kind == blockPacket {
		from = uint32(b.c.order.Uint16(h))
	}
	return b.record(from, b.c.order.Uint32(h[12:]), b.c.order.Uint32(h[16:]))
}

// overrun counts a block that is too short for what it has to have, unless reading it
// failed.
func (b *block) overrun(err error) error {
	if err == nil {
		b.c.skipped[overrun]++
	}
	return err
}

// record reads the packet of a block.
func (b *block) record(from, captured, original uint32) error {
	switch {
	case captured > b.left:
		return b.overrun(nil)
	case uint64(from) >= uint64(len(b.c.interfaces)):
		b.c.skipped[unknown]++
		return nil
	}
	b.left -= captured
	return b.c.packet(&b.c.interfaces[from], captured, original)
}

// noEOF is err, but says of io.EOF what is meant by it.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is too short")
	}
	return err
}
