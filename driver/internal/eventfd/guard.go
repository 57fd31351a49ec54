package eventfd

import (
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// period is how often the eventfds are looked at: about as long as a blocked write
	// waits.
	period = 10 * time.Millisecond
	// quietPause is the pause between two attempts to have the goroutines of an eventfd
	// end.
	quietPause = time.Millisecond
	// quietLimit bounds these attempts: the peer could defeat each of them.
	quietLimit = time.Second
)

// Guard unblocks writes to eventfds that the peer has filled. Its methods may be called
// from any goroutine. The zero value guards nothing; [Guard.Close] ends what the first
// [Guard.Watch] begins.
type Guard struct {
	mu      sync.Mutex
	files   []*file
	poll    []unix.PollFd // of files, while it is looked at
	stop    chan struct{} // nil while there is no goroutine
	running sync.WaitGroup
}

// file is an eventfd that is watched.
type file struct {
	fd       int
	full     func()
	draining atomic.Bool // a goroutine reads it
	waking   atomic.Bool // a goroutine writes to it, to have that read return
}

// Watch guards fd until [Guard.Forget] or Close. full is called, in another goroutine,
// each time the counter is found full, and must not call methods of the guard.
func (g *Guard) Watch(fd int, full func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files = append(g.files, &file{fd: fd, full: full})
	if g.stop == nil {
		stop := make(chan struct{})
		g.stop = stop
		g.running.Go(func() { g.run(stop) })
	}
}

// Forget ends the guard of fd, which may be closed afterwards. It is called when no
// other goroutine writes to it. It reports whether fd is unused: if not, because the
// peer interferes all the time, fd must stay open.
func (g *Guard) Forget(fd int) (unused bool) {
	g.mu.Lock()
	var f *file
	for _, other := range g.files {
		if other.fd == fd {
			f = other
		}
	}
	g.mu.Unlock()
	if f == nil {
		return true
	}
	unused = f.quiet()
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.files {
		if other == f {
			g.files = append(g.files[:i], g.files[i+1:]...)
			break
		}
	}
	// The guard may have begun another drain after quiet had seen none.
	return unused && !f.draining.Load() || f.quiet()
}

// Close ends the guard. Eventfds that are still watched are not guarded any more.
func (g *Guard) Close() {
	g.mu.Lock()
	stop := g.stop
	g.stop, g.files = nil, nil
	g.mu.Unlock()
	if stop != nil {
		close(stop)
		g.running.Wait()
	}
}

func (g *Guard) run(stop chan struct{}) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			g.look()
		}
	}
}

// look drains the counters that are full.
func (g *Guard) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.poll = g.poll[:0]
	for _, f := range g.files {
		g.poll = append(g.poll, unix.PollFd{Fd: int32(f.fd), Events: unix.POLLOUT})
	}
	if _, err := unix.Poll(g.poll, 0); err != nil {
		return // a signal: the next look comes soon
	}
	for i, f := range g.files {
		if g.poll[i].Revents&unix.POLLOUT == 0 && f.draining.CompareAndSwap(false, true) {
			// In a goroutine of its own, because the peer can have it wait.
			go f.drain()
		}
	}
}

// drain makes room in the counter.
func (f *file) drain() {
	f.full()
	for isFull(f.fd) && drain(f.fd) {
	}
	f.draining.Store(false)
}

// quiet waits until no goroutine uses f, and reports whether that is so. A drain that
// waits, which is for the counter to leave 0, is ended by a write. That write has a
// goroutine of its own as well; the guard unblocks it as it does any other.
func (f *file) quiet() bool {
	deadline := time.Now().Add(quietLimit)
	for f.draining.Load() || f.waking.Load() {
		if time.Now().After(deadline) {
			return false
		}
		if f.draining.Load() && f.waking.CompareAndSwap(false, true) {
			go func() {
				_ = unix.SetNonblock(f.fd, true)
				_ = Add(f.fd)
				f.waking.Store(false)
			}()
		}
		time.Sleep(quietPause)
	}
	return true
}
