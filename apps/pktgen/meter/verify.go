package meter

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Verify says what of each packet is verified. A packet that fails is counted as Corrupt,
// by the first check that it fails: lengths, checksums, payload.
type Verify struct {
	// Lengths: those in IPv4, IPv6 and UDP headers fit that of the frame. A frame of 60
	// bytes, which may be padded, may be longer.
	Lengths bool
	// Checksums: those of IPv4, UDP, TCP, ICMP and ICMPv6 are right. A UDP checksum of 0
	// over IPv4, and that of VXLAN over IPv6, is none.
	Checksums bool
	// Payload: it is what Stream.Check wants.
	Payload bool
}

// Kind is a kind of corrupt packets.
type Kind uint8

// The kinds.
const (
	Length Kind = iota
	Checksum
	Payload
	kinds
)

// String returns the name of a kind.
func (k Kind) String() string {
	switch k {
	case Length:
		return "length"
	case Checksum:
		return "checksum"
	}
	return "payload"
}

// fault is what is wrong with a packet.
type fault struct {
	kind      Kind
	what      string // "" if nothing is
	got, want uint32
}

// verify counts a packet that fails verification, and reports whether it does not.
func (r *Receiver) verify(b *mbuf.Buf, s *stream, side int, now int64) bool {
	data := b.Data()
	if b.Next() != nil {
		n := b.CopyTo(r.scratch)
		data = r.scratch[:n]
	}
	f := r.config.Verify.check(data, s)
	if f.what == "" {
		return true
	}
	switch c := &s.counts[side].Corrupt; f.kind {
	case Length:
		c.Length++
	case Checksum:
		c.Checksum++
	default:
		c.Payload++
	}
	r.examples[side][f.kind].set(f, s, data, now)
	return false
}

// check returns what is wrong with a packet.
func (v Verify) check(data []byte, s *stream) fault {
	if v.Lengths || v.Checksums {
		c := check{verify: v}
		if c.ethernet(data, 0); c.length.what != "" {
			return c.length
		} else if c.checksum.what != "" {
			return c.checksum
		}
	}
	if start := s.config.Start; v.Payload && s.config.Check != nil {
		if len(data) < start || !s.config.Check(data[start:]) {
			return fault{kind: Payload, what: "payload"}
		}
	}
	return fault{}
}

// exampleLen is how many bytes of a frame an Example has at most.
const exampleLen = 256

// Example is the first corrupt packet of its kind.
type Example struct {
	Kind   Kind
	Stream string
	Time   int64 // when it was received
	What   string
	// Got and Want are the value that is wrong and the right one; both are 0 for a payload.
	Got, Want uint32
	Length    int // of the frame
	Frame     []byte
}

// set makes e the example of a fault if it is none yet.
func (e *Example) set(f fault, s *stream, data []byte, now int64) {
	if e.What != "" {
		return
	}
	*e = Example{
		Kind: f.kind, Stream: s.config.Name, Time: now, What: f.what, Got: f.got, Want: f.want,
		Length: len(data), Frame: append(e.Frame[:0], data[:min(len(data), exampleLen)]...),
	}
}

// clear makes e no example.
func (e *Example) clear() { *e = Example{Frame: e.Frame[:0]} }

// clone returns a copy that shares nothing with e.
func (e *Example) clone() Example {
	c := *e
	c.Frame = bytes.Clone(e.Frame)
	return c
}

// String returns what is wrong in a line, and the frame as a hex dump.
func (e Example) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "stream %s: frame of %d bytes: %s", e.Stream, e.Length, e.What)
	switch e.Kind {
	case Length:
		fmt.Fprintf(&b, " is %d, want %d\n", e.Got, e.Want)
	case Checksum:
		fmt.Fprintf(&b, " is %#04x, want %#04x\n", e.Got, e.Want)
	default:
		b.WriteString(" is not what was sent\n")
	}
	b.WriteString(hex.Dump(e.Frame))
	return b.String()
}
