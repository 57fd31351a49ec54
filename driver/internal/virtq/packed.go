package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Fields of the second half of a packed descriptor: le32 len, le16 id, le16
// flags (2.8.13). It is written in one store, which makes the descriptor
// available, and read in one load.
const (
	packedIDShift    = 32
	packedFlagsShift = 48
	packedWrite      = virtio.DescWrite << packedFlagsShift
	packedNext       = virtio.DescNext << packedFlagsShift
	packedIndirect   = virtio.DescIndirect << packedFlagsShift
	packedAvail      = virtio.DescAvail << packedFlagsShift
	packedUsed       = virtio.DescUsed << packedFlagsShift

	// packedState are the bits that say whose a descriptor is, packedTag those
	// that one compare tells an ordinary used descriptor by: its state, its
	// buffer ID, and no flag but WRITE.
	packedState = packedAvail | packedUsed
	packedTag   = 0xffff<<packedFlagsShift&^packedWrite | 0xffff<<packedIDShift

	// packedReserved are the flags that a used descriptor has no use for.
	packedReserved = 0xffff << packedFlagsShift &^ (packedState | packedWrite)
)

// packedID returns the buffer ID of a descriptor.
func packedID(meta uint64) uint32 { return uint32(meta>>packedIDShift) & 0xffff }

// Packed is the driver side of a packed virtqueue (2.8).
//
// The slots of the ring are the positions of slots: buffers are made available
// at tail and used at head. Both go round, and each has a wrap counter, which
// starts at 1 and is kept as the flags that it stands for.
type Packed struct {
	queue
	slots

	desc        []desc
	deviceEvent *uint32

	tailFlags uint64 // AVAIL, USED of a descriptor made available at tail
	headFlags uint64 // AVAIL, USED of a descriptor used at head
	unkicked  int    // descriptors made available since the last decision about a doorbell
	barrier   uint32 // the word that fence is for

	memory   []byte
	segments int // entries of an indirect table, 0 without INDIRECT_DESC
}

// init makes an empty ring in cfg.Memory.
func (p *Packed) init(cfg *Config, kicks *stat.Counter) error {
	l, err := cfg.complete()
	if err != nil {
		return err
	}
	p.queue = newQueue(cfg, l, kicks)
	p.slots = newSlots(cfg.Size)
	p.memory, p.segments = cfg.Memory, cfg.IndirectSize
	p.desc = descsAt(cfg.Memory, l.Desc, cfg.Size)
	p.deviceEvent = wordAt(cfg.Memory, l.Device)
	p.tailFlags, p.headFlags = packedAvail, packedState
	// Polling wants no interrupts, with EVENT_IDX and without (2.8.14).
	publish32(wordAt(cfg.Memory, l.Driver), uint32(packedEventDisable))
	return nil
}

// enter takes n descriptors at tail into the window. The wrap counter turns
// over when they pass the end of the ring, also when they end exactly there
// (2.8.1).
func (p *Packed) enter(n int) {
	if p.tail()+n >= p.size() {
		p.tailFlags ^= packedState
	}
	p.count += n
	p.unkicked += n
}

// leave takes n descriptors at head out of the window.
func (p *Packed) leave(n int) {
	if p.head+n >= p.size() {
		p.headFlags ^= packedState
	}
	p.drop(n)
}

// peek returns the buffer ID and length of the descriptor at head, if it is used.
func (p *Packed) peek() (id, written uint32, ok bool) {
	if p.count == 0 {
		return 0, 0, false
	}
	m := load64(&p.desc[p.head].meta)
	if m&packedState != p.headFlags {
		return 0, 0, false
	}
	return packedID(m), uint32(m), true
}

// kick rings the doorbell if the device asks for it. It decides about
// everything made available since the last decision.
func (p *Packed) kick() {
	fence(&p.barrier)
	event := packedEvent(load32(p.deviceEvent))
	wrap := p.tailFlags == packedAvail
	next, count := p.tail(), p.unkicked
	p.unkicked = 0
	if event.wants(next, count, p.size(), wrap, p.eventIdx) {
		p.ring(position(next, wrap))
	}
}
