package traffic

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// maxTable is how many packets a table has at most, of 64 bytes each. They are read one
// after the other, so that a CPU fetches them ahead; but they do push other things out of
// its caches.
const maxTable = 1 << 14

// table is the beginnings of all packets of a stream, if there are few different ones, of
// one size, and what changes is in the beginnings: 1,000 flows are a table of 1,000. To
// copy an entry costs no more than to copy a template, and nothing is left to be patched
// but the signature, and one checksum that covers it.
type table struct {
	entries []entry
	next    int
	sumAt   int // of that checksum; 0: there is none
	zero    uint16
	factor  uint64 // what the signature counts in it
}

// entry is a cache line.
type entry struct {
	first [firstLen]byte
	sum   uint32 // of the packet with a signature of zeros
}

// makeTable makes a table if the stream can have one.
func (p *Program) makeTable() {
	n := p.period()
	if p.order != nil || n == 0 || p.keep {
		return
	}
	t := &table{entries: make([]entry, n)}
	for c := range p.sums {
		s := &p.sums[c]
		if s.at+2 > firstLen {
			return
		}
		if p.variants[0].sums[c].signature == 0 {
			continue // the same for each entry
		}
		if t.sumAt != 0 || s.wrong {
			return
		}
		t.sumAt, t.zero, t.factor = s.at, s.zero(), p.variants[0].sums[c].signature
	}
	for i := range p.patches {
		if p.patches[i].at+p.patches[i].width > firstLen {
			return
		}
	}
	packet := make([]byte, p.MaxLen())
	for i := range t.entries {
		e := &t.entries[i]
		p.sequence = 0
		p.Next(packet, 0)
		e.first = [firstLen]byte(packet)
		if t.sumAt != 0 {
			// Not 0, so that the sum of a packet is not either.
			e.sum = uint32(^binary.BigEndian.Uint16(packet[t.sumAt:])) + 0xffff
		}
	}
	p.sequence = 0
	p.table = t
}

// period returns after how many packets the fields begin again, 0 if that is never or
// after too many.
func (p *Program) period() int {
	total := 1
	rounds := make([]int, len(p.walkers)) // how many packets each takes
	for i, w := range p.walkers {
		if w.kind == walkRandom || w.n == 0 || w.n > maxTable {
			return 0
		}
		rounds[i] = int(w.n)
		if w.kind == walkAfter {
			rounds[i] *= rounds[w.parent]
		}
		total = total / gcd(total, rounds[i]) * rounds[i]
		if total > maxTable || rounds[i] > maxTable {
			return 0
		}
	}
	return total
}

// fillFromTable is fill for a stream that has a table.
func (p *Program) fillFromTable(bufs []*mbuf.Buf, now int64) (bytes int) {
	if !p.signed {
		return p.fillUnsigned(bufs)
	}
	t, v := p.table, &p.variants[0]
	next, entries, length := t.next, t.entries, v.length
	added, factor := p.tableSum(now), t.factor
	first := signatureMagic<<48 | uint64(p.id)<<32
	sequence := p.sequence
	at, zero := t.sumAt, t.zero
	for _, b := range bufs {
		e := &entries[next]
		if next++; next == len(entries) {
			next = 0
		}
		d := b.Append(length)
		if len(d) >= firstLen {
			bytes += len(d)
			*(*[firstLen]byte)(d) = e.first
			s := (*[SignatureLen]byte)(d[len(d)-SignatureLen:])
			binary.BigEndian.PutUint64(s[:], first|uint64(sequence))
			binary.BigEndian.PutUint64(s[8:], uint64(now))
			if at > 0 {
				binary.BigEndian.PutUint16(d[at:], finish(uint64(e.sum)+added, zero))
			}
		}
		if sequence++; sequence != 0 { // 0xffffffff and 0 count the same
			added += factor
		}
	}
	t.next, p.sequence = next, sequence
	if length > firstLen {
		v.fillRest(bufs)
	}
	return bytes
}

// fillUnsigned is fillFromTable for packets without a signature.
func (p *Program) fillUnsigned(bufs []*mbuf.Buf) (bytes int) {
	t, v := p.table, &p.variants[0]
	for _, b := range bufs {
		if d := b.Append(v.length); len(d) >= firstLen {
			bytes += len(d)
			*(*[SignatureLen]byte)(d[len(d)-SignatureLen:]) = v.last
			*(*[firstLen]byte)(d) = t.entries[t.next].first
		}
		if t.next++; t.next == len(t.entries) {
			t.next = 0
		}
	}
	v.fillRest(bufs)
	return bytes
}

// nextFromTable is Next for a stream that has a table.
func (p *Program) nextFromTable(d []byte, now int64) {
	t, v := p.table, &p.variants[0]
	e := &t.entries[t.next]
	t.next = (t.next + 1) % len(t.entries)
	v.copyRest(d)
	*(*[SignatureLen]byte)(d[len(d)-SignatureLen:]) = v.last
	*(*[firstLen]byte)(d) = e.first
	if p.signed {
		PutSignature(d, Signature{Stream: p.id, Sequence: p.sequence, Time: now})
		if t.sumAt > 0 {
			binary.BigEndian.PutUint16(d[t.sumAt:], finish(uint64(e.sum)+p.tableSum(now), t.zero))
		}
	}
	p.sequence++
}

// tableSum returns what the signature of the next packet adds to its checksum, below
// 1<<24 and never 0.
func (p *Program) tableSum(now int64) uint64 {
	return (short(uint64(now))+uint64(p.sequence))%0xffff*p.table.factor + 0xffff
}
