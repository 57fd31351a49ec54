package vdev

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// worker is the goroutine of a started device.
type worker struct {
	bell     chan struct{} // rung while it sleeps
	sleeping atomic.Bool

	mu   sync.Mutex // guards the rest
	stop chan struct{}
	done chan struct{}
}

// Start lets the device work by itself, in one goroutine for all queues: it
// looks at its rings and at the back end as long as there is something to do,
// and then asks the driver for notifications and sleeps. Starting a started
// device does nothing.
func (d *Device) Start() {
	w := &d.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop == nil {
		w.stop, w.done = make(chan struct{}), make(chan struct{})
		go d.run(w.stop, w.done)
	}
}

// Stop ends the goroutine and waits for it. The state of the device stays as it
// is: it can be started again or be stepped.
func (d *Device) Stop() {
	w := &d.worker
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stop != nil {
		close(w.stop)
		<-w.done
		w.stop, w.done = nil, nil
	}
}

// Poll makes one turn by hand: at most a burst from every queue, each way. It
// returns how many frames and commands moved, and 0 when there is nothing to do
// or the device does not run. It is for devices that are not started.
func (d *Device) Poll() int {
	d.lock()
	defer d.unlock()
	return d.turn()
}

// Arm asks the driver for notifications on every queue that the device could
// work on, as a started device does before it sleeps. A stepped device that was
// never armed asks for notifications until it is disarmed, as a fresh ring does.
func (d *Device) Arm() {
	d.lock()
	defer d.unlock()
	d.arm()
}

// Disarm asks the driver not to notify.
func (d *Device) Disarm() {
	d.lock()
	defer d.unlock()
	d.disarm()
}

// wake makes a sleeping worker look again. What there is to see must be visible
// before.
func (d *Device) wake() {
	if !d.worker.sleeping.Load() {
		return
	}
	select {
	case d.worker.bell <- struct{}{}:
	default:
	}
}

// turn is one round over all queues. d.mu is held.
func (d *Device) turn() int {
	if !d.running || d.noDMA {
		return 0
	}
	if d.byRing {
		return d.ringTurn()
	}
	n := 0
	for pair := 0; pair < d.active && d.running; pair++ {
		n += d.transmit(pair)
	}
	if d.running {
		n += d.receive()
	}
	if d.running {
		n += d.control()
	}
	if d.running && d.active < d.cfg.Pairs {
		d.checkInactive()
	}
	return n
}

func (d *Device) run(stop, done chan struct{}) {
	defer close(done)
	debug.SetPanicOnFault(true) // see ringTurn
	for idle := 0; ; {
		select {
		case <-stop:
			return
		default:
		}
		d.mu.Lock()
		n := d.turn()
		if n > 0 && d.armed {
			d.disarm()
		}
		d.mu.Unlock()
		switch {
		case n > 0:
			idle = 0
			// A device that always has work would keep its CPU until it is
			// preempted, and the others of the program would be late by 10 ms.
			runtime.Gosched()
		case idle < d.cfg.IdleTurns || d.restless.Load():
			idle++
			runtime.Gosched()
		default:
			idle = 0
			if d.fallAsleep() {
				select {
				case <-d.worker.bell:
				case <-stop:
				}
			}
			d.wakeUp()
		}
	}
}

// fallAsleep arms all notifications and looks once more: whatever came before
// they were armed was not notified. It tells whether there was still nothing.
func (d *Device) fallAsleep() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.worker.sleeping.Store(true)
	if d.running && !d.noDMA {
		d.arm()
	}
	if d.turn() > 0 {
		return false
	}
	d.stats.Sleeps++
	return true
}

func (d *Device) wakeUp() {
	d.worker.sleeping.Store(false)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.running && !d.noDMA {
		d.disarm()
	}
}

// arm asks for notifications where one would mean work: on every transmitq, on
// the control queue, and on a receiveq only while frames wait for buffers.
func (d *Device) arm() {
	if d.byRing {
		defer d.faulted()
	}
	d.armed = true
	for i, q := range d.queues {
		if q.alive && (!d.isReceiveq(i) || d.traits.PerPair || d.stage.next < d.stage.n) {
			q.arm()
		}
	}
}

func (d *Device) disarm() {
	if d.byRing {
		defer d.faulted()
	}
	d.armed = false
	for _, q := range d.queues {
		if q.alive {
			q.disarm()
		}
	}
}

func (d *Device) isReceiveq(i int) bool {
	return i%2 == 0 && i != virtio.CtrlQueueIndex(d.accepted, d.cfg.Pairs)
}
