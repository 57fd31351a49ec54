package mbuf

import (
	"math/rand"
	"testing"
)

// TestCacheTrades takes and gives in bulk: the pool is only asked when the
// cache runs empty, and is given some when it runs over.
func TestCacheTrades(t *testing.T) {
	p := newPool(t, Config{Count: 500})
	c := p.NewCache(32)
	bufs := get(t, c, 10)
	if len(p.free) != 500-42 || c.n != 32 || p.Free() != 490 {
		t.Fatalf("%d in the pool, %d in the cache", len(p.free), c.n)
	}
	for range 3 { // no trade
		c.Put(bufs[:10])
		c.Get(bufs[:10])
		if len(p.free) != 500-42 {
			t.Fatalf("%d in the pool", len(p.free))
		}
	}
	bufs = append(bufs, get(t, c, 200)...) // more than fits it
	if p.Free() != 290 {
		t.Fatalf("%d free", p.Free())
	}
	c.Put(bufs)
	if c.n > 64 || p.Free() != 500 {
		t.Errorf("%d in the cache, %d free", c.n, p.Free())
	}
	c.Flush()
	if c.n != 0 || len(p.free) != 500 {
		t.Errorf("after Flush %d in the cache, %d in the pool", c.n, len(p.free))
	}
	all := make([]*Buf, 600)
	if n := c.Get(all); n != 500 || p.Free() != 0 {
		t.Errorf("%d of 500 buffers", n)
	}
	c.Put(all[:500])
}

// TestCacheRandom plays with two caches and the driver's side of them against a
// model that knows who has what.
func TestCacheRandom(t *testing.T) {
	p := newPool(t, Config{Count: 300})
	caches := []*Cache{p.NewCache(32), p.NewCache(40)}
	rng := rand.New(rand.NewSource(1))
	var held, taken []*Buf // by the application, by the driver
	for range 5000 {
		c := caches[rng.Intn(2)]
		bufs := make([]*Buf, rng.Intn(90))
		switch rng.Intn(6) {
		case 0:
			held = append(held, bufs[:c.Get(bufs)]...)
		case 1:
			taken = append(taken, bufs[:(*DriverCache)(c).Take(bufs)]...)
		case 2:
			n := rng.Intn(len(held) + 1)
			c.Put(held[:n])
			held = held[n:]
		case 3:
			n := rng.Intn(len(taken) + 1)
			(*DriverCache)(c).Give(taken[:n])
			taken = taken[n:]
		case 4: // a packet goes out as a chain and comes back
			if n := min(rng.Intn(5), len(held)); n > 0 {
				b := chain(held[:n])
				for s := b; s != nil; s = s.Next() {
					Driver(s).Consume()
				}
				if got := (*DriverCache)(c).GiveChain(b); got != n {
					t.Fatalf("GiveChain = %d, want %d", got, n)
				}
				held = held[n:]
			}
		case 5:
			if n := min(rng.Intn(5), len(taken)); n > 0 {
				if got := Driver(chain(taken[:n])).Return(); got != n {
					t.Fatalf("Return = %d, want %d", got, n)
				}
				taken = taken[n:]
			}
		}
		if free := p.Free(); free+len(held)+len(taken) != 300 {
			t.Fatalf("%d free, %d held, %d taken", free, len(held), len(taken))
		}
		for _, b := range held {
			if !Driver(b).Held() {
				t.Fatal("a held buffer is not")
			}
		}
		for _, b := range taken {
			if Driver(b).Held() || b.Next() != nil {
				t.Fatal("a buffer of the driver is held, or linked")
			}
		}
	}
	if p.DoubleFrees() != 0 {
		t.Errorf("%d double frees", p.DoubleFrees())
	}
}

func TestCacheAllocatesNothing(t *testing.T) {
	p := newPool(t, Config{Count: 300})
	c := p.NewCache(32)
	bufs := make([]*Buf, 100)
	if n := testing.AllocsPerRun(100, func() { c.Put(bufs[:c.Get(bufs)]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCache(b *testing.B) {
	p := newPool(b, Config{Count: 1024})
	c := p.NewCache(256)
	bufs := make([]*Buf, 32)
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(bufs) {
		c.Put(bufs[:c.Get(bufs)])
	}
}
