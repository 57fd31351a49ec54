package mbuf

import "github.com/virtio-pmd/virtio-pmd/driver/internal/stat"

// Cache is a goroutine's own stock of free buffers of one pool. It needs no lock
// and exchanges buffers with the pool in bulk, when it is empty or full. Last in,
// first out: the buffer that was used last is most likely still in a CPU cache.
//
// All caches of a pool together keep a part of what its ports can spare. When the
// pool runs out of buffers, its caches give back what they hold at their next
// exchange, and those of queues at one of their next bursts.
type Cache struct {
	pool  *Pool
	size  int
	limit int        // most that it keeps now
	n     int        // stack[:n] are the buffers
	stack []*Buf     // its length is the most that the cache ever keeps
	count stat.Gauge // n, for Pool.Free

	hunger uint32 // the pool's when the cache looked last
	short  uint32 // takes in a row that came up short

	foreign []*Buf // on their way back to one other pool
}

const (
	// shortPeriod is how many takes in a row that come up short are one shortage: it is
	// reported again and again, as buffers may have gone into caches since, but other
	// processors are not disturbed at every poll.
	shortPeriod = 32
	// maxForeign is how many buffers of another pool are taken back at a time.
	maxForeign = 64
)

// NewCache returns an empty cache that exchanges about size buffers with the pool
// at a time and keeps at most twice as many, or fewer if the pool cannot spare them.
// It belongs to one goroutine.
func (p *Pool) NewCache(size int) *Cache {
	size = max(size, 1)
	c := &Cache{pool: p, size: size, stack: make([]*Buf, 2*size),
		foreign: make([]*Buf, 0, maxForeign)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caches = append(p.caches, c)
	p.divide()
	c.look()
	return c
}

// look takes note of what the pool can spare now.
func (c *Cache) look() {
	c.hunger = c.pool.hunger.Load()
	c.limit = min(len(c.stack), int(c.pool.cacheLimit.Load()))
}

// Pool returns the pool that the buffers belong to.
func (c *Cache) Pool() *Pool { return c.pool }

// Get fills bufs with empty packets of one segment and returns how many, fewer
// than len(bufs) only if the pool has no more.
func (c *Cache) Get(bufs []*Buf) int {
	n := c.take(bufs)
	empty := c.pool.empty
	for _, b := range bufs[:n] {
		b.view = empty
	}
	return n
}

// GetOne returns an empty packet of one segment, nil if the pool has no more.
func (c *Cache) GetOne() *Buf { return c.getChain(1) }

// Clone is [Pool.Clone] with buffers from the cache.
func (c *Cache) Clone(b *Buf) *Buf {
	if b.view == notHeld {
		return nil
	}
	clone := c.getChain(c.pool.segmentsFor(b.PacketLen()))
	if clone != nil {
		clone.copyFrom(b)
	}
	return clone
}

// Put frees packets, as [Free] does, into the cache. Buffers of another pool go
// back to that pool. A buffer that is free already is counted as a double free,
// and neither it nor the segments after it are touched.
func (c *Cache) Put(bufs []*Buf) {
	for len(bufs) > 0 {
		if c.n >= c.limit && !c.makeRoom() {
			Free(bufs)
			return
		}
		at := c.stack[c.n:c.limit]
		at = at[:min(len(at), len(bufs))]
		n := consume(at, bufs[:len(at)], c.pool)
		c.setCount(c.n + n)
		if n < len(bufs) && n < len(at) {
			c.putSlow(bufs[n])
			n++
		}
		bufs = bufs[n:]
	}
}

// consume takes packets that are one buffer of pool back to at, which is as long as bufs,
// and returns how many there are before the first that is not, or is not held.
func consume(at, bufs []*Buf, pool *Pool) int {
	at = at[:len(bufs)]
	for i, b := range bufs {
		if b == nil || b.pool != pool || b.next != nil || b.view == notHeld {
			return i
		}
		b.view = notHeld
		at[i] = b
	}
	return len(bufs)
}

// putSlow takes back a packet that is nil, a chain, of another pool, or not held.
func (c *Cache) putSlow(b *Buf) {
	for b != nil && b.pool == c.pool && b.view != notHeld {
		next := b.next
		b.next = nil
		b.view = notHeld
		c.give([]*Buf{b})
		b = next
	}
	if b != nil {
		b.Free() // of another pool, or a double free, which its pool counts
	}
}

// getChain returns an empty packet of n segments, nil if the pool has too few.
func (c *Cache) getChain(n int) *Buf {
	if n > len(c.stack) {
		return c.pool.getChain(n)
	}
	if c.n < n {
		if c.fetch(n); c.n < n {
			return nil
		}
	}
	top := c.n - n
	b := link(c.stack[top:c.n], c.pool.empty)
	c.setCount(top)
	return b
}

// take moves buffers out and sets nothing in them. They have no next segment.
func (c *Cache) take(bufs []*Buf) int {
	if c.n < len(bufs) {
		return c.takeMore(bufs)
	}
	top := c.n - len(bufs)
	DriverMove(bufs, c.stack[top:c.n])
	c.setCount(top)
	return len(bufs)
}

// takeMore is take of more buffers than the cache has. It gets what is missing, and
// some in advance.
func (c *Cache) takeMore(bufs []*Buf) int {
	n := copy(bufs, c.stack[:c.n])
	c.look()
	got, more := c.pool.takeMore(bufs[n:], c.stack[:c.limit/2])
	c.setCount(more)
	n += got
	c.noteShortage(n < len(bufs))
	return n
}

// give moves buffers in that belong to this pool and have no next segment. It
// checks nothing and touches no buffer.
func (c *Cache) give(bufs []*Buf) {
	if c.n+len(bufs) > c.limit {
		c.giveMore(bufs)
		return
	}
	DriverMove(c.stack[c.n:], bufs)
	c.setCount(c.n + len(bufs))
}

// giveMore is give of more buffers than the cache has room for. It gives the older ones
// to the pool, or all of them to a pool that has run out.
func (c *Cache) giveMore(bufs []*Buf) {
	keep := 0
	if c.hunger == c.pool.hunger.Load() {
		keep = c.limit / 2
	}
	c.look()
	give := max(c.n+len(bufs)-keep, 0)
	old := min(c.n, give)
	c.pool.give(c.stack[:old], bufs[:give-old])
	n := copy(c.stack, c.stack[old:c.n])
	n += copy(c.stack[n:], bufs[give-old:])
	c.setCount(n)
}

// yield gives all buffers back if the pool has run out since the last look.
func (c *Cache) yield() {
	if c.hunger == c.pool.hunger.Load() {
		return
	}
	c.look()
	if c.n > 0 {
		c.Flush()
	}
}

// noteShortage tells the other caches that the pool has run out, now and then while
// it stays so.
func (c *Cache) noteShortage(short bool) {
	switch {
	case !short:
		c.short = 0
		return
	case c.short%shortPeriod == 0:
		c.pool.hunger.Add(1)
	}
	c.short++
}

// Flush gives all buffers back to the pool. The cache can be used further.
func (c *Cache) Flush() {
	c.pool.give(c.stack[:c.n], nil)
	c.setCount(0)
}

// Close gives all buffers back to the pool, which forgets the cache. The cache
// must not be used afterwards.
func (c *Cache) Close() {
	c.Flush()
	c.pool.forget(c)
}

// fetch gets as many buffers from the pool as are missing for wanted, and some in
// advance.
func (c *Cache) fetch(wanted int) {
	c.look()
	most := max(min(wanted+c.limit/2, len(c.stack)), wanted)
	got, more := c.pool.takeMore(c.stack[c.n:wanted], c.stack[wanted:most])
	c.setCount(c.n + got + more)
	c.noteShortage(c.n < wanted)
}

// makeRoom gives the older half of a full cache to the pool, or everything to a pool
// that has run out. It reports whether there is room now.
func (c *Cache) makeRoom() bool {
	c.giveMore(nil)
	return c.n < c.limit
}

func (c *Cache) setCount(n int) {
	c.n = n
	c.count.Set(uint64(n))
}
