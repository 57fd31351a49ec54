//go:build race || !(amd64 || arm64)

package stat

import "sync/atomic"

// Add adds n. It is atomic for the race detector, which has to know that readers
// are allowed, and for 32-bit machines, which have no single 8-byte store. It returns
// the new count.
func (c *Counter) Add(n uint64) uint64 { return atomic.AddUint64(&c.n, n) }

// Set replaces the value.
func (g *Gauge) Set(n uint64) { atomic.StoreUint64(&g.n, n) }
