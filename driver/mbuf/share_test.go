package mbuf

import (
	"errors"
	"os"
	"testing"
	"time"
)

// claim adds a user that must be accepted.
func claim(t *testing.T, p *Pool, rx, tx int) *DriverUser {
	t.Helper()
	u, err := (*DriverPool)(p).Use()
	if err != nil {
		t.Fatal(err)
	}
	if need, ok := u.Claim(DriverNeed{RxBuffers: rx, TxQueues: tx}); !ok {
		t.Fatalf("%d receive buffers and %d transmit queues are refused: %d are needed", rx, tx, need)
	}
	return u
}

// TestShares: whatever ports and caches there are, what they may keep leaves as many
// buffers as the receive rings take.
func TestShares(t *testing.T) {
	p := newPool(t, Config{Count: 1000})
	check := func(rx, tx int) {
		t.Helper()
		n, binding := (*DriverPool)(p).InFlight()
		kept := tx*n + len(p.caches)*int(p.cacheLimit.Load())
		if binding != (rx > 0) || rx > 0 && kept+rx > 1000 {
			t.Errorf("%d in %d transmit queues (binding: %v), %d in %d caches, %d in receive rings",
				n, tx, binding, p.cacheLimit.Load(), len(p.caches), rx)
		}
		if tx > 0 && n < 32 {
			t.Errorf("%d buffers for each of %d transmit queues are not a burst", n, tx)
		}
	}
	check(0, 0)
	a := claim(t, p, 0, 2)
	check(0, 2)
	b := claim(t, p, 512, 2)
	check(512, 4)
	for range 40 {
		p.NewCache(256)
		check(512, 4)
	}
	if need, ok := a.Claim(DriverNeed{RxBuffers: 400, TxQueues: 2}); ok || need != 912+4*DriverSpare {
		t.Errorf("more than there is: %v, %d are needed", ok, need)
	}
	check(512, 4)
	if need, ok := a.Claim(DriverNeed{RxBuffers: 1000 - 512 - 4*DriverSpare, TxQueues: 2}); !ok || need != 1000 {
		t.Errorf("all there is: %v, %d are needed", ok, need)
	}
	check(1000-4*DriverSpare, 4)
	if err := errors.Join(a.Close(), a.Close()); err != nil {
		t.Error(err)
	}
	check(512, 2)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	check(0, 0)
}

// TestCachesGiveBack: what one wants and does not get, the others give back at their
// next exchange or look.
func TestCachesGiveBack(t *testing.T) {
	for name, next := range map[string]func(*Cache){
		"yield": func(c *Cache) { (*DriverCache)(c).Yield() },
		"give":  func(c *Cache) { c.Put(get(t, c, c.n)); c.giveMore(nil) },
	} {
		p := newPool(t, Config{Count: 100})
		c := p.NewCache(30)
		c.Put(get(t, c, 10))
		if c.n == 0 {
			t.Fatal("the cache has nothing")
		}
		all := make([]*Buf, 100)
		n := p.Get(all) // one short
		next(c)
		if n += p.Get(all[n:]); n != 100 {
			t.Errorf("%s: %d of 100 buffers are within reach", name, n)
		}
		p.Put(all[:n])
	}
}

// TestShortageIsRepeated: a buffer that goes into a cache after the shortage was reported
// is given back as well.
func TestShortageIsRepeated(t *testing.T) {
	p := newPool(t, Config{Count: 100})
	starved, other := p.NewCache(8), p.NewCache(8)
	held := get(t, p, 100)
	one := make([]*Buf, 1)
	if starved.Get(one) != 0 {
		t.Fatal("there is a buffer")
	}
	(*DriverCache)(other).Yield()
	other.Put(held[:4])
	for polls := 0; starved.Get(one) == 0; polls++ {
		if (*DriverCache)(other).Yield(); polls > 2*shortPeriod {
			t.Fatal("the other cache keeps what it has")
		}
	}
	Free(append(held[4:], one[0]))
}

// TestEmptyPoolIsNotLocked: a queue that polls without buffers does not lock the pool.
func TestEmptyPoolIsNotLocked(t *testing.T) {
	p := newPool(t, Config{Count: 10})
	c := p.NewCache(8)
	held := get(t, p, 10)
	p.mu.Lock()
	done := make(chan int)
	go func() { done <- (*DriverCache)(c).Take(make([]*Buf, 4)) }()
	select {
	case n := <-done:
		if n != 0 {
			t.Errorf("%d buffers of an empty pool", n)
		}
	case <-time.After(time.Minute):
		t.Error("an empty pool is locked")
	}
	p.mu.Unlock()
	Free(held)
}

// TestForeignBuffersInBulk: buffers of another pool are given back together.
func TestForeignBuffersInBulk(t *testing.T) {
	p, other, third := newPool(t, Config{Count: 4}), newPool(t, Config{Count: 200}), newPool(t, Config{Count: 4})
	c := (*DriverCache)(p.NewCache(4))
	bufs := get(t, other, 100)
	for _, b := range bufs {
		Driver(b).Consume()
	}
	for i, b := range bufs[:90] {
		if n := c.GiveChain(b); n != 1 || other.Free() != 100+i/maxForeign*maxForeign {
			t.Fatalf("after %d buffers %d are free", i+1, other.Free())
		}
	}
	x := get(t, third, 1)[0]
	Driver(x).Consume()
	if c.GiveChain(x); other.Free() != 190 || third.Free() != 3 {
		t.Errorf("%d and %d free: one pool at a time", other.Free(), third.Free())
	}
	if c.GiveForeign(); third.Free() != 4 {
		t.Error("the last one is not back")
	}
	c.GiveForeign()
}

// TestReleaseWithUsers: the memory goes when the owner and all users have given the pool
// up and all buffers are back, in whatever order.
func TestReleaseWithUsers(t *testing.T) {
	steps := map[byte]func(p *Pool, u *DriverUser, b *Buf) error{
		'r': func(p *Pool, _ *DriverUser, _ *Buf) error { return p.Release() },
		'u': func(_ *Pool, u *DriverUser, _ *Buf) error { return u.Close() },
		'b': func(_ *Pool, _ *DriverUser, b *Buf) error { b.Free(); return nil },
	}
	for order, busyAt := range map[string]int{"rub": 1, "rbu": -1, "urb": 1, "ubr": -1, "bru": -1, "bur": -1} {
		p := newPool(t, Config{Count: 4})
		u := claim(t, p, 0, 1)
		b := p.GetOne()
		for i := range order {
			err := steps[order[i]](p, u, b)
			if want := i == busyAt; errors.Is(err, ErrInUse) != want || err != nil && !want {
				t.Errorf("%s, step %d: %v", order, i, err)
			}
		}
		if order == "urb" { // Release did nothing
			if err := p.Release(); err != nil {
				t.Error(err)
			}
		}
		if p.memory.Bytes() != nil {
			t.Errorf("%s: the memory is still there", order)
		}
		if err := p.Release(); err != nil {
			t.Errorf("%s: once more: %v", order, err)
		}
		if _, err := (*DriverPool)(p).Use(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: a released pool has a user more: %v", order, err)
		}
	}
}
