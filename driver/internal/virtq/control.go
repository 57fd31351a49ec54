package virtq

import (
	"strconv"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
)

// Control is a queue of lists of segments, for the control queue (5.1.9.5),
// whichever format its ring has. It belongs to one goroutine.
type Control struct {
	ring

	kickCount stat.Counter
	room      []uint32 // bytes that the device may write, by identifier
	done      int      // positions at the head that are used, and were not returned yet
	written   uint32   // what the device wrote for the last of them
	batched   bool     // an entry stood for several commands, by IN_ORDER
}

// NewControl makes a queue of the format that cfg.Features say. The error is an
// [*Error].
func NewControl(cfg Config) (*Control, error) {
	c := &Control{}
	if err := c.ring.init(&cfg, &c.kickCount); err != nil {
		return nil, err
	}
	c.room = make([]uint32, cfg.Size)
	return c, nil
}

// Kicks returns how often the doorbell was rung.
func (c *Control) Kicks() uint64 { return c.kickCount.Load() }

// Add makes a command available: the device reads out and then writes in. It
// may be used until Used returns the same token. The error is an [*Error] or a
// [*BrokenError].
func (c *Control) Add(out, in []Segment) (token uint16, err error) {
	if err := c.Broken(); err != nil {
		return 0, err
	}
	segs := append(append(make([]Segment, 0, len(out)+len(in)), out...), in...)
	need := needs(len(segs), c.indirectSize)
	if len(segs) == 0 || need > c.free() {
		return 0, &Error{
			Queue: c.index, Field: "command of descriptors", Value: need, Limit: c.free(),
			Reason: strconv.Itoa(c.free()) + " are free",
			Remedy: "wait until the device has used the commands before it",
		}
	}
	token = c.put(nil, segs, len(out))
	if !c.packed { // a packed list is published by the store of its head
		c.publishSplit()
	}
	c.room[token] = 0
	for _, g := range in {
		c.room[token] += g.Len
	}
	c.posted.Set(uint64(c.count))
	return token, nil
}

// Kick notifies the device of what was added, if it asks for that.
func (c *Control) Kick() {
	if !c.idle() {
		c.kick()
	}
}

// Used returns the token of a command that the device has used, and how many
// bytes it wrote, which is never more than it was given. It never waits.
func (c *Control) Used() (token uint16, written uint32, ok bool) {
	if c.idle() || c.done == 0 && !c.collect() {
		return 0, 0, false
	}
	token, written = c.id[c.head], c.written
	n := c.end()
	c.done -= n
	if c.done > 0 {
		written = c.room[token] // one that IN_ORDER skips was used completely
	}
	c.leave(n)
	c.posted.Set(uint64(c.count))
	return token, min(written, c.room[token]), true
}

// collect reads the next used entry and counts in done what it stands for. It
// returns false if there is none, or if it is invalid, which breaks the queue.
func (c *Control) collect() bool {
	id, written, ok := c.peek()
	if !ok {
		if c.packed && c.count == 0 && c.used(c.head, c.headFlags) {
			c.fail(notOutstanding, uint64(packedID(load64(&c.desc[c.head].meta))), uint64(c.size()))
		}
		return false
	}
	c.written = written
	d := c.distance(id, c.head, c.count)
	if d < 0 {
		c.fail(notOutstanding, uint64(id), uint64(c.size()))
		return false
	}
	if !c.inOrder {
		c.toFront(c.head, d)
		d = 0
	}
	c.batched = c.batched || c.inOrder && d > 0
	c.done = d + int(c.chain[c.wrap(c.head+d)])
	return c.packed || c.skip(c.done)
}

// Astray reports whether the device answers in another place of a packed ring than where
// Used waits for that, which breaks the queue. It is called when an answer does not come.
// The device has used a descriptor behind all that it was given, after it used one too many
// before, or with IN_ORDER it has answered a command and not the one before it, which looked
// like a batch. On a split ring such things show in the used index.
func (c *Control) Astray() bool {
	if !c.packed || c.count == 0 {
		return false
	}
	if c.batched {
		c.fail("the device answered a command and not the one before it", uint64(c.head), uint64(c.size()))
		return true
	}
	if c.free() == 0 {
		return false
	}
	flags := uint64(0) // the tail's state when it is used, in its lap
	if c.tailFlags == packedAvail {
		flags = packedState
	}
	if !c.used(c.tail(), flags) {
		return false
	}
	c.fail("the device used a descriptor behind those that it was given",
		uint64(c.tail()), uint64(c.size()))
	return true
}

// used reports whether the descriptor at a position of a packed ring is used, with the
// flags that mean so in its lap.
func (c *Control) used(at int, flags uint64) bool {
	return load64(&c.desc[at].meta)&packedState == flags
}

// Drain drops every command that was not used and returns the number of their
// descriptors. The device must have been reset. The queue is of no use
// afterwards.
func (c *Control) Drain() int {
	n := c.count
	c.drop(n)
	c.stopped = true
	c.posted.Set(0)
	return n
}
