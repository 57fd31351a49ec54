// Package lcore runs polling functions, each in a goroutine that is locked to its thread. The
// thread runs on one CPU; polls that found work and polls that found none are counted.
//
// # GOMAXPROCS
//
// A core never blocks, so it also occupies one of the GOMAXPROCS processors of the Go scheduler all
// the time. GOMAXPROCS should be at least the number of cores plus one. With fewer, the other
// goroutines of the program (statistics, signals, the driver's supervision of its ports) run only
// when the scheduler preempts a core, about every 10 ms, and polling pauses while they run. If
// GOMAXPROCS is not set it is the number of CPUs that the process may use: start fewer cores than
// that.
//
// Garbage collection stops the cores for a short time wherever they are. A packet path that does
// not allocate causes none.
package lcore

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
)

// AnyCPU lets the kernel choose the CPU of a core.
const AnyCPU = -1

// Core is one polling goroutine. Its methods may be called from any goroutine, except that the
// polling function must not call [Core.Stop].
type Core struct {
	cpu  int
	poll func() bool
	stop atomic.Bool
	done chan struct{}
	err  error // written before done is closed

	// Only the polling goroutine writes the counters. The padding keeps them off the cache line of
	// stop, which that goroutine reads in every iteration.
	_          [64]byte
	busy, idle stat.Counter
}

// Start calls poll in a loop on the given CPU, counted from 0, or on any with [AnyCPU], until
// [Core.Stop]. poll reports whether it found work. It must return soon: Stop waits for it.
//
// Start returns when the thread runs on the CPU. A CPU that does not exist or that this process may
// not use is an [Error].
func Start(cpu int, poll func() (busy bool)) (*Core, error) {
	c := &Core{cpu: cpu, poll: poll, done: make(chan struct{})}
	bound := make(chan error, 1)
	go c.run(bound)
	if err := <-bound; err != nil {
		return nil, err
	}
	return c, nil
}

// CPU returns the CPU that [Start] was given, or [AnyCPU].
func (c *Core) CPU() int { return c.cpu }

// Polls returns how many polls found work, and how many did not.
func (c *Core) Polls() (busy, idle uint64) { return c.busy.Load(), c.idle.Load() }

// Done returns a channel that is closed when polling has ended: after [Core.Stop], or because poll
// panicked.
func (c *Core) Done() <-chan struct{} { return c.done }

// Err returns nil until Done is closed, then what ended the core: nil for [Core.Stop], an [Error]
// for a memory fault, a [PanicError] for any other panic of poll.
func (c *Core) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Stop ends polling, waits until the last poll has returned, and returns what [Core.Err] does. It
// may be called more than once.
func (c *Core) Stop() error {
	c.stop.Store(true)
	<-c.done
	return c.err
}

func (c *Core) run(bound chan<- error) {
	// Never unlocked: the thread ends with a goroutine that is locked to it, so that no other
	// goroutine inherits the affinity.
	runtime.LockOSThread()
	defer close(c.done)
	err := bind(c.cpu)
	bound <- err
	if err != nil {
		return
	}
	// An access to the registers of a removed device raises a signal, which would end the program:
	// it becomes a panic, which recoverPoll makes an error.
	debug.SetPanicOnFault(true)
	defer c.recoverPoll()
	for !c.stop.Load() {
		if c.poll() {
			c.busy.Add(1)
		} else {
			c.idle.Add(1)
		}
	}
}

// recoverPoll makes a panic of poll the error of the core, so that the program can still close its
// ports, which stops the devices, before it ends.
func (c *Core) recoverPoll() {
	switch p := recover().(type) {
	case nil:
	case interface {
		runtime.Error
		Addr() uintptr
	}:
		c.err = faultError(c.cpu, uint64(p.Addr()), p)
	default:
		c.err = &PanicError{CPU: c.cpu, Value: p, Stack: debug.Stack()}
	}
}

// bind sets the affinity of the calling thread to one CPU.
func bind(cpu int) error {
	if cpu == AnyCPU {
		return nil
	}
	var allowed, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return startError(cpu, nil, err)
	}
	wanted.Set(cpu)
	if !wanted.IsSet(cpu) {
		return startError(cpu, list(&allowed), unix.EINVAL)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return startError(cpu, list(&allowed), err)
	}
	return nil
}

// list returns the CPUs of a set in ascending order.
func list(set *unix.CPUSet) []int {
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
