//go:build race || !(amd64 || arm64)

package stat

import "sync/atomic"

// Add adds n. The race detector has to see that readers are meant to be here,
// and a 32-bit machine has no plain 8-byte store.
func (c *Counter) Add(n uint64) { atomic.AddUint64(&c.n, n) }

// Set replaces the value.
func (g *Gauge) Set(n uint64) { atomic.StoreUint64(&g.n, n) }
