package mbuf

import "encoding/binary"

// RequestSegmentation is PrepareSegmentation for a packet of which h is what Transport
// returns.
func (b *DriverBuf) RequestSegmentation(h *DriverTransport, size int) {
	p := (*Buf)(b)
	p.request(uint32(h.Start), h.Field(), uint16(size), h.Kind())
	p.putPseudo(h)
}

// Segment copies the packet that begins with b to as many packets as frames, each of which
// gets its headers and size bytes of its payload, the last one what is left. h is what
// Transport returns for b. Their checksums are to be completed. It returns false, and
// takes no buffer, if the pool has too few.
func (c *DriverCache) Segment(b *Buf, h *DriverTransport, size int, frames []*Buf) bool {
	for i := range frames {
		at := h.Payload + i*size
		n := min(size, h.End-at)
		f := (*Cache)(c).getChain(c.pool.segmentsFor(h.Payload + n))
		if f == nil {
			(*Cache)(c).Put(frames[:i])
			return false
		}
		f.copyRange(b, 0, h.Payload)
		f.copyRange(b, at, n)
		f.fixHeaders(h, i, n, i*size, i == len(frames)-1)
		frames[i] = f
	}
	return true
}

// copyRange appends n bytes of packet, from byte at on, to b, which has room for them.
func (b *Buf) copyRange(packet *Buf, at, n int) {
	for ; n > 0; packet = packet.following() {
		data := packet.Data()
		if at >= len(data) {
			at -= len(data)
			continue
		}
		data = data[at:]
		data, at = data[:min(n, len(data))], 0
		n -= len(data)
		for len(data) > 0 {
			if b.Tailroom() == 0 {
				b = b.next
			}
			k := copy(b.Append(min(len(data), b.Tailroom())), data)
			data = data[k:]
		}
	}
}

// fixHeaders makes the headers of frame i those of n bytes of payload that begin done
// bytes behind the payload of the whole packet.
func (b *Buf) fixHeaders(h *DriverTransport, i, n, done int, last bool) {
	end := h.Payload + n
	if h.V6 {
		b.put16(h.IP+4, uint16(end-h.IP-40))
	} else {
		b.put16(h.IP+2, uint16(end-h.IP))
		b.put16(h.IP+4, b.get16(h.IP+4)+uint16(i)) // the identification
		b.put16(h.IP+10, 0)
		b.put16(h.IP+10, ^fold(b.sumRange(h.IP, h.Start)))
	}
	if h.UDP {
		b.put16(h.Start+4, uint16(end-h.Start))
	} else {
		var seq [4]byte
		for k := range seq {
			seq[k] = b.byteAt(h.Start + 4 + k)
		}
		next := binary.BigEndian.Uint32(seq[:]) + uint32(done)
		b.put16(h.Start+4, uint16(next>>16))
		b.put16(h.Start+6, uint16(next))
		flags := b.byteAt(h.Start + 13)
		if !last {
			flags &^= tcpFIN | tcpPSH
		}
		if i > 0 {
			flags &^= tcpCWR // said once (RFC 3168, 6.1.2)
		}
		b.setByte(h.Start+13, flags)
	}
	_ = b.PrepareChecksum() // which parses what was parsed before
}

const (
	tcpFIN = 0x01
	tcpPSH = 0x08
)

// get16 returns the word at byte i of the packet.
func (b *Buf) get16(i int) uint16 { return uint16(b.byteAt(i))<<8 | uint16(b.byteAt(i+1)) }

// sumRange returns the ones' complement sum of the packet from byte start to byte end.
func (b *Buf) sumRange(start, end int) uint64 {
	sum := uint64(0)
	for i := start; i < end; i += 2 {
		sum += uint64(b.get16(i))
	}
	return sum
}
