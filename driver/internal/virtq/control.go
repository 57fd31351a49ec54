package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Control is a queue of lists of segments, for the control queue (5.1.9.5). It
// does not matter to its user which format the ring has. It belongs to one
// goroutine.
type Control struct {
	split  *Split
	packed *Packed
	*queue // that of either
	slots  *slots

	kicked  stat.Counter
	room    []uint32 // bytes that the device may write, by identifier
	done    int      // positions at the head that are used, and were not returned yet
	written uint32   // what the device wrote for the last of them
}

// NewControl makes a queue of the format that cfg.Features say. *SizeError,
// *SegmentsError, *MemoryError.
func NewControl(cfg Config) (*Control, error) {
	c := &Control{}
	var err error
	if cfg.Features.Has(virtio.RingPacked) {
		c.packed = &Packed{}
		err = c.packed.init(&cfg, &c.kicked)
		c.queue, c.slots = &c.packed.queue, &c.packed.slots
	} else {
		c.split = &Split{}
		err = c.split.init(&cfg, &c.kicked)
		c.queue, c.slots = &c.split.queue, &c.split.slots
	}
	if err != nil {
		return nil, err
	}
	c.room = make([]uint32, cfg.Size)
	return c, nil
}

// Kicks returns how often the doorbell was rung.
func (c *Control) Kicks() uint64 { return c.kicked.Load() }

// Start says that DRIVER_OK is set: from now on Kick may ring the doorbell. id
// is what the low 16 bits of every rung value are.
func (c *Control) Start(bell virtio.Doorbell, id uint16) {
	c.bell, c.bellID, c.running = bell, uint32(id), true
}

// Add makes a command available: the device reads out and then writes in. It
// may be used until Used returns the same token. *FullError, *BrokenError.
func (c *Control) Add(out, in []Segment) (token uint16, err error) {
	if err := c.Broken(); err != nil {
		return 0, err
	}
	segs := append(append(make([]Segment, 0, len(out)+len(in)), out...), in...)
	need := needs(len(segs), c.table())
	if len(segs) == 0 || need > c.slots.free() {
		return 0, &FullError{Queue: c.index, Need: need, Free: c.slots.free()}
	}
	if c.packed != nil {
		token = c.packed.put(nil, segs, len(out))
	} else {
		token = c.split.put(nil, segs, len(out))
		c.split.publish()
	}
	c.room[token] = 0
	for _, g := range in {
		c.room[token] += g.Len
	}
	c.posted.Set(uint64(c.slots.count))
	return token, nil
}

// table returns the number of entries of an indirect table.
func (c *Control) table() int {
	if c.packed != nil {
		return c.packed.segments
	}
	return c.split.segments
}

// Kick tells the device about what was added, if it wants to know.
func (c *Control) Kick() {
	switch {
	case c.idle():
	case c.packed != nil:
		c.packed.kick()
	default:
		c.split.kick()
	}
}

// Used returns the token of a command that is done and how many bytes the
// device says it wrote, which is never more than it was given. It never waits.
func (c *Control) Used() (token uint16, written uint32, ok bool) {
	if c.idle() || c.done == 0 && !c.collect() {
		return 0, 0, false
	}
	token, written = c.slots.id[c.slots.head], c.written
	n := c.slots.end()
	c.done -= n
	if c.done > 0 {
		written = c.room[token] // one that IN_ORDER skips was used completely
	}
	if c.packed != nil {
		c.packed.leave(n)
	} else {
		c.slots.drop(n)
	}
	c.posted.Set(uint64(c.slots.count))
	return token, min(written, c.room[token]), true
}

// collect takes note of what the next used entry stands for. It returns false
// if there is none, or none that the device may have written.
func (c *Control) collect() bool {
	var id uint32
	var ok bool
	if c.packed != nil {
		id, c.written, ok = c.packed.peek()
	} else {
		id, c.written, ok = c.split.peek()
	}
	if !ok {
		return false
	}
	s := c.slots
	d := s.distance(id, s.head, s.count)
	if d < 0 {
		c.fail(notOutstanding, uint64(id), uint64(s.size()))
		return false
	}
	if !c.inOrder {
		s.toFront(s.head, d)
		d = 0
	}
	c.done = d + int(s.chain[s.wrap(s.head+d)])
	if c.split != nil {
		return c.split.skip(c.done)
	}
	return true
}

// Drain forgets every command that was not done and returns the number of their
// descriptors. The device must have been reset. The queue is of no use
// afterwards.
func (c *Control) Drain() int {
	n := c.slots.count
	c.slots.drop(n)
	c.running = false
	c.posted.Set(0)
	return n
}
