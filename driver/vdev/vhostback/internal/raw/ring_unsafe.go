package raw

import (
	"unsafe"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// ring is one virtqueue. Buffers that are not a single descriptor of sufficient
// length take the slow path through chain.go.
type ring struct {
	engine   *Engine
	index    int
	receives bool // a receiveq

	alive, enabled  bool
	active          bool // turn is called for it: started, enabled and not left alone
	packed, inOrder bool

	areas                [3][]byte
	desc, driver, device unsafe.Pointer // the areas
	size                 uint32
	at                   uint32 // split: free-running index; packed: offset
	wrap                 bool   // packed

	// The region that the last buffer was in: first is its guest address, base its
	// address here, and a buffer at an offset below limit lies in it whole.
	first, limit uint64
	base         unsafe.Pointer

	need   uint32 // bytes of a buffer that are touched
	packet unsafe.Pointer
	extra  []byte // what follows the first 64 bytes of the generated frame
	sum    uint64 // of what was read, so that the compiler does not drop the reads

	pieces []piece // slow path
	count  counters
}

func (q *ring) init(e *Engine, i int) {
	q.engine, q.index, q.receives = e, i, i%2 == 0
	q.need = touched
	if q.receives {
		q.need = uint32(len(e.packet))
		q.packet = unsafe.Pointer(unsafe.SliceData(e.packet))
		if len(e.packet) > touched {
			q.extra = e.packet[touched:]
		}
	}
}

func (q *ring) configure(packed, inOrder bool) {
	q.close()
	q.packed, q.inOrder, q.enabled = packed, inOrder, false
}

func (q *ring) close() {
	q.alive, q.active = false, false
	q.areas = [3][]byte{}
	q.desc, q.driver, q.device = nil, nil, nil
	q.forgetRegion()
}

// forgetRegion makes findRegion look up the region of the next buffer.
func (q *ring) forgetRegion() { q.first, q.limit, q.base = 0, 0, nil }

func (q *ring) setAreas(areas [3][]byte) {
	q.areas = areas
	q.desc = unsafe.Pointer(unsafe.SliceData(areas[vdev.DescArea]))
	q.driver = unsafe.Pointer(unsafe.SliceData(areas[vdev.DriverArea]))
	q.device = unsafe.Pointer(unsafe.SliceData(areas[vdev.DeviceArea]))
}

func (q *ring) start(v vdev.Ring) {
	q.setAreas(v.Areas)
	q.size, q.at, q.wrap = uint32(v.Size), uint32(v.Position), true
	if q.packed {
		q.at, q.wrap = uint32(v.Position&0x7fff), v.Position>>15 != 0
		store32(q.device, virtio.EventDisable<<16)
	} else {
		q.at = load32(q.device) >> 16
		store32(q.device, virtio.UsedNoNotify|q.at<<16)
	}
	q.alive = true
	q.enable(q.enabled)
}

func (q *ring) enable(on bool) {
	q.enabled = on
	q.active = q.alive && on && (!q.receives || q.engine.cfg.Generate)
}

// position returns where the ring would go on.
func (q *ring) position() uint16 {
	if q.packed && q.wrap {
		return uint16(q.at) | 1<<15
	}
	return uint16(q.at)
}

// turn uses up to a burst of available buffers and returns how many.
func (q *ring) turn() int {
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

// findRegion makes the region of a guest address the one that the next buffers are
// looked for in. It reports whether a buffer there can take the fast path.
func (q *ring) findRegion(addr uint64) bool {
	for _, m := range q.engine.memory {
		size := uint64(len(m.Memory))
		if off := addr - m.Address; off < size && uint64(q.need) <= size-off {
			q.first, q.limit = m.Address, size-uint64(q.need)+1
			q.base = unsafe.Pointer(unsafe.SliceData(m.Memory))
			return true
		}
	}
	return false
}

// fill writes header and frame to p.
func (q *ring) fill(p unsafe.Pointer) {
	*(*[8]byte)(p) = [8]byte{}
	*(*uint32)(unsafe.Add(p, 8)) = 1 << 16
	if q.need >= touched {
		// By 16 bytes, which are one load and one store; 64 would be a call.
		to, from := (*[4][16]byte)(unsafe.Add(p, headerLen)), (*[4][16]byte)(unsafe.Add(q.packet, headerLen))
		to[0] = from[0]
		to[1] = from[1]
		to[2] = from[2]
		to[3] = from[3]
		if q.extra != nil {
			copy(unsafe.Slice((*byte)(unsafe.Add(p, touched)), len(q.extra)), q.extra)
		}
		return
	}
	copy(unsafe.Slice((*byte)(p), q.need), unsafe.Slice((*byte)(q.packet), q.need))
}

// read adds up the header and 64 bytes of the frame at p.
func read(p unsafe.Pointer) uint64 {
	b := (*[touched / 4]uint32)(p)
	w := (*[8]uint64)(unsafe.Add(p, headerLen))
	return uint64(b[0]+b[1]+b[2]) + w[0] + w[1] + w[2] + w[3] + w[4] + w[5] + w[6] + w[7]
}

// aligned reports whether mem begins at a multiple of n.
func aligned(mem []byte, n uint64) bool {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))%n == 0
}
