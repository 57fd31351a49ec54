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
	// Masked tells that an interrupt of virtqueue q would reach nobody, which
	// spares the device from finding out whether one is due.
	Masked(q int) bool
	// Queue signals that the device used buffers of virtqueue q.
	Queue(q int)
	// Config signals that configuration or status changed.
	Config()
}

// Device is a virtio network device in software. Its methods may be called from
// several goroutines.
//
// The register-like methods (Status, SetStatus, SetQueueSize and so on) are for
// transports; tests use the rest.
type Device struct {
	cfg Config
	irq Interrupts
	log *slog.Logger

	// mu guards everything below it up to the next blank line. A turn of Poll
	// holds it, so that memory is not unmapped under the device's feet.
	mu         sync.Mutex
	mem        memory
	accepted   virtio.Features
	status     virtio.Status
	reset      resetState
	faults     Faults
	generation uint8
	net        netConfig
	queues     []*queue
	running    bool // DRIVER_OK was set, and nothing stopped the rings since
	negotiated bool // FEATURES_OK was set: accepted is final
	noDMA      bool // the function must not reach memory
	active     int  // queue pairs in use
	armed      bool // the driver may be ringing doorbells
	pairsSet   bool // VQ_PAIRS_SET was carried out
	byRing     bool // Begin was called: rings are started and enabled one by one
	hold       bool
	traits     Traits // of the back end
	closed     bool
	work       scratch // of transmit
	stage      stage   // of receiveAny
	command    chain   // of control
	stats      Stats

	// bell is what a doorbell has to know without taking mu.
	bell atomic.Uint32
	// restless is set if sleeping would mean missing buffers.
	restless atomic.Bool

	worker worker

	blame      sync.Mutex
	violations []Violation
	failure    Violation // the one that stopped the device last
}

// New makes a device. It takes over cfg.Backend and closes it if it fails. irq
// may be nil: nobody is interrupted then.
func New(cfg Config, irq Interrupts) (*Device, error) {
	cfg, err := cfg.complete()
	if err != nil {
		if cfg.Backend != nil {
			_ = cfg.Backend.Close()
		}
		return nil, err
	}
	if irq == nil {
		irq = deaf{}
	}
	d := &Device{cfg: cfg, irq: irq, log: cfg.Logger, faults: cfg.Faults, hold: cfg.Hold, traits: cfg.Backend.Traits()}
	d.cfg.Offer = cfg.offer()
	d.net = newNetConfig(cfg)
	d.reset = resetState{wanted: true}
	for i := range 2*cfg.Pairs + 1 {
		d.queues = append(d.queues, newQueue(d, i))
	}
	d.clear()
	d.worker.bell = make(chan struct{}, 1)
	if err := cfg.Backend.Attach(d.wake); err != nil {
		_ = cfg.Backend.Close()
		return nil, err
	}
	return d, nil
}

// Close stops the device and its back end. It may be called more than once. The
// record of violations and the statistics can still be read.
func (d *Device) Close() error {
	d.Stop()
	d.lock()
	defer d.unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.halt()
	return d.cfg.Backend.Close()
}

// SetFaults replaces the misbehaviours from now on.
func (d *Device) SetFaults(f Faults) {
	d.lock()
	defer d.unlock()
	d.faults = f
}

// SetDMA allows or forbids the device to reach memory, as the Bus Master Enable
// bit of a PCI function does. It is allowed at first.
func (d *Device) SetDMA(allowed bool) {
	d.lock()
	d.noDMA = !allowed
	d.unlock()
	if allowed {
		d.wake()
	}
}

func (d *Device) lock()   { d.mu.Lock() }
func (d *Device) unlock() { d.mu.Unlock() }

// deaf is a transport without interrupts.
type deaf struct{}

func (deaf) Masked(int) bool { return true }
func (deaf) Queue(int)       {}
func (deaf) Config()         {}
