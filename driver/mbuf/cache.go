package mbuf

import "github.com/virtio-pmd/virtio-pmd/driver/internal/stat"

// Cache is a goroutine's own stock of free buffers of one pool. It needs no lock
// and exchanges buffers with the pool in bulk, when it is empty or full. Last in,
// first out: the buffer that was used last is most likely still in a CPU cache.
type Cache struct {
	pool  *Pool
	size  int
	n     int        // stack[:n] are the buffers
	stack []*Buf     // its length is the most that the cache keeps
	count stat.Gauge // n, for Pool.Free
}

// minCache keeps an exchange with the pool large enough to be worth its lock.
const minCache = 32

// NewCache returns an empty cache that exchanges about size buffers with the pool
// at a time and keeps at most twice as many. It belongs to one goroutine.
func (p *Pool) NewCache(size int) *Cache {
	size = max(size, minCache)
	c := &Cache{pool: p, size: size, stack: make([]*Buf, 2*size)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caches = append(p.caches, c)
	return c
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
		c.makeRoom()
		at := c.stack[c.n:]
		n := consume(at[:copy(at, bufs)], c.pool)
		c.setCount(c.n + n)
		if n < len(bufs) && n < len(at) {
			c.putSlow(bufs[n])
			n++
		}
		bufs = bufs[n:]
	}
}

// consume takes back packets that are one buffer of pool, and returns how many
// there are before the first that is not, or is not held.
func consume(bufs []*Buf, pool *Pool) int {
	for i, b := range bufs {
		if b == nil || b.pool != pool || b.next != nil || b.view == notHeld {
			return i
		}
		b.view = notHeld
	}
	return len(bufs)
}

// putSlow takes back a packet that is nil, a chain, of another pool, or not held.
func (c *Cache) putSlow(b *Buf) {
	for b != nil && b.pool == c.pool && b.view != notHeld {
		next := b.next
		b.next = nil
		b.view = notHeld
		c.makeRoom()
		c.stack[c.n] = b
		c.setCount(c.n + 1)
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
		c.fetch(len(bufs))
	}
	n := min(c.n, len(bufs))
	top := c.n - n
	copy(bufs, c.stack[top:c.n])
	c.setCount(top)
	if n < len(bufs) {
		n += c.pool.take(bufs[n:])
	}
	return n
}

// give moves buffers in that belong to this pool and have no next segment. It
// checks nothing and touches no buffer.
func (c *Cache) give(bufs []*Buf) {
	for len(bufs) > 0 {
		if c.n == len(c.stack) {
			c.makeRoom()
		}
		n := copy(c.stack[c.n:], bufs)
		c.setCount(c.n + n)
		bufs = bufs[n:]
	}
}

// Flush gives all buffers back to the pool. The cache can be used further.
func (c *Cache) Flush() {
	c.pool.give(c.stack[:c.n])
	c.setCount(0)
}

// Close gives all buffers back to the pool, which forgets the cache. The cache
// must not be used afterwards.
func (c *Cache) Close() {
	c.Flush()
	c.pool.forget(c)
}

// fetch gets as many buffers from the pool as are missing for wanted, and size
// more in advance.
func (c *Cache) fetch(wanted int) {
	upTo := min(wanted+c.size, len(c.stack))
	if c.n < upTo {
		c.setCount(c.n + c.pool.take(c.stack[c.n:upTo]))
	}
}

// makeRoom gives the older half of a full cache to the pool.
func (c *Cache) makeRoom() {
	if c.n < len(c.stack) {
		return
	}
	c.pool.give(c.stack[:c.size])
	c.setCount(copy(c.stack, c.stack[c.size:c.n]))
}

func (c *Cache) setCount(n int) {
	c.n = n
	c.count.Set(uint64(n))
}
