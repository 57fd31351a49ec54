//go:build !race && (amd64 || arm64)

package stat

// Add adds n. Only the owner writes, so a load, an addition and an ordinary store
// are enough: no reader sees half of an aligned 8-byte store on these machines,
// and it costs a seventh of an atomic one. It returns the new count.
func (c *Counter) Add(n uint64) uint64 {
	c.n += n
	return c.n
}

// Set replaces the value.
func (g *Gauge) Set(n uint64) { g.n = n }
