package vdev

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// worker is the goroutine of a started device.
type worker struct {
	bell     chan struct{} // rung while it sleeps
	sleeping atomic.Bool
	started  atomic.Bool

	mu   sync.Mutex // guards the rest
	stop chan struct{}
	done chan struct{}
}

// Start starts a goroutine that works on all queues. It polls the rings and the
// back end as long as there is work, and then asks the driver for notifications
// and sleeps. Starting a started device does nothing.
func (d *core) Start() {
	w := &d.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop == nil {
		w.stop, w.done = make(chan struct{}), make(chan struct{})
		w.started.Store(true)
		go d.run(w.stop, w.done)
	}
}

// Stop ends the goroutine and waits for it. The state of the device stays as it
// is: it can be started again or be stepped.
func (d *core) Stop() {
	w := &d.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		close(w.stop)
		<-w.done
		w.stop, w.done = nil, nil
		w.started.Store(false)
	}
}

// Poll makes one turn: at most a burst from every queue, each way. It returns how
// many frames and commands moved, and 0 when there is no work or the device does
// not run. It is for devices that are not started.
func (d *core) Poll() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.turn()
}

// wake wakes a sleeping worker. The caller has made the work visible before: the
// worker sets sleeping first and looks for work afterwards.
func (d *core) wake() {
	if !d.worker.sleeping.Load() {
		return
	}
	select {
	case d.worker.bell <- struct{}{}:
	default:
	}
}

// turn makes one round over all queues if the device can work. d.mu is held.
func (d *core) turn() int {
	if !d.canWork() {
		return 0
	}
	n := d.variant.work()
	if d.coalescing && d.running {
		d.interruptHeld()
	}
	return n
}

// canWork reports whether the rings are alive and in reach, and the back end is there.
func (d *core) canWork() bool { return d.running && !d.noDMA && !d.closed }

// run is the goroutine of a started device.
func (d *core) run(stop, done chan struct{}) {
	defer close(done)
	debug.SetPanicOnFault(true) // see VhostDevice.faulted
	for idle := 0; ; {
		select {
		case <-stop:
			return
		default:
		}
		d.mu.Lock()
		n := d.turn()
		if n > 0 && d.armed {
			d.variant.disarm()
		}
		d.mu.Unlock()
		switch {
		case n > 0:
			idle = 0
			// A device that always has work would keep its CPU until it is
			// preempted, and other goroutines would wait for 10 ms.
			runtime.Gosched()
		case idle < d.cfg.IdleTurns || d.noKick.Load():
			idle++
			runtime.Gosched()
		default:
			idle = 0
			if d.fallAsleep() {
				d.sleep(stop)
			}
			d.wakeUp()
		}
	}
}

// fallAsleep arms all notifications and makes one more turn, because a buffer that
// came before they were armed was not notified. It reports whether there was no
// work.
func (d *core) fallAsleep() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.worker.sleeping.Store(true)
	if d.canWork() {
		d.variant.arm()
	}
	if d.turn() > 0 {
		return false
	}
	d.stats.Sleeps++
	return true
}

// sleep waits for the bell, stop, or the end of the time that an interrupt is held back.
func (d *core) sleep(stop chan struct{}) {
	var due <-chan time.Time
	d.mu.Lock()
	if d.coalescing {
		if wait := d.interruptHeld(); wait > 0 {
			t := time.NewTimer(wait)
			defer t.Stop()
			due = t.C
		}
	}
	d.mu.Unlock()
	select {
	case <-d.worker.bell:
	case <-stop:
	case <-due:
	}
}

func (d *core) wakeUp() {
	d.worker.sleeping.Store(false)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.canWork() {
		d.variant.disarm()
	}
}

// armQueues asks for notifications where one would mean work: on every transmitq,
// on the control queue, and on a receiveq only while frames wait for buffers.
func (d *core) armQueues() {
	d.armed = true
	for i, q := range d.queues {
		if q.alive && (!d.isReceiveq(i) || d.traits.PerPair || d.stage.next < d.stage.n) {
			q.arm()
		}
	}
}

func (d *core) disarmQueues() {
	d.armed = false
	for _, q := range d.queues {
		if q.alive {
			q.disarm()
		}
	}
}

func (d *core) isReceiveq(i int) bool {
	return i%2 == 0 && i != virtio.CtrlQueueIndex(d.accepted, d.cfg.Pairs)
}
