package mbuf

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestPoolHandsOutEachOnce empties a pool and fills it again.
func TestPoolHandsOutEachOnce(t *testing.T) {
	p := newPool(t, Config{Count: 100})
	bufs := make([]*Buf, 150)
	if n := p.Get(bufs); n != 100 || p.Free() != 0 || p.Size() != 100 {
		t.Fatalf("Get = %d, %d free of %d", n, p.Free(), p.Size())
	}
	seen := map[*Buf]bool{}
	for i, b := range bufs[:100] {
		if seen[b] || b.Len() != 0 || b.Headroom() != DefaultHeadroom || b.Tailroom() != DefaultDataRoom {
			t.Fatalf("buffer %d came twice, or is not empty", i)
		}
		seen[b] = true
		for j := range b.Append(DefaultDataRoom) { // rooms must not overlap
			b.Data()[j] = byte(i)
		}
	}
	for i, b := range bufs[:100] {
		if slices.ContainsFunc(b.Data(), func(v byte) bool { return v != byte(i) }) {
			t.Fatalf("buffer %d was written by another", i)
		}
	}
	if p.Get(bufs[:1]) != 0 {
		t.Error("an empty pool gives a buffer")
	}
	p.Put(bufs[:100])
	if p.Free() != 100 {
		t.Errorf("%d free", p.Free())
	}
	last := bufs[99]
	if p.Get(bufs[:1]); bufs[0] != last {
		t.Error("what was freed last does not come first")
	}
}

// TestDoubleFree frees single buffers and chains twice, in all ways there are.
func TestDoubleFree(t *testing.T) {
	p := newPool(t, Config{Count: 40})
	c := p.NewCache(8)
	for name, put := range map[string]func([]*Buf){"Free": Free, "Pool.Put": p.Put, "Cache.Put": c.Put} {
		before := p.DoubleFrees()
		b := get(t, p, 3)
		put([]*Buf{b[0], nil, b[0]})
		chain(b[1:])
		put(b[2:])  // the tail is free now
		put(b[1:2]) // and is found when the chain is freed
		if n := p.DoubleFrees() - before; n != 2 || p.Free() != 40 {
			t.Errorf("%s: %d double frees, %d free", name, n, p.Free())
		}
	}
	all := get(t, p, 40-int(c.count.Load()))
	rest := get(t, c, 40-len(all))
	seen := map[*Buf]bool{}
	for _, b := range append(all, rest...) {
		if seen[b] {
			t.Fatal("a buffer is in the pool twice")
		}
		seen[b] = true
	}
}

// TestFreeToManyPools frees packets whose segments come from different pools.
func TestFreeToManyPools(t *testing.T) {
	a, b := newPool(t, Config{Count: 32}), newPool(t, Config{Count: 32})
	c := a.NewCache(8)
	for name, put := range map[string]func([]*Buf){"Free": Free, "Pool.Put": a.Put, "Cache.Put": c.Put} {
		x, y := get(t, a, 4), get(t, b, 4)
		put([]*Buf{chain([]*Buf{x[0], y[0], x[1]}), y[1], x[2], chain([]*Buf{y[2], x[3]}), y[3]})
		if a.Free() != 32 || b.Free() != 32 {
			t.Errorf("%s: %d and %d free", name, a.Free(), b.Free())
		}
	}
}

// TestBind gives a pool addresses: all buffers get theirs, the same ones are
// accepted again, others are refused.
func TestBind(t *testing.T) {
	p := newPool(t, Config{Count: 3})
	if (*DriverPool)(p).Bound() || Driver(get(t, p, 1)[0]).IOVA() != 0 {
		t.Error("a pool that is not bound has addresses")
	}
	var bind *Error
	if err := (*DriverPool)(p).Bind([]uint64{1 << 12, 2 << 12, 3 << 12}); !errors.As(err, &bind) {
		t.Errorf("Bind with a buffer out: %v", err)
	}
	p = newPool(t, Config{Count: 3})
	pages := []uint64{9 << 12, 5 << 12, 7 << 12}
	for _, bad := range [][]uint64{nil, pages[:2], {9 << 12, 0, 7 << 12}} {
		if err := (*DriverPool)(p).Bind(bad); !errors.As(err, &bind) || (*DriverPool)(p).Bound() {
			t.Errorf("Bind(%x): %v", bad, err)
		}
	}
	if err := errors.Join((*DriverPool)(p).Bind(pages), (*DriverPool)(p).Bind(pages)); err != nil {
		t.Fatal(err)
	}
	other := []uint64{9 << 12, 6 << 12, 7 << 12}
	if err := (*DriverPool)(p).Bind(other); !errors.As(err, &bind) || bind.Field != "page 1" || bind.Value != uint64(6<<12) || !strings.Contains(bind.Reason, "0x5000") {
		t.Errorf("Bind with other addresses: %v", err)
	}
	for i, b := range get(t, p, 3) { // one buffer a page
		if Driver(b).RoomIOVA() < pages[i] || Driver(b).RoomIOVA()+uint64(len(Driver(b).Room())) > pages[i]+4096 || Driver(b).IOVA() != Driver(b).RoomIOVA()+DefaultHeadroom {
			t.Errorf("buffer %d is at %#x, its page at %#x", i, Driver(b).RoomIOVA(), pages[i])
		}
	}
}

// TestBindLarge has buffers larger than a page, which need pages that follow
// each other.
func TestBindLarge(t *testing.T) {
	p := newPool(t, Config{Count: 2, DataRoom: 9000})
	n := len(p.memory.Bytes()) / 4096
	pages := make([]uint64, n)
	for i := range pages {
		pages[i] = uint64(100+i) << 12
	}
	torn := slices.Clone(pages)
	torn[2] += 4096
	var bind *Error
	if err := (*DriverPool)(p).Bind(torn); !errors.As(err, &bind) || bind.Field != "page 2" {
		t.Errorf("pages that do not follow each other: %v", err)
	}
	if err := (*DriverPool)(p).Bind(pages); err != nil {
		t.Fatal(err)
	}
	b := get(t, p, 2)
	if d := Driver(b[1]).RoomIOVA() - Driver(b[0]).RoomIOVA(); d != uint64(p.grid.stride) {
		t.Errorf("the buffers are %d bytes apart", d)
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Count: -1}, {Count: 1<<24 + 1}, {Count: 1, Headroom: -2}, {Count: 1, Headroom: 1<<30 + 1},
		{Count: 1, DataRoom: -1}, {Count: 1, DataRoom: 1<<30 + 1},
	} {
		var config *Error
		if _, err := NewPool(cfg); !errors.As(err, &config) || config.Field == "" || config.Remedy == "" {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	p := newPool(t, Config{Count: 1, Headroom: NoHeadroom, DataRoom: 64})
	if p.Headroom() != 0 || p.DataRoom() != 64 || get(t, p, 1)[0].Tailroom() != 64 {
		t.Errorf("headroom %d, data room %d", p.Headroom(), p.DataRoom())
	}
}

// TestRelease refuses while buffers are out or cached.
func TestRelease(t *testing.T) {
	p := newPool(t, Config{Count: 100})
	c := p.NewCache(32)
	out := get(t, c, 3)
	var busy *BusyError
	if err := p.Release(); !errors.As(err, &busy) || !errors.Is(err, ErrInUse) || busy.Out != 3 || busy.Cached != p.Free()-(100-3-busy.Cached) {
		t.Errorf("Release: %v", err)
	}
	mbufs := slices.Clone(out)
	c.Put(out)
	if err := p.Release(); !errors.As(err, &busy) || busy.Out != 0 || busy.Cached == 0 {
		t.Errorf("Release with a full cache: %v", err)
	}
	c.Close()
	if err := errors.Join(p.Release(), p.Release()); err != nil {
		t.Errorf("Release: %v", err)
	}
	if p.Get(out) != 0 {
		t.Error("a released pool gives buffers")
	}
	Free(mbufs[:1]) // late, and harmless
	if p.DoubleFrees() != 1 {
		t.Errorf("%d double frees", p.DoubleFrees())
	}
}

// TestConcurrentPool moves buffers between goroutines, with caches and without.
func TestConcurrentPool(t *testing.T) {
	p := newPool(t, Config{Count: 500})
	pass := make(chan []*Buf, 8)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := p.NewCache(32)
			defer c.Close()
			bufs := make([]*Buf, 20)
			for i := range 500 {
				n := c.Get(bufs)
				for _, b := range bufs[:n] {
					b.Append(1)[0] = byte(worker)
				}
				for _, b := range bufs[:n] {
					if b.Data()[0] != byte(worker) {
						t.Error("a buffer has two holders")
					}
				}
				select { // another one frees what this one took
				case pass <- slices.Clone(bufs[:n]):
				case other := <-pass:
					c.Put(other)
					p.Put(bufs[:n])
				}
				if i%100 == 0 && p.Free() > p.Size() {
					t.Error("more buffers are free than there are")
				}
			}
		}()
	}
	wg.Wait()
	close(pass)
	for bufs := range pass {
		Free(bufs)
	}
	if p.Free() != 500 || p.DoubleFrees() != 0 {
		t.Errorf("%d free, %d double frees", p.Free(), p.DoubleFrees())
	}
}
