// Package stat holds the counters of the packet path: one goroutine, the owner,
// writes them at the cost of an ordinary store, and any goroutine may read them.
package stat

import "sync/atomic"

// Counter counts events. Its owner calls Add, from one goroutine at a time;
// Load may be called from any goroutine. The zero value is ready to use.
type Counter struct{ n uint64 }

// Load returns the count. A reader sees it grow only, but several counters of an
// owner are not a snapshot: each is read at another moment.
func (c *Counter) Load() uint64 { return atomic.LoadUint64(&c.n) }

// Gauge holds a number that goes up and down. Its owner calls Set, from one
// goroutine at a time; Load may be called from any goroutine. The zero value is
// ready to use.
type Gauge struct{ n uint64 }

// Load returns the value that was set last.
func (g *Gauge) Load() uint64 { return atomic.LoadUint64(&g.n) }
