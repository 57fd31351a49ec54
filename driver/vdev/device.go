package vdev

import (
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Device is a virtio network device as the PCI transport presents it: with device
// status, feature registers and a configuration space. Its methods may be called
// from several goroutines.
//
// The methods that are registers (Status, SetStatus, SetQueueSize and so on) are
// for transports; tests use the rest.
type Device struct {
	core

	// core.mu guards everything up to the next blank line.
	status     virtio.Status
	reset      resetState
	faults     Faults
	negotiated bool // FEATURES_OK was set: the accepted features are final
	pairsSet   bool // VQ_PAIRS_SET or RSS_CONFIG was carried out
	registers  []queueRegisters
	ctrl       controlState
	ctrlFaults faultCounts

	// coalDefault are the parameters of all receiveqs and of all transmitqs.
	coalDefault [2]Coalescing

	// doorbell is the DoorbellForm, for reading without the lock.
	doorbell atomic.Uint32
}

// New makes a device. It owns cfg.Backend and closes it if it fails. With
// a nil irq there are no interrupts.
func New(cfg Config, irq Interrupts) (*Device, error) {
	d := &Device{}
	if err := d.init(cfg, irq, d, 1); err != nil {
		return nil, err
	}
	d.setFaults(d.cfg.Faults)
	d.registers = make([]queueRegisters, len(d.queues))
	d.clear()
	d.reset = resetState{wanted: true}
	if err := d.attach(); err != nil {
		return nil, err
	}
	return d, nil
}

// Close stops the device and its back end. It may be called more than once. The
// record of violations and the statistics can still be read.
func (d *Device) Close() error {
	err := d.core.Close()
	d.doorbell.Store(0)
	return err
}

// SetFaults replaces the misbehaviours from now on. Commands that CtrlLate keeps are answered
// if f has another fault or none.
func (d *Device) SetFaults(f Faults) {
	d.mu.Lock()
	d.setFaults(f)
	d.mu.Unlock()
	d.wake()
}

func (d *Device) setFaults(f Faults) {
	d.faults, d.forge = f, f.RxHeader
	d.offloading = d.offloading || d.forge != nil
	d.ctrlFaults = faultCounts{}
}

// SetDMA allows or forbids the device to reach memory, as the Bus Master Enable
// bit of a PCI function does. It is allowed at first.
func (d *Device) SetDMA(allowed bool) {
	d.mu.Lock()
	d.noDMA = !allowed
	d.mu.Unlock()
	if allowed {
		d.wake()
	}
}

// Violate records that the driver broke a rule on virtqueue q, -1 for none. It
// is for transports, which see register accesses that the device does not.
func (d *Device) Violate(rule string, q int, format string, args ...any) {
	d.violate(rule, q, format, args...)
}

// Arm asks the driver for notifications on every queue that the device could
// work on, as a started device does before it sleeps. A stepped device that was
// never armed asks for notifications until it is disarmed, as a fresh ring does.
func (d *Device) Arm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.arm()
}

// Disarm asks the driver not to notify.
func (d *Device) Disarm() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.disarm()
}

func (d *Device) arm()    { d.armQueues() }
func (d *Device) disarm() { d.disarmQueues() }

func (d *Device) work() int {
	n := 0
	for pair := 0; pair < d.transmitting && d.running; pair++ {
		n += d.transmit(pair)
	}
	if d.running {
		n += d.receive()
	}
	if d.running {
		n += d.control()
	}
	if d.running && d.transmitting < d.cfg.Pairs {
		d.checkInactive()
	}
	return n
}

// checkInactive looks for packets on queues that are switched off (5.1.9.5.5).
func (d *Device) checkInactive() {
	for pair := d.transmitting; pair < d.cfg.Pairs; pair++ {
		i := virtio.TxQueueIndex(pair)
		q := d.queues[i]
		if !q.alive || d.registers[i].inactiveReported {
			continue
		}
		var c chain
		if q.pop(&c) {
			q.rewind(&c)
			d.registers[i].inactiveReported = true
			d.violate(d.inactiveRule(), q.index,
				"a packet on the transmitq of pair %d, with %d switched on", pair, d.transmitting)
		}
	}
}

// inactiveRule distinguishes whether the driver ever said how many pairs it uses.
func (d *Device) inactiveRule() string {
	if d.pairsSet {
		return "net/mq/4"
	}
	return "net/mq/3"
}
