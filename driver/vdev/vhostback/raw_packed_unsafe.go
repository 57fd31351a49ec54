package vhostback

import (
	"unsafe"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Flags of a packed descriptor as they stand in its second word, which is
// le32 length, le16 id, le16 flags (2.8.13).
const (
	rawAvail = virtio.DescAvail << 48
	rawUsed  = virtio.DescUsed << 48
	rawOdd   = (virtio.DescNext | virtio.DescIndirect) << 48
	rawWrite = virtio.DescWrite << 48
	rawIDs   = 0xffff << 32
)

// packedFlags are, for a lap, the flags of an available descriptor and those of
// a used one (2.8.1).
func packedFlags(wrap bool) (available, used uint64) {
	if wrap {
		return rawAvail, rawAvail | rawUsed
	}
	return rawUsed, 0
}

// advance goes n descriptors on.
func (q *rawRing) advance(n uint32) {
	if q.at += n; q.at >= q.size {
		q.at -= q.size
		q.wrap = !q.wrap
	}
}

// receivePacked fills what is available. It goes by cache lines of four
// descriptors and writes the used ones of a line one right after the other, so
// that the line is taken from the driver once.
func (q *rawRing) receivePacked() int {
	total := 0
	var seen [4]uint64
	for total < rawBurst {
		available, used := packedFlags(q.wrap)
		used |= rawWrite | uint64(q.need)
		line := min(4-q.at&3, q.size-q.at)
		d := unsafe.Add(q.desc, uintptr(q.at)*virtio.DescLen)
		n := uint32(0)
		for ; n < line; n++ {
			p := unsafe.Add(d, uintptr(n)*virtio.DescLen)
			w := rawLoad64(unsafe.Add(p, 8))
			if w&(rawAvail|rawUsed|rawOdd|rawWrite) != available|rawWrite || uint32(w) < q.need {
				break
			}
			addr := *(*uint64)(p)
			off := addr - q.first
			if off > q.limit {
				if !q.retarget(addr) {
					break
				}
				off = addr - q.first
			}
			q.fill(unsafe.Add(q.base, off))
			seen[n&3] = w
		}
		for i := range n {
			rawStore64(unsafe.Add(d, uintptr(i)*virtio.DescLen+8), seen[i&3]&rawIDs|used)
		}
		q.advance(n)
		total += int(n)
		if n < line && !q.oddPacked(&total) {
			break
		}
	}
	q.count.bytes.Add(uint64(total) * uint64(q.need-headerLen))
	return total
}

// transmitPacked reads what is available and gives it back: each descriptor, or
// with IN_ORDER the last one of a burst for all of them (2.8.8).
func (q *rawRing) transmitPacked() int {
	total, bytes, sum := 0, uint64(0), uint64(0)
	var seen [4]uint64
	for total < rawBurst {
		available, used := packedFlags(q.wrap)
		line := min(4-q.at&3, q.size-q.at)
		if q.inOrder {
			line = min(rawBurst, q.size-q.at)
		}
		d := unsafe.Add(q.desc, uintptr(q.at)*virtio.DescLen)
		n := uint32(0)
		for ; n < line; n++ {
			p := unsafe.Add(d, uintptr(n)*virtio.DescLen)
			w := rawLoad64(unsafe.Add(p, 8))
			if w&(rawAvail|rawUsed|rawOdd|rawWrite) != available || uint32(w) < rawTouched {
				break
			}
			addr := *(*uint64)(p)
			off := addr - q.first
			if off > q.limit {
				if !q.retarget(addr) {
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
			rawStore64(unsafe.Add(d, 8), seen[(n-1)&3]&rawIDs|used)
		default:
			for i := range n {
				rawStore64(unsafe.Add(d, uintptr(i)*virtio.DescLen+8), seen[i&3]&rawIDs|used)
			}
		}
		q.advance(n)
		total += int(n)
		if n < line && !q.oddPacked(&total) {
			break
		}
	}
	q.sum += sum
	q.count.bytes.Add(bytes)
	return total
}

// rawPackedWord reads the second word of a descriptor, rawStorePacked writes it.
func rawPackedWord(desc []byte, i uint32) uint64 {
	return rawLoad64(unsafe.Pointer(&desc[virtio.DescLen*i+8 : virtio.DescLen*i+16][0]))
}

func rawStorePacked(desc []byte, i uint32, w uint64) {
	rawStore64(unsafe.Pointer(&desc[virtio.DescLen*i+8 : virtio.DescLen*i+16][0]), w)
}
