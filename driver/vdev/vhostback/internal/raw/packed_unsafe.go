package raw

import (
	"unsafe"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Flags of a packed descriptor as they stand in its second word, which is
// le32 length, le16 id, le16 flags (2.8.13).
const (
	wordAvail = virtio.DescAvail << 48
	wordUsed  = virtio.DescUsed << 48
	wordSlow  = (virtio.DescNext | virtio.DescIndirect) << 48
	wordWrite = virtio.DescWrite << 48
	wordID    = 0xffff << 32
)

// packedFlags returns, for a lap, the flags of an available descriptor and those
// of a used one (2.8.1).
func packedFlags(wrap bool) (available, used uint64) {
	if wrap {
		return wordAvail, wordAvail | wordUsed
	}
	return wordUsed, 0
}

// advance moves the position by n descriptors.
func (q *ring) advance(n uint32) {
	if q.at += n; q.at >= q.size {
		q.at -= q.size
		q.wrap = !q.wrap
	}
}

// receivePacked fills the available buffers. It goes by cache lines of four
// descriptors and writes the used ones of a line one right after the other, so
// that the line is taken from the driver once.
func (q *ring) receivePacked() int {
	total := 0
	var seen [4]uint64
	for total < maxBurst {
		available, used := packedFlags(q.wrap)
		used |= wordWrite | uint64(q.need)
		line := min(4-q.at&3, q.size-q.at)
		d := unsafe.Add(q.desc, uintptr(q.at)*virtio.DescLen)
		n := uint32(0)
		for ; n < line; n++ {
			p := unsafe.Add(d, uintptr(n)*virtio.DescLen)
			w := load64(unsafe.Add(p, 8))
			if w&(wordAvail|wordUsed|wordSlow|wordWrite) != available|wordWrite || uint32(w) < q.need {
				break
			}
			addr := *(*uint64)(p)
			off := addr - q.first
			if off >= q.limit {
				if !q.findRegion(addr) {
					break
				}
				off = addr - q.first
			}
			q.fill(unsafe.Add(q.base, off))
			seen[n&3] = w
		}
		for i := range n {
			store64(unsafe.Add(d, uintptr(i)*virtio.DescLen+8), seen[i&3]&wordID|used)
		}
		q.advance(n)
		total += int(n)
		if n < line && !q.slowPacked(&total) {
			break
		}
	}
	q.count.bytes.Add(uint64(total) * uint64(q.need-headerLen))
	return total
}

// transmitPacked reads the available buffers and uses them, with IN_ORDER by one
// descriptor for a burst: the first slot gets the ID of the last buffer (2.8.8).
func (q *ring) transmitPacked() int {
	total, bytes, sum := 0, uint64(0), uint64(0)
	var seen [4]uint64
	for total < maxBurst {
		available, used := packedFlags(q.wrap)
		line := min(4-q.at&3, q.size-q.at)
		if q.inOrder {
			line = min(maxBurst, q.size-q.at)
		}
		d := unsafe.Add(q.desc, uintptr(q.at)*virtio.DescLen)
		n := uint32(0)
		for ; n < line; n++ {
			p := unsafe.Add(d, uintptr(n)*virtio.DescLen)
			w := load64(unsafe.Add(p, 8))
			if w&(wordAvail|wordUsed|wordSlow|wordWrite) != available || uint32(w) < touched {
				break
			}
			addr := *(*uint64)(p)
			off := addr - q.first
			if off >= q.limit {
				if !q.findRegion(addr) {
					break
				}
				off = addr - q.first
			}
			sum += read(unsafe.Add(q.base, off))
			bytes += uint64(uint32(w)) - headerLen
			seen[n&3] = w
		}
		switch {
		case n == 0:
		case q.inOrder:
			store64(unsafe.Add(d, 8), seen[(n-1)&3]&wordID|used)
		default:
			for i := range n {
				store64(unsafe.Add(d, uintptr(i)*virtio.DescLen+8), seen[i&3]&wordID|used)
			}
		}
		q.advance(n)
		total += int(n)
		if n < line && !q.slowPacked(&total) {
			break
		}
	}
	q.sum += sum
	q.count.bytes.Add(bytes)
	return total
}

// loadDesc reads the second word of descriptor i.
func loadDesc(desc []byte, i uint32) uint64 {
	return load64(unsafe.Pointer(&desc[virtio.DescLen*i+8 : virtio.DescLen*i+16][0]))
}

// storeDesc writes the second word of descriptor i.
func storeDesc(desc []byte, i uint32, w uint64) {
	store64(unsafe.Pointer(&desc[virtio.DescLen*i+8 : virtio.DescLen*i+16][0]), w)
}
