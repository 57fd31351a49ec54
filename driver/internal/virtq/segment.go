package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/mbuf"

// Segment is a piece of memory that the device is to read or to write.
type Segment struct {
	Address uint64
	Len     uint32
}

// needs returns how many descriptors of the ring a list of n segments takes:
// one if it goes into an indirect table.
func needs(n, table int) int {
	if n <= table {
		return 1
	}
	return n
}

// put shows a list of segments to the device, of which it may write those from
// out on. b is the buffer that the list belongs to, nil for none. There is room
// for it, and nothing is published yet. It returns what the list goes by.
func (s *Split) put(b *mbuf.Buf, segs []Segment, out int) uint16 {
	at := s.tail()
	n := needs(len(segs), s.segments)
	head := s.id[at]
	if n < len(segs) {
		s.desc[head] = s.table(head, segs, out)
	} else {
		for i, g := range segs {
			d := desc{addr: g.Address, meta: uint64(g.Len)}
			if i >= out {
				d.meta |= splitWrite
			}
			if i+1 < n {
				// With IN_ORDER the identifiers never leave their order, so the
				// next one is x+1, as 2.7.5.2 wants.
				d.meta |= splitNext | uint64(s.id[s.wrap(at+i+1)])<<splitNextShift
			}
			s.desc[s.id[s.wrap(at+i)]] = d
		}
	}
	s.begin(at, n, b)
	s.count += n
	s.show(s.id[at : at+1])
	if n > 1 { // positions and entries of the avail ring no longer go together as they did
		s.unsettled = s.size()
	}
	return head
}

// table fills the indirect table of id and returns the descriptor that refers
// to it (2.7.5.3). Entries link in sequence, as IN_ORDER wants.
func (s *Split) table(id uint16, segs []Segment, out int) desc {
	at := s.layout.Indirect + int(id)*s.segments*descBytes
	table := descsAt(s.memory, at, len(segs))
	for i, g := range segs {
		meta := uint64(g.Len)
		if i >= out {
			meta |= splitWrite
		}
		if i+1 < len(segs) {
			meta |= splitNext | uint64(i+1)<<splitNextShift
		}
		table[i] = desc{addr: g.Address, meta: meta}
	}
	return desc{addr: s.address + uint64(at), meta: uint64(len(segs)*descBytes) | splitIndirect}
}

// put makes a list of segments available to the device, of which it may write
// those from out on. b is the buffer that the list belongs to, nil for none.
// There is room for it. It returns what the list goes by.
func (p *Packed) put(b *mbuf.Buf, segs []Segment, out int) uint16 {
	at := p.tail()
	n := needs(len(segs), p.segments)
	id := p.id[at]
	head := desc{addr: segs[0].Address, meta: uint64(segs[0].Len)}
	if out == 0 {
		head.meta |= packedWrite
	}
	if n < len(segs) {
		head = p.table(id, segs, out)
	} else if n > 1 {
		head.meta |= packedNext
		p.rest(at, id, segs, out)
	}
	// The device must not see the head before the list is complete (2.8.21.1).
	p.desc[at].addr = head.addr
	publish64(&p.desc[at].meta, head.meta|uint64(id)<<packedIDShift|p.tailFlags)
	p.begin(at, n, b)
	p.enter(n)
	return id
}

// rest makes all descriptors of a list but the first available, each with the
// wrap counter of its lap.
func (p *Packed) rest(at int, id uint16, segs []Segment, out int) {
	flags := p.tailFlags
	for i := 1; i < len(segs); i++ {
		at++
		if at == p.size() {
			at, flags = 0, flags^packedState
		}
		meta := uint64(segs[i].Len) | uint64(id)<<packedIDShift | flags
		if i >= out {
			meta |= packedWrite
		}
		if i+1 < len(segs) {
			meta |= packedNext
		}
		p.desc[at].addr = segs[i].Address
		publish64(&p.desc[at].meta, meta)
	}
}

// table fills the indirect table of id and returns the descriptor that refers
// to it. Entries follow each other, with no flag but WRITE (2.8.7).
func (p *Packed) table(id uint16, segs []Segment, out int) desc {
	at := p.layout.Indirect + int(id)*p.segments*descBytes
	table := descsAt(p.memory, at, len(segs))
	for i, g := range segs {
		meta := uint64(g.Len)
		if i >= out {
			meta |= packedWrite
		}
		table[i] = desc{addr: g.Address, meta: meta}
	}
	return desc{addr: p.address + uint64(at), meta: uint64(len(segs)*descBytes) | packedIndirect}
}
