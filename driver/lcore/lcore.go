// Package lcore runs polling functions on CPUs of their own: a goroutine locked
// to its thread, the thread bound to one CPU, busy and idle polls counted.
//
// A core polls without ever waiting, so it takes a whole CPU from the Go
// scheduler as well: leave GOMAXPROCS at the number of cores started here plus
// at least one, or the rest of the program (statistics, signals, the driver's
// own supervision) only runs when the scheduler interrupts a poll. Stopping the
// world for garbage collection does interrupt it, since Go 1.14, wherever it
// is; a packet path that does not allocate causes no collection.
package lcore

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
)

// AnyCPU leaves it to the kernel where a core runs.
const AnyCPU = -1

// Core is one polling goroutine. Its methods may be called from any goroutine,
// Stop not from the polling function itself.
type Core struct {
	cpu  int
	poll func() bool
	stop atomic.Bool
	done chan struct{}
	once sync.Once
	err  error // written before done is closed

	// The counters are the polling thread's; the space around them keeps
	// their readers away from the flag that the thread reads each round.
	_          [64]byte
	busy, idle stat.Counter
}

// Start has poll called over and over on the given CPU, counted from 0, or on
// any with AnyCPU, until Stop. poll says whether it found something to do. It
// must return soon: Stop waits for it.
//
// Start returns when the thread is where it shall be. A CPU that does not exist
// or that this process must not use is a *CPUError.
func Start(cpu int, poll func() (busy bool)) (*Core, error) {
	c := &Core{cpu: cpu, poll: poll, done: make(chan struct{})}
	bound := make(chan error, 1)
	go c.run(bound)
	if err := <-bound; err != nil {
		return nil, err
	}
	return c, nil
}

// CPU returns the CPU the core was started on, or AnyCPU.
func (c *Core) CPU() int { return c.cpu }

// Polls returns how many polls found something to do, and how many did not.
func (c *Core) Polls() (busy, idle uint64) { return c.busy.Load(), c.idle.Load() }

// Done is closed when the core polls no more: after Stop, or because poll
// panicked.
func (c *Core) Done() <-chan struct{} { return c.done }

// Err returns nil until Done is closed, then the *FaultError or *PanicError that
// ended the core, or nil when Stop did.
func (c *Core) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Stop ends the polling, waits until the last poll has returned and returns
// what Err does. It may be called more than once.
func (c *Core) Stop() error {
	c.stop.Store(true)
	<-c.done
	return c.err
}

func (c *Core) run(bound chan<- error) {
	// Never unlocked: a goroutine that ends while it is locked takes its thread
	// along, so that no other goroutine inherits the affinity.
	runtime.LockOSThread()
	defer close(c.done)
	err := bind(c.cpu)
	bound <- err
	if err != nil {
		return
	}
	// The registers of a device that is pulled out fault when they are touched:
	// that is for caught, not for the kernel's signal.
	debug.SetPanicOnFault(true)
	defer c.caught()
	for !c.stop.Load() {
		if c.poll() {
			c.busy.Add(1)
		} else {
			c.idle.Add(1)
		}
	}
}

// caught makes a panic of poll the core's error, so that the program can still
// close its ports, which stops the devices, before it ends.
func (c *Core) caught() {
	switch p := recover().(type) {
	case nil:
	case interface {
		runtime.Error
		Addr() uintptr
	}:
		c.err = &FaultError{CPU: c.cpu, Address: uint64(p.Addr())}
	default:
		c.err = &PanicError{CPU: c.cpu, Value: p, Stack: debug.Stack()}
	}
}

// bind confines the calling thread to one CPU.
func bind(cpu int) error {
	if cpu == AnyCPU {
		return nil
	}
	var allowed, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return &CPUError{CPU: cpu, Err: err}
	}
	wanted.Set(cpu)
	if !wanted.IsSet(cpu) {
		return &CPUError{CPU: cpu, Usable: list(&allowed), Err: unix.EINVAL}
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return &CPUError{CPU: cpu, Usable: list(&allowed), Err: err}
	}
	return nil
}

func list(set *unix.CPUSet) []int {
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
