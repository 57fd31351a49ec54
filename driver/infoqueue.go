package driver

import (
	"fmt"
	"runtime/debug"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// inspectedRing is a ring of any kind.
type inspectedRing interface {
	Size() int
	Areas() (desc, driver, device uint64)
	Positions() virtq.Positions
	Inspect(func(virtq.Descriptor))
	Broken() error
}

// info describes the queue. d.mu is held.
func (q *RxQueue) info(d *device, pair int, descriptors bool) QueueInfo {
	s := q.Stats()
	info := d.queueInfo(q.index, fmt.Sprintf("rx %d", pair))
	info.Kicks, info.Suppressed, info.Posted = s.Kicks, s.Suppressed, s.Posted
	info.State = d.queueState(q.index)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring != nil {
		d.inspectRing(&info, q.ring, &q.gate, descriptors)
	}
	return info
}

// info describes the queue. d.mu is held.
func (q *TxQueue) info(d *device, pair int, descriptors bool) QueueInfo {
	s := q.Stats()
	info := d.queueInfo(q.index, fmt.Sprintf("tx %d", pair))
	info.Kicks, info.Suppressed, info.Posted = s.Kicks, s.Suppressed, s.Posted
	info.State = d.queueState(q.index)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ring != nil {
		d.inspectRing(&info, q.ring, &q.gate, descriptors)
	}
	return info
}

// controlInfo describes the control queue. d.mu is held.
func (d *device) controlInfo(descriptors bool) QueueInfo {
	n := d.current.Load()
	info := d.queueInfo(virtio.CtrlQueueIndex(n.features, n.maxPairs), "control")
	ring := d.ctrl.Ring()
	info.Kicks, info.Suppressed, info.Posted = ring.Kicks(), ring.Suppressed(), ring.Posted()
	info.State = inUse
	d.control.exclude(pollerLimit, func() { d.inspectRing(&info, ring, nil, descriptors) })
	return info
}

// inUse is the state of a queue that is neither stopped nor inactive.
const inUse = "in use"

// queueState returns inUse, or in words why virtqueue q is not in use.
func (d *device) queueState(q int) string {
	switch {
	case d.isOut(q, outStopped):
		return "stopped"
	case d.isOut(q, outInactive), q/2 >= d.steered.Load().pairs:
		return "inactive: its pair is beyond those that the device uses"
	case d.isOut(q, outReset):
		return "reset, and not set up since"
	}
	return inUse
}

func (d *device) queueInfo(index int, name string) QueueInfo {
	info := QueueInfo{Virtqueue: index, Name: name, Format: "split", Vector: -1}
	if d.current.Load().features.Has(virtio.RingPacked) {
		info.Format = "packed"
	}
	if t, ok := d.t.(transport.Describer); ok {
		info.Vector = t.QueueVector(index)
	}
	return info
}

// inspectRing adds what a ring says. The set-up and the end of the ring are locked out. g
// is the gate of its poller, nil if it has none.
func (d *device) inspectRing(info *QueueInfo, ring inspectedRing, g *gate.Gate, descriptors bool) {
	info.Size = ring.Size()
	info.DescriptorArea, info.DriverArea, info.DeviceArea = ring.Areas()
	if err := ring.Broken(); err != nil {
		info.Broken = err.Error()
	}
	if descriptors {
		info.Descriptors = make([]Descriptor, 0, info.Size) // not while the queue stands still
	}
	d.alone(info.Virtqueue, g, func() {
		if err := d.readRing(info, ring, descriptors); err != nil {
			info.Broken = err.Error()
		}
	})
}

// readRing reads what the device can write too, from memory that a back end may remove at
// any time.
func (d *device) readRing(info *QueueInfo, ring inspectedRing, descriptors bool) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer d.catchFault(&err)
	p := RingPositions(ring.Positions())
	info.Positions = &p
	if descriptors {
		ring.Inspect(func(e virtq.Descriptor) {
			info.Descriptors = append(info.Descriptors, Descriptor(e))
		})
	}
	return nil
}

// alone calls do while no poller uses virtqueue q, which is behind a gate, unless its
// poller stays in a burst for longer than pollerLimit.
func (d *device) alone(q int, g *gate.Gate, do func()) {
	if g == nil {
		do()
		return
	}
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	defer d.openGate(q)
	if gate.Close([]*gate.Gate{g}, pollerLimit) < 0 {
		do()
	}
}
