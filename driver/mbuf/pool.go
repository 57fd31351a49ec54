package mbuf

import (
	"slices"
	"sync"

	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Sizes of a buffer unless Config says otherwise, in bytes.
const (
	// DefaultHeadroom is three cache lines: 12 bytes for the header of
	// virtio-net and 180 for the application. The frame then begins a line of
	// its own, and a program that forwards frames without looking at them
	// leaves the lines they are in with the core that filled them, although the
	// header has to be made zeros.
	DefaultHeadroom = 3 * cacheLine
	DefaultDataRoom = 2048
)

// NoHeadroom as Config.Headroom asks for none.
const NoHeadroom = -1

// Config says what pool NewPool is to make. Only Count is needed.
type Config struct {
	// Count is the number of buffers, at least 1.
	Count int
	// Headroom is how many bytes are free in front of the data of a new
	// packet, 0 means DefaultHeadroom.
	Headroom int
	// DataRoom is how many bytes are there behind the headroom, 0 means
	// DefaultDataRoom.
	DataRoom int
	// Memory says where the memory comes from. Bytes is computed by NewPool.
	Memory hugepages.Options
}

// Pool is a set of buffers of one size. It may be used from any goroutine.
type Pool struct {
	memory   *hugepages.Memory
	grid     grid
	empty    View // of a new packet
	dataRoom int
	bufs     []Buf

	mu          sync.Mutex
	free        []*Buf // a stack: who was freed last is the warmest in the cache
	caches      []*Cache
	doubleFrees uint64
	bound       []uint64 // device address of each page, nil until Bind
}

// NewPool allocates memory and makes Count buffers of it. The errors are those
// of hugepages.Allocate and *ConfigError.
func NewPool(cfg Config) (*Pool, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	memory, g, err := allocate(cfg)
	if err != nil {
		return nil, err
	}
	p := &Pool{
		memory:   memory,
		grid:     g,
		empty:    ViewOf(uint32(cfg.Headroom), 0),
		dataRoom: cfg.DataRoom,
		bufs:     make([]Buf, cfg.Count),
		free:     make([]*Buf, 0, cfg.Count),
	}
	room := memory.Bytes()
	for i := range p.bufs {
		off := g.offset(i)
		p.bufs[i] = Buf{pool: p, room: room[off : off+g.room : off+g.room], view: notHeld}
		p.free = append(p.free, &p.bufs[i])
	}
	return p, nil
}

// Memory returns the memory that the buffers are in, to be mapped for a device.
// It stays the pool's.
func (p *Pool) Memory() *hugepages.Memory { return p.memory }

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

// Free returns how many buffers are free, in the pool and in its caches. What
// caches hold is as they said last: the sum is exact when they are at rest.
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
}

// Get hands out empty packets of one segment and returns how many, fewer than
// len(bufs) only if there are no more.
func (p *Pool) Get(bufs []*Buf) int {
	n := p.take(bufs)
	for _, b := range bufs[:n] {
		b.view = p.empty
	}
	return n
}

// Put takes packets back, as Free does.
func (p *Pool) Put(bufs []*Buf) { Free(bufs) }

// Release gives the memory back. A *BusyError says that buffers are held or
// posted or lie in caches, and nothing is done. The memory must not be mapped
// for a device any more. It may be called more than once.
func (p *Pool) Release() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bufs == nil {
		return nil
	}
	if out := len(p.bufs) - len(p.free); out != 0 {
		cached := p.cached()
		return &BusyError{Out: out - cached, Cached: cached}
	}
	p.free, p.bufs = nil, nil
	return p.memory.Release()
}

// reclaim takes b away from the application, who is giving it back. It returns
// false if b is free already. The lock is held.
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

// take moves buffers from the stack as they are.
func (p *Pool) take(bufs []*Buf) int {
	p.mu.Lock()
	n := min(len(bufs), len(p.free))
	top := len(p.free) - n
	copy(bufs, p.free[top:])
	p.free = p.free[:top]
	p.mu.Unlock()
	return n
}

// give puts buffers on the stack that the driver owns already.
func (p *Pool) give(bufs []*Buf) {
	p.mu.Lock()
	p.free = append(p.free, bufs...)
	p.mu.Unlock()
}
