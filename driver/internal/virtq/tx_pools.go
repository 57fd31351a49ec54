package virtq

import (
	"math"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// lookPeriod is the number of bursts between two looks at what the pools can spare.
const lookPeriod = 64

// look sets how much the queue may keep: the pool that can spare the least counts. If no
// port receives into a pool, what the queue keeps stops no other queue, but it is taken
// back in time for the application.
func (t *Tx) look() {
	t.cache.Yield()
	t.keep, t.limit = t.size(), math.MaxInt32
	for _, p := range *t.pools.Load() {
		n, binding := (*mbuf.DriverPool)(p).InFlight()
		t.keep = min(t.keep, n)
		if binding {
			t.limit = min(t.limit, n)
		}
	}
	t.limitPositions()
}

// limitPositions turns limits on buffers into limits on positions. The two differ by what
// chains have more or less, which changes on the slow path only.
func (t *Tx) limitPositions() {
	more := t.bufs - t.count
	t.most = min(t.size(), t.limit-more)
	t.low = max(t.most/4, t.most-(t.keep-more), 1)
}

// room returns how many packets of one buffer can be made available.
func (t *Tx) room() int { return max(0, t.most-t.count) }

// useCache makes the fast path take the packets of the pool of c.
func (t *Tx) useCache(c *mbuf.Cache) {
	t.cache = (*mbuf.DriverCache)(c)
	t.fast.pool = c.Pool()
}

// AddPool makes the queue accept buffers of another pool, which must be bound
// to addresses that the device can reach. It may be called from any goroutine.
// Buffers of other pools are not sent: they are counted and freed. The error is
// an [*Error].
func (t *Tx) AddPool(p *mbuf.Pool) error {
	if !(*mbuf.DriverPool)(p).Bound() {
		return unboundPool(t.index)
	}
	for {
		old := t.pools.Load()
		if slices.Contains(*old, p) {
			return nil
		}
		added := append(slices.Clone(*old), p)
		if t.pools.CompareAndSwap(old, &added) {
			return nil
		}
	}
}

// RemovePool makes the queue refuse the buffers of a pool again. While the device has
// some of them it changes nothing, and returns how many. No other goroutine is in a
// method of the queue.
func (t *Tx) RemovePool(p *mbuf.Pool) (posted int) {
	for i := range t.count {
		at := t.wrap(t.head + i)
		if t.chain[at] == 0 {
			continue
		}
		for b := range t.buf[at].Segments() {
			if b.Pool() == p {
				posted++
			}
		}
	}
	if posted == 0 {
		without := slices.DeleteFunc(slices.Clone(*t.pools.Load()),
			func(other *mbuf.Pool) bool { return other == p })
		t.pools.Store(&without)
	}
	return posted
}

// Pools returns the pools whose buffers the queue accepts.
func (t *Tx) Pools() []*mbuf.Pool { return *t.pools.Load() }

// reaches reports whether the device can reach the buffers of p.
func (t *Tx) reaches(p *mbuf.Pool) bool {
	return p == t.cache.Pool() || slices.Contains(*t.pools.Load(), p)
}

// SetCache makes the queue give its buffers to another cache, of a pool that
// was added, so that the queues of a goroutine share one. The error is an
// [*Error].
func (t *Tx) SetCache(c *mbuf.Cache) error {
	if !t.reaches(c.Pool()) {
		return &Error{
			Queue: t.index, Field: "cache",
			Reason: "it is of a pool that was not attached",
			Remedy: "attach the pool to the port first",
		}
	}
	t.useCache(c)
	t.special = 0
	for i := range t.count {
		if at := t.wrap(t.head + i); t.chain[at] != 0 && t.isSpecial(at) {
			t.special++
		}
	}
	return nil
}
