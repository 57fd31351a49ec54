package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
)

// Block types of pcapng and what else is looked at.
const (
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockEnhanced  = 6

	blockFrame       = 12 // type and length in front, length behind
	sectionMagic     = 0x1a2b3c4d
	optionFCS        = 13
	optionResolution = 9
	optionOffset     = 14
	maxOptionBytes   = 4096 // of an interface, beyond which options are not read
)

// blocks reads a pcapng file.
func (c *Reader) blocks() error {
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
func (c *Reader) refuse(first bool, format string, args ...any) error {
	if first {
		return fmt.Errorf("it is no capture file: "+format, args...)
	}
	return c.sectionsEnd(c.damaged(format, args...))
}

// sectionsEnd returns err, or that no interface of the file is an Ethernet one.
func (c *Reader) sectionsEnd(err error) error {
	if (err == nil || errors.Is(err, errEnd)) && !c.ethernet && c.foreign != 0 {
		return &linkTypeError{c.foreign}
	}
	return err
}

// block is the rest of a block of a pcapng file.
type block struct {
	c    *Reader
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
		return b.record(0, Frame{}, min(original, b.left), original)
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
	from := source{link: linkType(b.c.order.Uint16(h)), resolution: resolution{power: 6}}
	if b.left <= maxOptionBytes {
		options, err := b.next(b.left)
		if err != nil {
			return err
		}
		from.readOptions(options, b.c.order)
	}
	b.c.interfaces = append(b.c.interfaces, from)
	if from.link == linkEthernet {
		b.c.ethernet = true
	} else if b.c.foreign == 0 {
		b.c.foreign = from.link
	}
	return nil
}

// readOptions reads what the options of an interface say about its frames: how many bytes
// of checksum they have, and what their times mean.
func (s *source) readOptions(options []byte, order binary.ByteOrder) {
	for len(options) >= 4 {
		code, n := order.Uint16(options), int(order.Uint16(options[2:]))
		padded := (n + 3) &^ 3
		if code == 0 || padded > len(options)-4 {
			return
		}
		value := options[4:][:n]
		switch {
		case code == optionFCS && n == 1:
			s.fcs = int(value[0])
		case code == optionResolution && n == 1:
			s.power, s.binary = int(value[0]&0x7f), value[0]&0x80 != 0
		case code == optionOffset && n == 8:
			s.offset = int64(order.Uint64(value))
		}
		options = options[4+padded:]
	}
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
	at := uint64(b.c.order.Uint32(h[4:]))<<32 | uint64(b.c.order.Uint32(h[8:]))
	f := Frame{HasTime: true}
	if uint64(from) < uint64(len(b.c.interfaces)) {
		f.Time = b.c.interfaces[from].time(at)
	}
	return b.record(from, f, b.c.order.Uint32(h[12:]), b.c.order.Uint32(h[16:]))
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
func (b *block) record(from uint32, f Frame, captured, original uint32) error {
	switch {
	case captured > b.left:
		return b.overrun(nil)
	case uint64(from) >= uint64(len(b.c.interfaces)):
		b.c.skipped[unknown]++
		return nil
	}
	b.left -= captured
	return b.c.packet(&b.c.interfaces[from], f, captured, original)
}

// resolution is what the times of an interface count: 10^-power seconds, or 2^-power, and
// the seconds that they begin at.
type resolution struct {
	power  int
	binary bool
	offset int64
}

// time returns a time in nanoseconds since 1970.
func (r resolution) time(v uint64) int64 { return r.offset*1e9 + r.nanoseconds(v) }

// nanoseconds returns a time in nanoseconds. What is too long for that is the longest time
// there is.
func (r resolution) nanoseconds(v uint64) int64 {
	high, low := bits.Mul64(v, 1e9)
	switch {
	case r.binary && r.power >= 64:
		return 0
	case r.binary:
		high, low = high>>r.power, low>>r.power|high<<(64-r.power)
	case r.power > 19:
		return 0
	default:
		divisor := uint64(1)
		for range r.power {
			divisor *= 10
		}
		if high >= divisor {
			return math.MaxInt64
		}
		high, low = 0, div(high, low, divisor)
	}
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}

func div(high, low, divisor uint64) uint64 {
	quotient, _ := bits.Div64(high, low, divisor)
	return quotient
}
