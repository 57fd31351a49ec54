package mbuf

import (
	"os"
	"slices"
)

// DriverSpare is how many buffers of a pool that receive rings are filled from are
// there for each transmit queue that may send them, beside the rings: a burst in
// flight, and a few in the caches of a queue pair.
const DriverSpare = 48

// DriverNeed is what one port wants of a pool.
type DriverNeed struct {
	RxBuffers int // in its receive rings when they are full
	TxQueues  int // that may send buffers of the pool
}

// buffers returns how many buffers of a pool that is received into these are.
func (n DriverNeed) buffers() int { return n.RxBuffers + n.TxQueues*DriverSpare }

// DriverUser is a port that has the memory of a pool mapped. As long as there is
// one, the memory stays.
type DriverUser struct {
	pool *Pool
	need DriverNeed
}

// CheckReleased returns the [*Error] of a pool that was released, nil for another.
func (p *DriverPool) CheckReleased() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.checkReleased()
}

// checkReleased is CheckReleased with the lock held.
func (p *DriverPool) checkReleased() error {
	if !p.released {
		return nil
	}
	return &Error{Op: "attach pool", Reason: "the pool was released",
		Remedy: "attach it first, or make another one", kind: os.ErrClosed}
}

// Use adds a user. The error of a pool that was released is an [*Error].
func (p *DriverPool) Use() (*DriverUser, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.checkReleased(); err != nil {
		return nil, err
	}
	u := &DriverUser{pool: (*Pool)(p)}
	p.users = append(p.users, u)
	return u, nil
}

// Claim says what the port needs, and may be called again. If the pool has too few
// buffers for that and for what its other users need, nothing is changed, and ok is
// false. need is how many it would have to have. A pool that no port receives into is
// never too small.
func (u *DriverUser) Claim(n DriverNeed) (need int, ok bool) {
	p := u.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	before := u.need
	u.need = n
	rx := 0
	for _, other := range p.users {
		rx += other.need.RxBuffers
		need += other.need.buffers()
	}
	if rx > 0 && need > len(p.bufs) {
		u.need = before
		return need, false
	}
	p.divide()
	return need, true
}

// Close takes the user away: the port has unmapped the memory. If it was the last one
// of a pool that was released, the memory goes back to the system, unless buffers are
// still held: that is a [*BusyError], and the memory goes with the last of them.
func (u *DriverUser) Close() error {
	p := u.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.users)
	p.users = slices.DeleteFunc(p.users, func(other *DriverUser) bool { return other == u })
	if len(p.users) == n {
		return nil
	}
	p.divide()
	if !p.released || len(p.users) != 0 {
		return nil
	}
	if err := p.busy(); err != nil {
		return err
	}
	return p.unmap()
}

// divide shares out what the pool has beside full receive rings: a third to the
// caches, the rest to the transmit queues. The lock is held.
//
// Whatever the caches and transmit queues keep, the buffers to fill every receive ring
// are then there, or with the application, which brings them back. A pool without
// receive rings starves no port, and only its caches and the application compete.
func (p *Pool) divide() {
	rx, tx := 0, 0
	for _, u := range p.users {
		rx += u.need.RxBuffers
		tx += u.need.TxQueues
	}
	spare := len(p.bufs) - rx
	caches, binding := spare/3, uint64(1)
	if rx == 0 {
		binding = 0
	}
	if tx == 0 { // no queue competes with the caches
		caches = spare
	}
	share := (spare - spare/3) / max(tx, 1)
	p.inFlight.Store(uint64(max(share, 1))<<1 | binding)
	p.cacheLimit.Store(uint32(caches / max(len(p.caches), 1)))
	p.hunger.Add(1)
}

// InFlight returns how many buffers a transmit queue may keep. If ports receive into
// the pool it is binding: with more, all buffers could be in transmit queues that wait
// for receive queues that wait for buffers. Otherwise the queue only has to take back
// what was sent when it has more.
func (p *DriverPool) InFlight() (n int, binding bool) {
	v := p.inFlight.Load()
	return int(v >> 1), v&1 != 0
}
