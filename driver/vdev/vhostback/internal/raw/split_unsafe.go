package raw

import (
	"unsafe"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Offsets in the available and the used ring (2.7.6, 2.7.8).
const (
	ringEntries = 4
	usedEntry   = 8
)

// splitReady returns how many buffers are available, at most a burst.
func (q *ring) splitReady() uint32 {
	n := uint32(uint16(load32(q.driver)>>16) - uint16(q.at))
	if n > q.size {
		q.fail("split/avail/1", "%d buffers available in a ring of %d", n, q.size)
		return 0
	}
	return min(n, maxBurst)
}

// splitDesc returns the next available descriptor and its number. Its second
// word is le32 length, le16 flags, le16 next (2.7.5).
func (q *ring) splitDesc(i uint32) (p unsafe.Pointer, head uint32) {
	head = uint32(*(*uint16)(unsafe.Add(q.driver, ringEntries+2*uintptr((q.at+i)&(q.size-1)))))
	if head >= q.size {
		return nil, head
	}
	return unsafe.Add(q.desc, uintptr(head)*virtio.DescLen), head
}

func (q *ring) storeUsed(i uint32, id uint32, length uint32) {
	slot := uintptr((q.at + i) & (q.size - 1))
	*(*uint64)(unsafe.Add(q.device, ringEntries+usedEntry*slot)) = uint64(id) | uint64(length)<<32
}

// publishSplit makes n used entries visible to the driver.
func (q *ring) publishSplit(n uint32) {
	if n > 0 {
		q.at = uint32(uint16(q.at + n))
		store32(q.device, virtio.UsedNoNotify|q.at<<16)
	}
}

// receiveSplit fills the available buffers.
func (q *ring) receiveSplit() int {
	ready := q.splitReady()
	n := uint32(0)
	for ; n < ready; n++ {
		p, head := q.splitDesc(n)
		if p == nil {
			break
		}
		addr, w := *(*uint64)(p), *(*uint64)(unsafe.Add(p, 8))
		off := addr - q.first
		if w>>32&(virtio.DescNext|virtio.DescIndirect|virtio.DescWrite) != virtio.DescWrite || uint32(w) < q.need {
			break
		}
		if off >= q.limit {
			if !q.findRegion(addr) {
				break
			}
			off = addr - q.first
		}
		q.fill(unsafe.Add(q.base, off))
		q.storeUsed(n, head, q.need)
	}
	if n < ready && q.slowSplit(n, q.need) {
		n++
	}
	q.publishSplit(n)
	q.count.bytes.Add(uint64(n) * uint64(q.need-headerLen))
	return int(n)
}

// transmitSplit reads the available buffers and uses them, with IN_ORDER by one
// entry for all of them (2.7.9).
func (q *ring) transmitSplit() int {
	ready := q.splitReady()
	n, bytes, sum := uint32(0), uint64(0), uint64(0)
	last := uint32(0)
	for ; n < ready; n++ {
		p, head := q.splitDesc(n)
		if p == nil {
			break
		}
		addr, w := *(*uint64)(p), *(*uint64)(unsafe.Add(p, 8))
		off := addr - q.first
		if w>>32&(virtio.DescNext|virtio.DescIndirect|virtio.DescWrite) != 0 || uint32(w) < touched {
			break
		}
		if off >= q.limit {
			if !q.findRegion(addr) {
				break
			}
			off = addr - q.first
		}
		sum += read(unsafe.Add(q.base, off))
		bytes += uint64(uint32(w)) - headerLen
		if last = head; !q.inOrder {
			q.storeUsed(n, head, 0)
		}
	}
	if q.inOrder && n > 0 {
		q.storeUsed(0, last, 0)
		q.publishSplit(n)
		q.sum += sum
		q.count.bytes.Add(bytes)
		return int(n)
	}
	if n < ready && q.slowSplit(n, 0) {
		n++
	}
	q.publishSplit(n)
	q.sum += sum
	q.count.bytes.Add(bytes)
	return int(n)
}
