package virtq

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestConfigRefused makes queues of every kind with invalid configurations;
// nothing is written to the memory.
func TestConfigRefused(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for name, c := range map[string]struct {
			spoil func(*Config)
			want  string // the field at fault
		}{
			"size":         {func(c *Config) { c.Size = 0 }, "Size"},
			"segments":     {func(c *Config) { c.IndirectSize = -1 }, "IndirectSize"},
			"short memory": {func(c *Config) { c.Memory = c.Memory[:4000] }, "Memory"},
			"no memory":    {func(c *Config) { c.Memory = nil }, "Memory"},
			"too many entries": {func(c *Config) {
				c.Size, c.IndirectSize = 1024, maxIndirectSize+1
			}, "IndirectSize"},
			"unaligned memory": {func(c *Config) {
				c.Size, c.Memory = 1, c.Memory[64:]
			}, "Memory"},
			"unaligned address": {func(c *Config) { c.Address += 64 }, "Memory"},
			"short header":      {func(c *Config) { c.HeaderLen = 10 }, "HeaderLen"},
			"long header":       {func(c *Config) { c.HeaderLen = 65 }, "HeaderLen"},
		} {
			t.Run(name, func(t *testing.T) {
				r, cfg := newRig(t, setup{packed: packed, size: 64,
					features: feats(virtio.RingIndirectDesc), segments: 8})
				c.spoil(&cfg)
				for _, err := range allErrors(cfg, r.cache) {
					if !isError(err, c.want) || err.Error() == "" {
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

// isError reports whether err is the *Error of the rig's queue about a field.
func isError(err error, field string) bool {
	var e *Error
	return errors.As(err, &e) && e.Queue == 3 && e.Field == field
}

// allErrors makes a queue of each kind and returns the errors.
func allErrors(cfg Config, cache *mbuf.Cache) []error {
	_, control := NewControl(cfg)
	_, rx := NewRx(cfg, cache)
	_, tx := NewTx(cfg, cache)
	return []error{control, rx, tx}
}

// TestHeaderLen sends and receives behind a longer header (net/rxbuf/4).
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
			if got := r.device().read(l); len(got) != 84 || [20]byte(got) != [20]byte{} ||
				got[20] != frametest.Seq(0, 64)[0] {
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
		if rx.Burst(bufs) != 1 || bufs[0].Len() != 60 ||
			string(bufs[0].Data()) != string(frametest.Seq(5, 60)) {
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
		if err := r.tx.AddPool(pool); !isError(err, "pool") {
			t.Errorf("AddPool: %v", err)
		}
	})
}

// TestAfterDrain asks a drained receive queue for more.
func TestAfterDrain(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		r := newRxRig(t, setup{packed: packed, size: 8})
		if r.rx.Drain() != 8 || r.rx.Refill() != 0 || r.rx.Burst(make([]*mbuf.Buf, 4)) != 0 ||
			r.rx.Posted() != 0 {
			t.Error("a drained queue posts again")
		}
		r.conserved(0)
	})
}
