package virtq

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestConfigRefused makes queues that cannot be, of every kind; nothing is
// written to the memory.
func TestConfigRefused(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for name, c := range map[string]struct {
			spoil func(*Config)
			want  any
		}{
			"size":             {func(c *Config) { c.Size = 0 }, new(*SizeError)},
			"segments":         {func(c *Config) { c.IndirectSize = -1 }, new(*SegmentsError)},
			"too many entries": {func(c *Config) { c.Size, c.IndirectSize = 1024, MaxSegments+1 }, new(*SegmentsError)},
			"short memory":     {func(c *Config) { c.Memory = c.Memory[:4000] }, new(*MemoryError)},
			"no memory":        {func(c *Config) { c.Memory = nil }, new(*MemoryError)},
			"odd memory":       {func(c *Config) { c.Size, c.Memory = 1, c.Memory[64:] }, new(*MemoryError)},
			"odd address":      {func(c *Config) { c.Address += 64 }, new(*MemoryError)},
			"short header":     {func(c *Config) { c.HeaderLen = 10 }, new(*HeaderError)},
			"long header":      {func(c *Config) { c.HeaderLen = 65 }, new(*HeaderError)},
		} {
			t.Run(name, func(t *testing.T) {
				r, cfg := newRig(t, setup{packed: packed, size: 64, features: feats(virtio.RingIndirectDesc), segments: 8})
				c.spoil(&cfg)
				for _, err := range allErrors(cfg, r.cache) {
					if !errors.As(err, c.want) || err.Error() == "" {
						t.Errorf("%v", err)
					}
				}
				for i, b := range r.ring {
					if b != 0xa5 {
						t.Fatalf("byte %d was written", i)
					}
				}
			})
		}
	})
}

// allErrors makes a queue of each kind and returns the errors.
func allErrors(cfg Config, cache *mbuf.Cache) []error {
	_, chain := NewControl(cfg)
	errs := []error{chain, rxError(cfg, cache)}
	if cfg.Features.Has(virtio.RingPacked) {
		_, err := NewPackedTx(cfg, cache)
		return append(errs, err)
	}
	_, err := NewSplitTx(cfg, cache)
	return append(errs, err)
}

// TestHeaderLen sends and receives behind a longer header.
func TestHeaderLen(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r, cfg := newRig(t, setup{packed: packed, size: 8})
		cfg.HeaderLen = 20
		tx := newTx(t, cfg, r.cache)
		r.connect(tx)
		tx.Start(&r.bell, 3)
		for range 20 {
			b := r.packets(1, 64)
			for i := range b[0].Prepend(40) {
				b[0].Data()[i] = 0xee
			}
			b[0].Adj(40)
			if tx.Burst(b) != 1 {
				t.Fatal("not taken")
			}
			l, _ := r.dev.pop()
			if got := r.device().read(l); len(got) != 84 || [20]byte(got) != [20]byte{} || got[20] != frametest.Seq(0, 64)[0] {
				t.Fatalf("the device sees %x", got)
			}
			r.dev.push(l.id, 0, l.slots)
			r.dev.flush()
		}
		r2, cfg := newRig(t, setup{packed: packed, size: 8})
		cfg.HeaderLen = 20
		rx := newRx(t, cfg, r2.cache)
		r2.connect(rx)
		rx.Refill()
		rx.Start(&r2.bell, 3)
		l, _ := r2.dev.pop()
		r2.device().write(l, append(make([]byte, 20), frametest.Seq(5, 60)...))
		r2.dev.push(l.id, 80, 1)
		r2.dev.flush()
		bufs := make([]*mbuf.Buf, 2)
		if rx.Burst(bufs) != 1 || bufs[0].Len() != 60 || string(bufs[0].Data()) != string(frametest.Seq(5, 60)) {
			t.Errorf("received %d bytes", bufs[0].Len())
		}
	})
}

// TestUnboundPool refuses a pool without device addresses on transmit.
func TestUnboundPool(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		pool, err := mbuf.NewPool(mbuf.Config{Count: 8, Memory: smallPages})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Release()
		r := newTxRig(t, setup{packed: packed, size: 8})
		var poolError *PoolError
		if err := r.tx.AddPool(pool); !errors.As(err, &poolError) || poolError.Queue != 3 {
			t.Errorf("AddPool: %v", err)
		}
	})
}

// TestAfterDrain asks a drained receive queue for more.
func TestAfterDrain(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newRxRig(t, setup{packed: packed, size: 8})
		if r.rx.Drain() != 8 || r.rx.Refill() != 0 || r.rx.Burst(make([]*mbuf.Buf, 4)) != 0 || r.rx.Posted() != 0 {
			t.Error("a drained queue posts again")
		}
		r.conserved(0)
	})
}
