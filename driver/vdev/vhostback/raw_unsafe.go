package vhostback

import (
	"unsafe"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// rawRing is a ring of raw mode. Whatever is unusual about a buffer (chains,
// indirect tables, short ones, another region than the last) takes the way
// through raw_chain.go.
type rawRing struct {
	owner    *raw
	index    int
	receives bool // a receiveq

	alive, enabled  bool
	works           bool // it is to be looked at
	packed, inOrder bool

	areas                [3][]byte
	desc, driver, device unsafe.Pointer // the areas
	size                 uint32
	at                   uint32 // split: free-running index; packed: offset
	wrap                 bool   // packed

	// The region that the last buffer was in: first is its guest address, base
	// where that is here, and a buffer at up to limit behind it is long enough.
	first, limit uint64
	base         unsafe.Pointer

	need   uint32 // bytes of a buffer that are touched
	packet unsafe.Pointer
	extra  []byte // what follows the first 64 bytes of the generated frame
	sum    uint64 // of what was read, so that it is read

	pieces []rawPiece
	count  rawCounters
}

func (q *rawRing) init(r *raw, i int) {
	q.owner, q.index, q.receives = r, i, i%2 == 0
	q.need = rawTouched
	if q.receives {
		q.need = uint32(len(r.packet))
		q.packet = unsafe.Pointer(unsafe.SliceData(r.packet))
		if len(r.packet) > rawTouched {
			q.extra = r.packet[rawTouched:]
		}
	}
}

func (q *rawRing) configure(packed, inOrder bool) {
	q.close()
	q.packed, q.inOrder, q.enabled = packed, inOrder, false
}

func (q *rawRing) close() {
	q.alive, q.works = false, false
	q.areas = [3][]byte{}
	q.desc, q.driver, q.device = nil, nil, nil
	q.forget()
}

// forget makes the next buffer's region be looked up.
func (q *rawRing) forget() { q.first, q.limit, q.base = ^uint64(0), 0, nil }

func (q *rawRing) place(areas [3][]byte) {
	q.areas = areas
	q.desc = unsafe.Pointer(unsafe.SliceData(areas[vdev.DescArea]))
	q.driver = unsafe.Pointer(unsafe.SliceData(areas[vdev.DriverArea]))
	q.device = unsafe.Pointer(unsafe.SliceData(areas[vdev.DeviceArea]))
}

func (q *rawRing) open(v vdev.Vring) {
	q.place(v.Areas)
	q.size, q.at, q.wrap = uint32(v.Size), uint32(v.Position), true
	if q.packed {
		q.at, q.wrap = uint32(v.Position&0x7fff), v.Position>>15 != 0
		rawStore32(q.device, virtio.EventDisable<<16)
	} else {
		q.at = rawLoad32(q.device) >> 16
		rawStore32(q.device, virtio.UsedNoNotify|q.at<<16)
	}
	q.alive = true
	q.enable(q.enabled)
}

func (q *rawRing) enable(on bool) {
	q.enabled = on
	q.works = q.alive && on && (!q.receives || q.owner.cfg.Generate)
}

// position is where the ring would go on.
func (q *rawRing) position() uint16 {
	if q.packed && q.wrap {
		return uint16(q.at) | 1<<15
	}
	return uint16(q.at)
}

// turn uses what is available, up to a burst.
func (q *rawRing) turn() int {
	n := 0
	switch {
	case q.packed && q.receives:
		n = q.receivePacked()
	case q.packed:
		n = q.transmitPacked()
	case q.receives:
		n = q.receiveSplit()
	default:
		n = q.transmitSplit()
	}
	if n > 0 {
		q.count.packets.Add(uint64(n))
	}
	return n
}

// retarget makes the region of a guest address the one that is looked at first.
// It tells whether a buffer there can take the short way.
func (q *rawRing) retarget(addr uint64) bool {
	for _, w := range q.owner.memory {
		size := uint64(len(w.mem))
		if off := addr - w.first; off < size && uint64(q.need) <= size-off {
			q.first, q.limit = w.first, size-uint64(q.need)
			q.base = unsafe.Pointer(unsafe.SliceData(w.mem))
			return true
		}
	}
	return false
}

// fill writes header and frame to p.
func (q *rawRing) fill(p unsafe.Pointer) {
	*(*[8]byte)(p) = [8]byte{}
	*(*uint32)(unsafe.Add(p, 8)) = 1 << 16
	if q.need >= rawTouched {
		// By 16 bytes, which are one load and one store; 64 would be a call.
		to, from := (*[4][16]byte)(unsafe.Add(p, headerLen)), (*[4][16]byte)(unsafe.Add(q.packet, headerLen))
		to[0] = from[0]
		to[1] = from[1]
		to[2] = from[2]
		to[3] = from[3]
		if q.extra != nil {
			copy(unsafe.Slice((*byte)(unsafe.Add(p, rawTouched)), len(q.extra)), q.extra)
		}
		return
	}
	copy(unsafe.Slice((*byte)(p), q.need), unsafe.Slice((*byte)(q.packet), q.need))
}

// read adds up the header and 64 bytes from p on.
func read(p unsafe.Pointer) uint64 {
	b := (*[rawTouched / 4]uint32)(p)
	w := (*[8]uint64)(unsafe.Add(p, headerLen))
	return uint64(b[0]+b[1]+b[2]) + w[0] + w[1] + w[2] + w[3] + w[4] + w[5] + w[6] + w[7]
}

// alignedTo tells whether mem begins at a multiple of n.
func alignedTo(mem []byte, n uint64) bool {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))%n == 0
}
