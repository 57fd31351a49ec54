package mbuf

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Pool is a set of buffers of one size. Its methods may be called from any
// goroutine.
type Pool struct {
	memory    *hugepages.Memory
	grid      grid
	empty     DriverView // of a new packet
	dataRoom  int
	bufs      []Buf
	offloads  []DriverOffload   // one for each of bufs
	coalesced []DriverCoalesced // likewise

	// hunger counts the times that buffers were wanted and not there, or that the
	// limits below became smaller. A cache that sees it change gives back what it
	// holds.
	hunger     atomic.Uint32
	cacheLimit atomic.Uint32 // most that one cache keeps
	inFlight   atomic.Uint64 // see DriverPool.InFlight

	mu          sync.Mutex
	free        []*Buf     // a stack: the buffer freed last is most likely in a CPU cache
	available   stat.Gauge // len(free), for takers: an empty pool is not locked
	caches      []*Cache
	users       []*DriverUser
	doubleFrees uint64
	faulted     bool     // buffers may be lost: see DriverPool.Fault
	bound       []uint64 // device address of each page, nil until Bind
	released    bool     // by its owner
	unmapped    bool     // the memory is gone
}

// NewPool allocates memory and makes Count buffers of it. A Config that cannot be
// used is an [*Error]; other errors are those of [hugepages.Allocate].
func NewPool(cfg Config) (*Pool, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	memory, g, err := allocate(cfg)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		memory:    memory,
		grid:      g,
		empty:     DriverViewOf(uint32(cfg.Headroom), 0),
		dataRoom:  cfg.DataRoom,
		bufs:      make([]Buf, cfg.Count),
		offloads:  make([]DriverOffload, cfg.Count),
		coalesced: make([]DriverCoalesced, cfg.Count),
		free:      make([]*Buf, 0, cfg.Count),
	}
	room := memory.Bytes()
	for i := range p.bufs {
		off := g.offset(i)
		p.bufs[i] = Buf{pool: p, room: room[off : off+g.room : off+g.room], view: notHeld,
			index: uint32(i)}
		p.free = append(p.free, &p.bufs[i])
	}
	p.mu.Lock()
	defer p.unlock()
	p.divide()
	return p, nil
}

// unlock publishes how many buffers are free and unlocks the pool.
func (p *Pool) unlock() {
	if p.released {
		_ = p.unmap() // the error of munmap: the memory of a pool that no one has
	}
	if p.unmapped {
		p.free = nil // what comes back after a fault has no room any more
	}
	p.available.Set(uint64(len(p.free)))
	p.mu.Unlock()
}

// Size returns how many buffers there are.
func (p *Pool) Size() int { return len(p.bufs) }

// Headroom returns how many bytes are in front of the data of a new packet.
func (p *Pool) Headroom() int { return int(p.empty.Offset()) }

// DataRoom returns how many bytes of data a new packet has room for.
func (p *Pool) DataRoom() int { return p.dataRoom }

// DoubleFrees returns how many times a buffer was freed that was free already.
func (p *Pool) DoubleFrees() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.doubleFrees
}

// Free returns how many buffers are free, in the pool and in its caches. The sum
// is exact when no cache is in use at the moment.
func (p *Pool) Free() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.free) + p.cached()
}

// cached sums what the caches hold. The lock is held.
func (p *Pool) cached() int {
	n := 0
	for _, c := range p.caches {
		n += int(c.count.Load())
	}
	return n
}

// forget takes a closed cache off the list.
func (p *Pool) forget(c *Cache) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.caches = slices.DeleteFunc(p.caches, func(other *Cache) bool { return other == c })
	p.divide()
}

// Get fills bufs with empty packets of one segment and returns how many, fewer
// than len(bufs) only if no more are free.
func (p *Pool) Get(bufs []*Buf) int {
	n := p.take(bufs)
	for _, b := range bufs[:n] {
		b.view = p.empty
	}
	return n
}

// GetOne returns an empty packet of one segment, nil if no buffer is free.
func (p *Pool) GetOne() *Buf { return p.getChain(1) }

// Clone returns a copy of the packet that begins with b: its data, in as few
// buffers of p as hold it, and its checksum state, hash and requests. It returns nil
// and takes no buffer if p has too few, or if b is not held. b may belong to any pool.
func (p *Pool) Clone(b *Buf) *Buf {
	if b.view == notHeld {
		return nil
	}
	c := p.getChain(p.segmentsFor(b.PacketLen()))
	if c != nil {
		c.copyFrom(b)
	}
	return c
}

// Put frees packets, as [Free] does.
func (p *Pool) Put(bufs []*Buf) { Free(bufs) }

// Release gives the pool up. Its memory goes back to the system at once, or when the
// last port that has it attached was closed or has detached it and all buffers are
// back. From now on it cannot be attached.
//
// While buffers are held or in caches and no port has the pool, Release does nothing
// and returns a [*BusyError], which is [ErrInUse]. It may be called more than once.
//
// After a memory fault in a burst the pool may never have all buffers again, and
// nothing waits for them.
func (p *Pool) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.released {
		return nil
	}
	if len(p.users) == 0 {
		if err := p.busy(); err != nil {
			return err
		}
	}
	p.released = true
	return p.unmap()
}

// busy returns a [*BusyError] while buffers are out of the pool. The lock is held.
func (p *Pool) busy() error {
	if out := len(p.bufs) - len(p.free); out != 0 && !p.faulted {
		cached := p.cached()
		return &BusyError{Out: out - cached, Cached: cached}
	}
	return nil
}

// unmap gives back the memory of a released pool that no port has and of which all
// buffers are free, or lost. The lock is held.
func (p *Pool) unmap() error {
	missing := len(p.free) != len(p.bufs) && !p.faulted
	if p.unmapped || len(p.users) != 0 || missing {
		return nil
	}
	p.unmapped, p.free = true, nil
	p.available.Set(0) // for Release, which does not end in unlock
	return p.memory.Release()
}

// reclaim takes back b, which the application frees, and reports whether the
// application held it; a double free is counted. The lock is held.
func (p *Pool) reclaim(b *Buf) bool {
	if b.view == notHeld {
		p.doubleFrees++
		return false
	}
	b.view = notHeld
	b.next = nil
	p.free = append(p.free, b)
	return true
}

// segmentsFor returns how many buffers n bytes of data need.
func (p *Pool) segmentsFor(n int) int { return max(1, (n+p.dataRoom-1)/p.dataRoom) }

// getChain returns an empty packet of n segments, nil if fewer buffers are free.
func (p *Pool) getChain(n int) *Buf {
	p.mu.Lock()
	defer p.unlock()
	if n > len(p.free) {
		p.hunger.Add(1)
		return nil
	}
	top := len(p.free) - n
	first := link(p.free[top:], p.empty)
	p.free = p.free[:top]
	return first
}

// link makes one empty packet of buffers that are not held. The last of them,
// which was freed last, is its first segment.
func link(bufs []*Buf, empty DriverView) *Buf {
	var first *Buf
	for _, b := range bufs {
		b.view, b.next = empty, first
		first = b
	}
	return first
}

// take moves buffers from the stack and sets nothing in them. It reports a shortage.
func (p *Pool) take(bufs []*Buf) int {
	n, _ := p.takeMore(bufs, nil)
	if n < len(bufs) {
		p.hunger.Add(1)
	}
	return n
}

// takeMore is take of bufs and, if there are enough for both, of all of more. It
// returns how many went to each, and reports no shortage. An empty pool is not locked.
func (p *Pool) takeMore(bufs, more []*Buf) (int, int) {
	if p.available.Load() == 0 {
		return 0, 0
	}
	p.mu.Lock()
	n := p.pop(bufs)
	m := 0
	if len(p.free) >= len(more) {
		m = p.pop(more)
	}
	p.unlock()
	return n, m
}

// pop moves buffers from the stack. The lock is held.
func (p *Pool) pop(bufs []*Buf) int {
	n := min(len(bufs), len(p.free))
	top := len(p.free) - n
	copy(bufs, p.free[top:])
	p.free = p.free[:top]
	return n
}

// give puts buffers on the stack that the application does not hold, those of more
// last.
func (p *Pool) give(bufs, more []*Buf) {
	p.mu.Lock()
	p.free = append(append(p.free, bufs...), more...)
	p.unlock()
}

// allocate gets the memory of a pool. How many pages are needed depends on their
// size, which is only certain after an allocation: if the pages are smaller than
// expected, it allocates once more.
func allocate(cfg Config) (*hugepages.Memory, grid, error) {
	options := cfg.Memory
	page := options.PageSize
	if page == 0 {
		page = firstGuess
	}
	for {
		options.Bytes = newGrid(cfg.Headroom+cfg.DataRoom, page).bytes(cfg.Count)
		memory, err := hugepages.Allocate(options)
		if err != nil {
			return nil, grid{}, err
		}
		g := newGrid(cfg.Headroom+cfg.DataRoom, memory.PageSize())
		if g.bytes(cfg.Count) <= len(memory.Bytes()) {
			return memory, g, nil
		}
		page = memory.PageSize()
		if err := memory.Release(); err != nil {
			return nil, grid{}, err
		}
	}
}
