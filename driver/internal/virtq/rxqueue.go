package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Rx is a receive queue, whichever format its ring has. It belongs to one
// goroutine; Broken, Posted and Stats may be called from any.
type Rx struct {
	packed *PackedRx // one of the two
	split  *SplitRx
	ring
}

// ring is what rings of both formats and both directions have in common.
type ring interface {
	Areas() (desc, driver, device uint64)
	Start(bell virtio.Doorbell, id uint16)
	SetCache(c *mbuf.Cache) error
	Drain() int
	Broken() error
	Posted() int
}

// NewRx makes a receive queue of the format that cfg.Features say. Its buffers
// come from cache, which belongs to the goroutine that will call Burst.
func NewRx(cfg Config, cache *mbuf.Cache) (*Rx, error) {
	if cfg.Features.Has(virtio.RingPacked) {
		packed, err := NewPackedRx(cfg, cache)
		return &Rx{packed: packed, ring: packed}, err
	}
	split, err := NewSplitRx(cfg, cache)
	return &Rx{split: split, ring: split}, err
}

// Burst fills bufs with received packets and returns how many.
func (r *Rx) Burst(bufs []*mbuf.Buf) int {
	if r.packed != nil {
		return r.packed.Burst(bufs)
	}
	return r.split.Burst(bufs)
}

// Refill posts as many buffers as the ring has room for and the pool has.
func (r *Rx) Refill() int {
	if r.packed != nil {
		return r.packed.Refill()
	}
	return r.split.Refill()
}

// Stats returns the counters.
func (r *Rx) Stats() *RxStats {
	if r.packed != nil {
		return r.packed.Stats()
	}
	return r.split.Stats()
}
