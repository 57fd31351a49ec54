package traffic

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

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
	sums     []sum  // that change from packet to packet
	body     []byte // a packet of the greatest size; of it only the payload is used
	waste    []byte // takes packets for which a buffer has no room

	table *table // of all packets, if they are few; nil: there is none

	sequence uint32
	numbers  [maxWalkers][batch]uint64 // of the packets that are made now
	fields   [maxFields][batch]uint64  // and what is stored in them
	results  [maxSums][batch]uint64    // and their checksums
}

// variant is the packet in one size.
type variant struct {
	length int
	// The template: its beginning, which is all of a packet of 60 bytes, the headers as
	// far as they go beyond that, the payload, and the last bytes.
	first [firstLen]byte
	head  []byte
	body  []byte
	last  [SignatureLen]byte
	sums  []sumTemplate
}

// firstLen is how many bytes of a packet are stored at once.
const firstLen = MinFrame

// sumTemplate is what a checksum begins with.
type sumTemplate struct {
	base      uint64
	signature uint64 // what the changing part of the signature counts: times 0, 1 or 256
}

// maxSums bounds the checksums of a packet.
const maxSums = maxHeaders / 8

// packets are those that are made now, at most batch.
type packets [batch][]byte

// Fill implements [Source]. Every byte of a packet is written, unless its payload is
// kept. A buffer whose room is shorter than the packet stays empty, which no queue
// sends: see [Program.MaxLen].
func (p *Program) Fill(bufs []*mbuf.Buf, now int64) (bytes int) {
	for len(bufs) > 0 {
		n := min(len(bufs), batch)
		bytes += p.fill(bufs[:n], now)
		bufs = bufs[n:]
	}
	return bytes
}

// fill is Fill for at most batch buffers.
func (p *Program) fill(bufs []*mbuf.Buf, now int64) (bytes int) {
	if p.table != nil {
		return p.fillFromTable(bufs, now)
	}
	p.prepare(len(bufs), now)
	var data packets
	v := &p.variants[0]
	for i, b := range bufs {
		if p.order != nil {
			v = &p.variants[p.order[p.numbers[0][i&(batch-1)]]]
		}
		d := b.Append(v.length)
		if len(d) < v.length {
			d = p.waste
		} else {
			bytes += len(d)
		}
		data[i&(batch-1)] = d
		v.copy(d)
	}
	p.store(&data, len(bufs), now)
	return bytes
}

// Next makes one packet in dst, which has at least MaxLen bytes, and returns its length.
// It is the one that Fill would make next.
func (p *Program) Next(dst []byte, now int64) int {
	if p.table != nil {
		n := p.variants[0].length
		p.nextFromTable(dst[:n], now)
		return n
	}
	p.prepare(1, now)
	v := &p.variants[0]
	if p.order != nil {
		v = &p.variants[p.order[p.numbers[0][0]]]
	}
	data := packets{dst[:v.length]}
	v.copy(data[0])
	p.store(&data, 1, now)
	return v.length
}

// copy writes the template of a packet.
func (v *variant) copy(d []byte) {
	*(*[firstLen]byte)(d) = v.first
	v.copyRest(d)
	*(*[SignatureLen]byte)(d[len(d)-SignatureLen:]) = v.last
}

// copyRest writes what is between the beginning and the last bytes.
func (v *variant) copyRest(d []byte) {
	if len(v.head) > 0 {
		copy(d[firstLen:], v.head)
	}
	if len(v.body) > 0 {
		copy(d[firstLen+len(v.head):], v.body)
	}
}

// fillRest is copyRest for packets in buffers.
func (v *variant) fillRest(bufs []*mbuf.Buf) {
	if len(v.head)+len(v.body) == 0 {
		return
	}
	for _, b := range bufs {
		if d := b.Data(); len(d) >= firstLen {
			v.copyRest(d)
		}
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
