// Package stat holds the counters of the packet path: one goroutine, the
// owner, writes them at the price of a plain store, and anyone may read them.
package stat

import "sync/atomic"

// Counter counts events. Its owner calls Add, from one goroutine at a time;
// Load may be called from any goroutine. The zero value is ready.
type Counter struct{ n uint64 }

// Load returns the count. It is monotonic for a reader, but it says nothing
// about other counters of the same owner: a set of counters is not a snapshot.
func (c *Counter) Load() uint64 { return atomic.LoadUint64(&c.n) }

// Gauge holds a number that goes up and down. Its owner calls Set, from one
// goroutine at a time; Load may be called from any goroutine.
type Gauge struct{ n uint64 }

// Load returns the value that was set last.
func (g *Gauge) Load() uint64 { return atomic.LoadUint64(&g.n) }
