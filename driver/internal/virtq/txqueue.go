package virtq

import (
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Tx is a transmit queue, whichever format its ring has. It belongs to one
// goroutine; AddPool, Broken, Posted and Stats may be called from any.
type Tx struct {
	packed *PackedTx // one of the two
	split  *SplitTx
	ring
}

// NewTx makes a transmit queue of the format that cfg.Features say. What was sent
// goes to cache, which belongs to the goroutine that will call Burst.
func NewTx(cfg Config, cache *mbuf.Cache) (*Tx, error) {
	if cfg.Features.Has(virtio.RingPacked) {
		packed, err := NewPackedTx(cfg, cache)
		return &Tx{packed: packed, ring: packed}, err
	}
	split, err := NewSplitTx(cfg, cache)
	return &Tx{split: split, ring: split}, err
}

// Burst takes packets from the front of bufs and returns how many.
func (t *Tx) Burst(bufs []*mbuf.Buf) int {
	if t.packed != nil {
		return t.packed.Burst(bufs)
	}
	return t.split.Burst(bufs)
}

// Reclaim takes back what the device has sent, and returns how many buffers.
func (t *Tx) Reclaim() int {
	if t.packed != nil {
		return t.packed.Reclaim()
	}
	return t.split.Reclaim()
}

// AddPool makes the queue accept buffers of another pool.
func (t *Tx) AddPool(p *mbuf.Pool) error {
	if t.packed != nil {
		return t.packed.AddPool(p)
	}
	return t.split.AddPool(p)
}

// Stats returns the counters.
func (t *Tx) Stats() *TxStats {
	if t.packed != nil {
		return t.packed.Stats()
	}
	return t.split.Stats()
}
