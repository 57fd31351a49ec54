package vdev

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Interrupts is how a device reaches the driver. Its methods are called with
// the device's lock held: they must not call the device.
type Interrupts interface {
	// Masked reports whether an interrupt of virtqueue q would have no effect,
	// which spares the device from finding out whether one is due.
	Masked(q int) bool
	// Queue signals that the device used buffers of virtqueue q.
	Queue(q int)
	// Config signals that configuration or status changed.
	Config()
}

// core is what a Device and a VhostDevice have in common: memory, virtqueues, the
// back end, the goroutine that works, and the record of violations.
type core struct {
	config  Config // with defaults
	cfg     Config // and with what is offered
	irq     Interrupts
	log     *slog.Logger
	variant variant

	// mu guards everything below it up to the next blank line. A turn of Poll
	// holds it, so that memory is not unmapped while the device uses it.
	mu           sync.Mutex
	mem          memory
	accepted     virtio.Features
	net          netConfig
	filter       filter  // of received frames
	hash         hashing // of received packets
	rss          rss     // where they go
	queues       []*queue
	running      bool // the driver started the device, and nothing stopped it since
	noDMA        bool // the device must not reach memory
	active       int  // queue pairs that receive
	transmitting int  // queue pairs of a Device that transmit
	coalescing   bool // an interrupt may be held back
	armed        bool // the driver may be ringing doorbells
	hold         bool
	traits       Traits       // of the back end
	losses       LossReporter // the back end, nil if it loses nothing
	closed       bool
	work         scratch // of transmit

	// offloader is the back end if it passes offloads on, nil otherwise. rxOffloads are
	// those that the driver takes; offloading is set from when it first took one on.
	offloader  OffloadBackend
	rxOffloads virtio.Features
	offloading bool
	forge      func(header []byte) // Faults.RxHeader

	stage stage // of receiveAny
	stats Stats

	// dropped and droppedBytes count the transmitted frames that the back end refused
	// or for which there was no link.
	dropped, droppedBytes atomic.Uint64

	// missed counts the frames for the driver that found no buffer or no link, oversize
	// those that fit none, and filtered those that a filter kept away.
	missed, oversize, filtered atomic.Uint64

	// waiting are the statistics while mu is held by a goroutine that waits for memory of
	// the driver, nil otherwise. base are those of the device that this one replaces.
	waiting atomic.Pointer[Stats]
	base    Stats

	// wakeTarget is the device that the back end wakes.
	wakeTarget *atomic.Pointer[core]

	// noKick is set if a sleeping device would miss buffers.
	noKick atomic.Bool

	// crash is called before each store that matters to a device that takes the place
	// of this one after it was killed. nil except in tests, which end it there.
	crash func()

	worker worker

	violationsMu sync.Mutex
	violations   []Violation
}

// variant is what a Device and a VhostDevice do in different ways. core.mu is
// held in all of its methods.
type variant interface {
	// work makes one round over all queues and returns how many frames and
	// commands moved.
	work() int
	// arm and disarm are core.armQueues and core.disarmQueues.
	arm()
	disarm()
	// failed stops the device because of a violation.
	failed(v Violation)
}

// init makes a device with as many virtqueues as its pairs need, and some more.
// It closes the back end if it fails.
func (d *core) init(cfg Config, irq Interrupts, v variant, more int) error {
	cfg, err := cfg.complete()
	if err != nil {
		_ = cfg.Backend.Close()
		return err
	}
	if irq == nil {
		irq = noInterrupts{}
	}
	d.config, d.cfg, d.irq, d.log, d.variant = cfg, cfg, irq, cfg.Logger, v
	d.hold, d.traits = cfg.Hold, cfg.Backend.Traits()
	d.losses, _ = cfg.Backend.(LossReporter)
	d.offloader, _ = cfg.Backend.(OffloadBackend)
	d.cfg.Offer = cfg.offer()
	d.net = newNetConfig(cfg)
	for i := range 2*cfg.Pairs + more {
		d.queues = append(d.queues, newQueue(d, i))
	}
	d.worker.bell = make(chan struct{}, 1)
	return nil
}

// attach connects the back end, which may call wake from now on.
func (d *core) attach() error {
	target := &atomic.Pointer[core]{}
	target.Store(d)
	d.wakeTarget = target
	if err := d.cfg.Backend.Attach(func() { target.Load().wake() }); err != nil {
		_ = d.cfg.Backend.Close()
		return err
	}
	return nil
}

// Close stops the device and its back end. It may be called more than once. The
// record of violations and the statistics can still be read.
func (d *core) Close() error {
	d.Stop()
	d.mu.Lock()
	closed := d.closed
	d.closed, d.running = true, false
	d.mu.Unlock()
	if closed {
		return nil
	}
	// Without the lock, which the back end may be waiting for in SetLink.
	return d.cfg.Backend.Close()
}

// Running reports whether the rings are alive: the driver started the device, and
// neither a reset nor a failure came after that.
func (d *core) Running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

// Offered returns the features that the device offers.
func (d *core) Offered() virtio.Features { return d.cfg.Offer }

// stopQueues forgets the features and stops all rings. d.mu is held, or no other
// goroutine has d yet.
func (d *core) stopQueues() {
	d.accepted, d.running = virtio.Features{}, false
	d.missed.Add(uint64(d.stage.clear()))
	for _, q := range d.queues {
		q.stop()
		q.disabled = false
	}
}

// queue returns virtqueue i or nil. d.mu is held.
func (d *core) queue(i int) *queue {
	if i < 0 || i >= len(d.queues) || d.queues[i].max == 0 {
		return nil
	}
	return d.queues[i]
}

// notify counts a doorbell of virtqueue q and wakes the device.
func (d *core) notify(q int) {
	d.queues[q].doorbells.Add(1)
	d.wake()
}

// noInterrupts is a transport without interrupts.
type noInterrupts struct{}

func (noInterrupts) Masked(int) bool { return true }
func (noInterrupts) Queue(int)       {}
func (noInterrupts) Config()         {}
