package traffic

import "encoding/binary"

// This file has the work for each packet that depends on what changes in it. It is done
// for one changing word after the other, in all packets that are made at a time: each
// loop is short and has no branches that depend on the stream.

// prepare finds what changes in the next n packets.
func (p *Program) prepare(n int, now int64) {
	for i := range p.walkers {
		p.walkers[i].walk(p.numbers[i][:n], p.walkers, &p.numbers)
	}
	for i := range p.patches {
		f := &p.patches[i]
		f.values(p.fields[i][:n], p.numbers[f.walker][:])
	}
	for i := range p.sums {
		p.add(i, p.results[i][:n], now)
	}
}

// add computes checksum c of packets.
func (p *Program) add(c int, to []uint64, now int64) {
	s := &p.sums[c]
	time, sequence := short(uint64(now)), p.sequence
	if p.order == nil {
		t := &p.variants[0].sums[c]
		for i := range to {
			to[i] = t.base + (time+uint64(sequence+uint32(i)))*t.signature
		}
	} else {
		numbers := p.numbers[0][:len(to)]
		for i := range to {
			t := &p.variants[p.order[numbers[i]]].sums[c]
			to[i] = t.base + (time+uint64(sequence+uint32(i)))*t.signature
		}
	}
	for _, f := range s.fields {
		values := p.fields[f.index][:len(to)]
		for i := range to {
			to[i] += short(values[i]) * f.factor
		}
	}
	for _, f := range s.inner {
		values := p.results[f.index][:len(to)]
		for i := range to {
			to[i] += values[i] * f.factor
		}
	}
	zero := s.zero()
	for i := range to {
		to[i] = uint64(finish(to[i], zero))
	}
	if s.wrong {
		for i := range to {
			to[i] = uint64(wrong(uint16(to[i])))
		}
	}
}

// store writes what changes to the first n of the packets.
func (p *Program) store(data *packets, n int, now int64) {
	for i := range p.patches {
		p.patches[i].store(data[:n], &p.fields[i])
	}
	for c := range p.sums {
		put16(data[:n], p.sums[c].at, &p.results[c])
	}
	if p.signed {
		first := signatureMagic<<48 | uint64(p.id)<<32
		for i, d := range data[:n] {
			s := d[len(d)-SignatureLen:]
			binary.BigEndian.PutUint64(s, first|uint64(p.sequence+uint32(i)))
			binary.BigEndian.PutUint64(s[8:], uint64(now))
		}
		p.sequence += uint32(n)
	}
}

// store writes the values of a word. If some of its bits do not change, they are added to
// what is there.
func (p *patch) store(data [][]byte, values *[batch]uint64) {
	at := p.at
	switch {
	case p.width == 2 && p.mask == 0xffff:
		put16(data, at, values)
	case p.width == 4 && p.mask == 0xffffffff:
		for i, d := range data {
			binary.BigEndian.PutUint32(d[at:], uint32(values[i&(batch-1)]))
		}
	case p.width == 1:
		for i, d := range data {
			d[at] |= byte(values[i&(batch-1)])
		}
	case p.width == 2:
		for i, d := range data {
			binary.BigEndian.PutUint16(d[at:], binary.BigEndian.Uint16(d[at:])|uint16(values[i&(batch-1)]))
		}
	case p.width == 4:
		for i, d := range data {
			binary.BigEndian.PutUint32(d[at:], binary.BigEndian.Uint32(d[at:])|uint32(values[i&(batch-1)]))
		}
	default:
		for i, d := range data {
			binary.BigEndian.PutUint64(d[at:], binary.BigEndian.Uint64(d[at:])|values[i&(batch-1)])
		}
	}
}

// put16 writes words of two bytes.
func put16(data [][]byte, at int, values *[batch]uint64) {
	for i, d := range data {
		binary.BigEndian.PutUint16(d[at:], uint16(values[i&(batch-1)]))
	}
}
