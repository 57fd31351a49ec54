package traffic

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// Source fills buffers with packets that are to be sent.
type Source interface {
	// Fill makes packets in bufs, which are empty and of one segment, and returns how
	// many bytes they have together. now is the time of their signatures. Fill allocates
	// nothing and belongs to one goroutine.
	Fill(bufs []*mbuf.Buf, now int64) (bytes int)
}

// Program is a compiled stream: it makes its packets, one after the other. It belongs to
// one goroutine, apart from the methods that say so.
type Program struct {
	id      uint16
	name    string
	latency bool
	signed  bool
	keep    bool    // the payload is left as it is
	start   int     // of the payload
	mean    float64 // length

	variants []variant // one for each size, ascending
	order    []uint16  // of sizes: which variant the numbers of walker 0 stand for; nil: one size
	walkers  []walker
	patches  []patch
	sums     []sum
	body     []byte // a packet of the greatest size; of it only the payload is used

	sequence uint32
	numbers  [maxWalkers][batch]uint64 // of the packets that are made now
	fields   [maxFields][batch]uint64  // and what is stored in them
	results  [maxSums]uint64
}

// variant is the packet in one size.
type variant struct {
	length int
	// head begins the packet: the headers, and of the payload as much as makes its
	// length a multiple of 16, if there is as much.
	head []byte
	sums []sumTemplate
}

// sumTemplate is what a checksum begins with.
type sumTemplate struct {
	base      uint64
	signature uint64 // what the changing part of the signature counts: times 0, 1 or 256
}

// maxSums bounds the checksums of a packet.
const maxSums = maxHeaders / 20

// Fill implements [Source]. Every byte of a packet is written, unless its payload is
// kept. A buffer whose room is shorter than the packet stays empty, which no queue
// sends: see [Program.MaxLen].
func (p *Program) Fill(bufs []*mbuf.Buf, now int64) (bytes int) {
	for len(bufs) > 0 {
		n := min(len(bufs), batch)
		p.prepare(n)
		time := short(uint64(now))
		v := &p.variants[0]
		for i, b := range bufs[:n] {
			if p.order != nil {
				v = &p.variants[p.order[p.numbers[0][i]]]
			}
			data := b.Append(v.length)
			if len(data) < v.length {
				continue
			}
			p.write(data, v, i, now, time)
			bytes += v.length
		}
		bufs = bufs[n:]
	}
	return bytes
}

// Next makes one packet in dst, which has at least MaxLen bytes, and returns its length.
// It is the one that Fill would make next.
func (p *Program) Next(dst []byte, now int64) int {
	p.prepare(1)
	v := &p.variants[0]
	if p.order != nil {
		v = &p.variants[p.order[p.numbers[0][0]]]
	}
	p.write(dst[:v.length], v, 0, now, short(uint64(now)))
	return v.length
}

// prepare finds what changes in the next n packets.
func (p *Program) prepare(n int) {
	for i := range p.walkers {
		p.walkers[i].walk(p.numbers[i][:n], &p.numbers)
	}
	for i := range p.patches {
		f := &p.patches[i]
		f.values(p.fields[i][:n], p.numbers[f.walker][:])
	}
}

// write makes packet i of those that are prepared.
func (p *Program) write(data []byte, v *variant, i int, now int64, time uint64) {
	head := v.head
	k := 0
	for ; k+16 <= len(head) && k+16 <= len(data); k += 16 {
		*(*[16]byte)(data[k:]) = *(*[16]byte)(head[k:])
	}
	if !p.keep && k < len(data) {
		copy(data[k:], p.body[k:])
	}
	if k < len(head) {
		copy(data[k:], head[k:])
	}
	for f := range p.patches {
		value := p.fields[f][i]
		at := p.patches[f].at
		switch p.patches[f].width {
		case 2:
			d := data[at : at+2]
			binary.BigEndian.PutUint16(d, binary.BigEndian.Uint16(d)|uint16(value))
		case 4:
			d := data[at : at+4]
			binary.BigEndian.PutUint32(d, binary.BigEndian.Uint32(d)|uint32(value))
		case 8:
			d := data[at : at+8]
			binary.BigEndian.PutUint64(d, binary.BigEndian.Uint64(d)|value)
		default:
			data[at] |= byte(value)
		}
	}
	sequence := uint64(p.sequence)
	if p.signed {
		s := data[len(data)-SignatureLen:]
		binary.BigEndian.PutUint64(s, signatureMagic<<48|uint64(p.id)<<32|sequence)
		binary.BigEndian.PutUint64(s[8:], uint64(now))
		p.sequence++
	}
	for c := range p.sums {
		s, t := &p.sums[c], &v.sums[c]
		total := t.base + (time+sequence)*t.signature
		for _, f := range s.fields {
			total += short(p.fields[f.index][i]) * f.factor
		}
		for _, f := range s.inner {
			total += p.results[f.index] * f.factor
		}
		result := fold(total)
		if s.wrong {
			if result ^= 1; result == 0 {
				result = 2
			}
		} else if result == 0 && s.udp {
			result = 0xffff
		}
		p.results[c] = uint64(result)
		binary.BigEndian.PutUint16(data[s.at:], result)
	}
}

// ID returns the number of the stream in its signatures. Any goroutine may call it.
func (p *Program) ID() uint16 { return p.id }

// Name returns the name of the stream. Any goroutine may call it.
func (p *Program) Name() string { return p.name }

// Tracked reports whether packets carry a signature. Any goroutine may call it.
func (p *Program) Tracked() bool { return p.signed }

// Latency reports whether the receiver is to measure latency by these packets. Any
// goroutine may call it.
func (p *Program) Latency() bool { return p.latency }

// MinLen returns the length of the shortest packet. Any goroutine may call it.
func (p *Program) MinLen() int { return p.variants[0].length }

// MaxLen returns the length of the longest packet, for which buffers must have room. Any
// goroutine may call it.
func (p *Program) MaxLen() int { return p.variants[len(p.variants)-1].length }

// MeanLen returns the length of packets on average. Any goroutine may call it.
func (p *Program) MeanLen() float64 { return p.mean }

// Sequence returns the number of the next packet.
func (p *Program) Sequence() uint32 { return p.sequence }

// Payload returns where the payload of a packet begins. Any goroutine may call it.
func (p *Program) Payload() int { return p.start }

// CheckPayload reports whether a payload is undamaged: what follows the innermost header
// of a packet, to its end. The signature is not looked at. A payload that is kept as
// buffers have it is never damaged. Any goroutine may call it.
func (p *Program) CheckPayload(payload []byte) bool {
	n := len(payload)
	if p.signed {
		n -= SignatureLen
	}
	if n < 0 || n > len(p.body)-p.start {
		return false
	}
	return p.keep || string(payload[:n]) == string(p.body[p.start:p.start+n])
}
