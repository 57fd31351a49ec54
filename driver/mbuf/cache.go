package mbuf

import "github.com/virtio-pmd/virtio-pmd/driver/internal/stat"

// Cache is a goroutine's own stock of free buffers of one pool. It needs no
// lock and trades with the pool in bulk, when it runs empty or over. Last in,
// first out: what was used last is still in the processor's cache.
type Cache struct {
	pool  *Pool
	size  int
	n     int        // stack[:n] are the buffers
	stack []*Buf     // its length is the most there can be
	count stat.Gauge // n, for Pool.Free
}

// minCache keeps the trade with the pool worth its lock.
const minCache = 32

// NewCache returns an empty cache that trades about size buffers at a time and
// keeps at most twice as many. It belongs to one goroutine.
func (p *Pool) NewCache(size int) *Cache {
	size = max(size, minCache)
	c := &Cache{pool: p, size: size, stack: make([]*Buf, 2*size)}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caches = append(p.caches, c)
	return c
}

// Pool returns the pool whose buffers these are.
func (c *Cache) Pool() *Pool { return c.pool }

// Get hands out empty packets of one segment and returns how many, fewer than
// len(bufs) only if the pool has no more.
func (c *Cache) Get(bufs []*Buf) int {
	n := c.take(bufs)
	empty := c.pool.empty
	for _, b := range bufs[:n] {
		b.view = empty
	}
	return n
}

// Put takes packets back, every segment of them. What belongs to another pool
// goes there. A buffer that is free already is counted as a double free, and
// neither it nor what follows it is touched.
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

// consume takes single buffers of pool away from the application, and returns
// how many there are in front of the first that is anything else.
func consume(bufs []*Buf, pool *Pool) int {
	for i, b := range bufs {
		if b == nil || b.pool != pool || b.next != nil || b.view == notHeld {
			return i
		}
		b.view = notHeld
	}
	return len(bufs)
}

// putSlow takes back a packet that is nil, foreign, a chain, or free already.
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
		Free([]*Buf{b}) // another pool's, or a double free for the pool to count
	}
}

// take moves buffers out as they were left, except that they have no next segment.
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

// give moves buffers in that belong to this pool and have no next segment.
// Nothing is checked, no buffer is touched.
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

// Flush gives all buffers back to the pool. The cache can be used again.
func (c *Cache) Flush() {
	c.pool.give(c.stack[:c.n])
	c.setCount(0)
}

// Close gives all buffers back and takes the cache off the pool's list. It must
// not be used afterwards.
func (c *Cache) Close() {
	c.Flush()
	c.pool.forget(c)
}

// fetch gets as many buffers from the pool as are missing, and some in advance.
func (c *Cache) fetch(wanted int) {
	upTo := min(wanted+c.size, len(c.stack))
	if c.n < upTo {
		c.setCount(c.n + c.pool.take(c.stack[c.n:upTo]))
	}
}

// makeRoom gives the older half to the pool if the cache is full.
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
