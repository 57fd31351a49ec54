package virtq

import "github.com/virtio-pmd/virtio-pmd/driver/virtio"

// Positions says where the driver and the device are in a ring.
//
// On a split ring Avail and Used are the free-running indices up to which the driver has
// made chains available, and up to which it has taken used ones back; DeviceUsed is
// the index that the device has published. On a packed ring Avail and Used are
// the descriptors where the driver makes the next one available and expects the next used
// one, each with its wrap counter, and there is no DeviceUsed.
type Positions struct {
	Avail, Used         uint16
	AvailWrap, UsedWrap bool
	DeviceUsed          uint16
	InUse               int // descriptors that the device has, tables counted as one

	// What each side asks of the other in its event suppression area: on a split ring
	// flags, whose lowest bit asks not to be notified, and with EVENT_IDX the index at which
	// to notify; on a packed ring the flags ENABLE, DISABLE or DESC, and for DESC the
	// descriptor and its wrap counter.
	DriverFlags, DriverEvent uint16
	DriverWrap               bool
	DeviceFlags, DeviceEvent uint16
	DeviceWrap               bool
}

// Descriptor is one descriptor of a ring as it reads. ID is the number of the next descriptor
// on a split ring, and the buffer ID on a packed one.
type Descriptor struct {
	Address   uint64
	Len       uint32
	Flags, ID uint16
}

// Positions returns where both sides are. The caller has the queue for itself.
func (r *ring) Positions() Positions {
	if r.packed {
		return r.positionsPacked()
	}
	return r.positionsSplit()
}

// Size returns the number of descriptors.
func (r *ring) Size() int { return r.size() }

// Inspect calls do with every descriptor of the ring, in the order of their numbers. The
// caller has the queue for itself; the device may write meanwhile.
func (r *ring) Inspect(do func(Descriptor)) {
	for i := range r.desc {
		meta := load64(&r.desc[i].meta)
		d := Descriptor{Address: r.desc[i].addr, Len: uint32(meta)}
		if r.packed {
			d.ID, d.Flags = uint16(meta>>packedIDShift), uint16(meta>>packedFlagsShift)
		} else {
			d.Flags, d.ID = uint16(meta>>splitFlagsShift), uint16(meta>>splitNextShift)
		}
		do(d)
	}
}

func (r *ring) positionsSplit() Positions {
	used := load32(r.usedWord)
	p := Positions{
		Avail: r.availIdx, Used: r.usedIdx, DeviceUsed: uint16(used >> splitIdxShift), InUse: r.count,
		DriverFlags: uint16(r.availFlags), DeviceFlags: uint16(used),
	}
	if r.eventIdx {
		p.DriverEvent, p.DeviceEvent = r.usedEventShadow, uint16(load32(r.availEvent))
	}
	return p
}

func (r *ring) positionsPacked() Positions {
	p := Positions{
		Avail: uint16(r.tail()), AvailWrap: r.tailFlags == packedAvail,
		Used: uint16(r.head), UsedWrap: r.headFlags == packedState, InUse: r.count,
	}
	p.DriverFlags, p.DriverEvent, p.DriverWrap = packedEvent(load32(wordAt(r.memory, r.layout.Driver))).parts()
	p.DeviceFlags, p.DeviceEvent, p.DeviceWrap = packedEvent(load32(r.deviceEvent)).parts()
	return p
}

// parts returns the flags, and with DESC the descriptor and its wrap counter.
func (e packedEvent) parts() (flags, event uint16, wrap bool) {
	if flags = uint16(e.flags()); flags == virtio.EventDesc {
		event, wrap = uint16(e&eventOffsetMask), e>>eventWrapShift&1 != 0
	}
	return flags, event, wrap
}
