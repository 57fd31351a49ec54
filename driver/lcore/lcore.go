// Package lcore runs polling functions, each in a goroutine that is locked to its thread. The
// thread runs on one CPU; polls that found work and polls that found none are counted, and
// the time of the former is measured.
//
// A core of [Group.StartAdaptive] sleeps when there is nothing to do.
//
// # GOMAXPROCS
//
// A core that does not sleep never blocks, so it also occupies one of the GOMAXPROCS processors of
// the Go scheduler all the time. GOMAXPROCS should be at least the number of cores plus one. With
// fewer, the other goroutines of the program (statistics, signals, the driver's supervision of its
// ports) run only when the scheduler preempts a core, about every 10 ms, and polling pauses while
// they run. If GOMAXPROCS is not set it is the number of CPUs that the process may use: start fewer
// cores than that. A [Group] with a Logger warns of both.
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
	cpu     int
	poll    func() bool
	abandon []func(cause error) bool
	stop    atomic.Bool
	done    chan struct{}
	err     error // written before done is closed
	// group counts the core as long as it polls.
	group   *Group
	usable  []int    // CPUs that the process may use
	sleeper *sleeper // nil for a core that polls all the time

	// Only the polling goroutine writes the counters. The padding keeps them off the cache line of
	// stop, which that goroutine reads in every iteration.
	_          [64]byte
	busy, idle stat.Counter
	times      times
}

// Start calls poll in a loop on the given CPU, counted from 0, or on any with [AnyCPU], until
// [Core.Stop]. poll reports whether it found work. It must return soon: Stop waits for it.
//
// A memory fault in poll is a panic that ends poll, not the program: an access to the registers of
// a device that was removed, or to memory that a vhost-user back end has taken away. The core calls
// each abandon with it, in the polling goroutine. If one reports that it has dealt with the fault,
// as the Abandon methods of queues and of package poll do, polling goes on. Otherwise the core
// ends.
//
// Start returns when the thread runs on the CPU. A CPU that does not exist or that this process may
// not use is an [Error].
//
// A program with several cores starts them with one [Group].
func Start(cpu int, poll func() (busy bool), abandon ...func(cause error) bool) (*Core, error) {
	return new(Group).Start(cpu, poll, abandon...)
}

// CPU returns the CPU that [Start] was given, or [AnyCPU].
func (c *Core) CPU() int { return c.cpu }

// Polls returns how many polls found work, and how many did not.
func (c *Core) Polls() (busy, idle uint64) { return c.busy.Load(), c.idle.Load() }

// Done returns a channel that is closed when polling has ended: after [Core.Stop], or because poll
// panicked.
func (c *Core) Done() <-chan struct{} { return c.done }

// Err returns nil until Done is closed, then what ended the core: nil for [Core.Stop], an [Error]
// for a memory fault that was not dealt with, a [PanicError] for any other panic of poll.
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
	if c.sleeper != nil {
		c.sleeper.wake()
	}
	<-c.done
	return c.err
}

func (c *Core) run(bound chan<- error) {
	// Never unlocked: the thread ends with a goroutine that is locked to it, so that no other
	// goroutine inherits the affinity.
	runtime.LockOSThread()
	defer c.ended()
	err := c.bind()
	c.times.start = now()
	bound <- err
	if err != nil {
		return
	}
	// A memory fault raises a signal, which would end the program: it becomes a panic.
	debug.SetPanicOnFault(true)
	for c.pollUntilPanic() {
	}
}

// pollUntilPanic polls until Stop or until poll panics. It reports whether polling goes on.
func (c *Core) pollUntilPanic() (again bool) {
	defer c.recoverPoll(&again)
	c.loop()
	return false
}

func (c *Core) ended() {
	if c.sleeper != nil {
		c.sleeper.wake() // releases the context
	}
	c.times.end = now()
	c.group.running.Add(-1)
	close(c.done)
}

// recoverPoll makes a panic of poll the error of the core, so that the program can still close its
// ports, which stops the devices, before it ends. A memory fault that was dealt with is none.
func (c *Core) recoverPoll(again *bool) {
	var cause error
	fault := false
	switch p := recover().(type) {
	case nil:
		return
	case interface {
		runtime.Error
		Addr() uintptr
	}:
		cause, fault = p, true
		c.err = faultError(c.cpu, uint64(p.Addr()), p)
	default:
		cause = &PanicError{CPU: c.cpu, Value: p, Stack: debug.Stack()}
		c.err = cause
	}
	handled := false
	for _, abandon := range c.abandon {
		handled = abandon(cause) || handled
	}
	if fault && handled {
		c.err, *again = nil, true
	}
}

// bind notes which CPUs the process may use and sets the affinity of the calling thread,
// which no core has had before, to that of the core.
func (c *Core) bind() error {
	var allowed, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return startError(c.cpu, nil, err)
	}
	c.usable = list(&allowed)
	if c.cpu == AnyCPU {
		return nil
	}
	wanted.Set(c.cpu)
	if !wanted.IsSet(c.cpu) {
		return startError(c.cpu, c.usable, unix.EINVAL)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return startError(c.cpu, c.usable, err)
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
