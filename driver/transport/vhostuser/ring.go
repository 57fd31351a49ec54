package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// packedBase is where a fresh packed ring begins: at index 0 with wrap counters
// of 1, for the available and for the used side.
const packedBase = 1<<15 | 1<<31

// ring is a ring that was started.
type ring struct{ enabled bool }

// Queues implements transport.Transport. With more than one pair it counts the
// control queue that MQ places after all pairs (5.1.2), although there is none.
func (d *Device) Queues() (int, error) {
	s, err := d.current()
	if err != nil {
		return 0, err
	}
	if pairs := d.pairs(s); pairs > 1 {
		return 2*pairs + 1, nil
	}
	return 2, nil
}

// QueueSize implements transport.Transport. The protocol has no message for it: a
// back end with a lower limit refuses a larger queue.
func (d *Device) QueueSize(q int) (int, error) {
	s, err := d.current()
	if err != nil {
		return 0, err
	}
	if q < 0 || q >= 2*d.pairs(s) {
		return 0, nil
	}
	return virtio.MaxQueueSize, nil
}

// SetQueue implements transport.Transport. The rings of the first pair are
// enabled at once, those of others by SetQueuePairs. A ring that cannot be set up
// with these areas is a [*transport.Error]. Answers are not waited for here: a ring that
// the back end refuses is an [*Error] of a later call, at the latest of the one of
// SetStatus that writes DRIVER_OK.
func (d *Device) SetQueue(q int, areas transport.Queue) (transport.Notifier, error) {
	s, err := d.current()
	if err != nil {
		return transport.Notifier{}, err
	}
	if err := d.checkQueue(s, q, areas); err != nil {
		return transport.Notifier{}, err
	}
	if err := s.share(d.regions()); err != nil {
		return transport.Notifier{}, err
	}
	var doorbell virtio.Doorbell
	var kickFD, callFD int
	if err = d.eventfds.use(s); err == nil {
		if doorbell, kickFD, err = d.doorbell(s, q); err == nil {
			callFD, err = d.call(q)
		}
	}
	if err != nil {
		return transport.Notifier{}, fileError(d.name, fmt.Sprintf("eventfd of ring %d", q), err)
	}
	notifier := transport.Notifier{Doorbell: doorbell, ID: uint16(q)}
	if s.written.Has(virtio.StatusDriverOK) {
		return notifier, s.restart(q, areas, kickFD, callFD)
	}
	s.unsettled = true
	return notifier, s.batch(false, func() error {
		return s.startInUse(q, areas, kickFD, callFD)
	})
}

// startInUse starts ring i, and enables it if its pair is in use.
func (s *session) startInUse(i int, areas transport.Queue, kickFD, callFD int) error {
	err := s.start(i, areas, kickFD, callFD)
	if err == nil && i < 2*s.activePairs() {
		err = s.enable(i, true)
	}
	return err
}

// activePairs returns how many pairs are in use: one before SetQueuePairs.
func (s *session) activePairs() int { return max(s.active, 1) }

// restart starts ring i, which was stopped while the others are in use, and waits for the
// answers. A ring that the back end refuses is stopped again.
func (s *session) restart(i int, areas transport.Queue, kickFD, callFD int) error {
	return s.withBudget(func() error {
		err := s.batch(true, func() error { return s.startInUse(i, areas, kickFD, callFD) })
		if err == nil {
			err = s.fence()
		}
		if err != nil && s.rings[i] != nil {
			err = errors.Join(err, s.stopOne(i))
		}
		return err
	})
}

// stopOne stops ring i, while the others are in use.
func (s *session) stopOne(i int) error {
	if err := s.enableAll([]int{i}, false); err != nil {
		return err
	}
	return s.batch(true, func() error { return s.stop(i) })
}

// CheckQueueReset implements transport.QueueResetter: rings are stopped and started
// independently of each other.
func (d *Device) CheckQueueReset() error {
	_, err := d.current()
	return err
}

// ResetQueue implements transport.QueueResetter. The ring is disabled and stopped, by
// GET_VRING_BASE. The connection to a back end that does not confirm that is ended, as by
// Reset.
//
// The protocol leaves the other rings alone. DPDK's back end takes all of them from its
// application when one is stopped, and gives back those that are enabled after that, but
// none while a ring of the first pair is stopped. The rings of a back end that may be like
// it, because it does not have CONFIGURE_MEM_SLOTS, are disabled for a moment and enabled
// again.
func (d *Device) ResetQueue(ctx context.Context, q int) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	if s.rings[q] == nil {
		return d.queueError(q, "queue_enable", 0, "this queue has not been set up")
	}
	stop := s.endWith(ctx, "a reset of one ring")
	defer stop()
	return s.withBudget(func() error {
		err := s.stopOne(q)
		if err == nil && !s.has(protocolMemSlots) {
			err = s.enableAgain()
		}
		if err != nil {
			s.end(err)
			return s.disconnected()
		}
		return nil
	})
}

// enableAgain disables and enables the rings that are enabled.
func (s *session) enableAgain() error {
	rings := slices.DeleteFunc(s.started(), func(i int) bool { return !s.rings[i].enabled })
	if err := s.enableAll(rings, false); err != nil {
		return err
	}
	if err := s.enableAll(rings, true); err != nil {
		return err
	}
	return s.fence()
}

// start describes ring i to the back end; the last message starts it. kickFD and
// callFD are -1 if there are no eventfds.
func (s *session) start(i int, areas transport.Queue, kickFD, callFD int) error {
	var base uint32
	if s.packed {
		base = packedBase
	}
	what := fmt.Sprintf(" of ring %d", i)
	for _, m := range []message{
		vringState(setVringNum, i, uint32(areas.Size)),
		vringState(setVringBase, i, base),
		vringAddress(i, areas.Desc, areas.Device, areas.Driver),
		vringFile(setVringCall, i, callFD),
		vringFile(setVringErr, i, s.faults.sendFD),
	} {
		if err := s.command(m, what); err != nil {
			return err
		}
	}
	s.rings[i] = &ring{enabled: !s.enables()}
	return s.command(vringFile(setVringKick, i, kickFD), what)
}

// enable enables or disables ring i, if it was started.
func (s *session) enable(i int, on bool) error {
	r := s.rings[i]
	if r == nil || r.enabled == on || !s.enables() {
		return nil
	}
	v, what := uint32(0), fmt.Sprintf(" 0 of ring %d", i)
	if on {
		v, what = 1, fmt.Sprintf(" 1 of ring %d", i)
	}
	if err := s.command(vringState(setVringEnable, i, v), what); err != nil {
		return err
	}
	r.enabled = on
	return nil
}

// enableAll enables or disables rings.
func (s *session) enableAll(rings []int, on bool) error {
	return s.batch(true, func() error {
		for _, i := range rings {
			if err := s.enable(i, on); err != nil {
				return err
			}
		}
		return nil
	})
}

// started returns the numbers of the rings that were started, in order.
func (s *session) started() []int { return slices.Sorted(maps.Keys(s.rings)) }

// withRingsDisabled calls do while all rings are disabled. The connection to a back
// end that refuses to disable or enable them is ended: the device status would not
// show that some of them stay disabled.
func (s *session) withRingsDisabled(do func() error) error {
	var on []int
	for _, i := range s.started() {
		if s.rings[i].enabled {
			on = append(on, i)
		}
	}
	if err := s.enableAll(on, false); err != nil {
		s.end(err)
		return s.disconnected()
	}
	if err := s.fence(); err != nil {
		return err
	}
	doErr := do()
	if err := s.enableAll(on, true); err != nil {
		s.end(err)
		return s.disconnected()
	}
	if doErr != nil {
		return doErr
	}
	return s.fence()
}

// SetQueuePairs implements transport.QueuePairSetter. A pair whose queues have not
// been set up is a [*transport.Error].
func (d *Device) SetQueuePairs(n int) error {
	s, err := d.current()
	if err != nil {
		return err
	}
	for i := range 2 * n {
		if s.rings[i] == nil {
			return d.queueError(i, "pairs", uint64(n), "this queue has not been set up")
		}
	}
	if n < 1 {
		return d.queueError(0, "pairs", uint64(n), "at least one pair is in use")
	}
	return s.withBudget(func() error {
		rings := s.started()
		unused, _ := slices.BinarySearch(rings, 2*n)
		if err := s.enableAll(rings[:unused], true); err != nil {
			return err
		}
		if err := s.enableAll(rings[unused:], false); err != nil {
			return err
		}
		s.active = n
		return s.fence()
	})
}

// checkQueue checks the size and the areas that the driver asks for.
func (d *Device) checkQueue(s *session, q int, a transport.Queue) error {
	wrong := func(field string, v uint64, format string, args ...any) error {
		return d.queueError(q, field, v, fmt.Sprintf(format, args...))
	}
	switch size := a.Size; {
	case q < 0 || q >= 2*d.pairs(s):
		return wrong("queue_size", uint64(size), "the back end has %d queues, and no control queue",
			2*d.pairs(s))
	case s.features == 0: // they decide the format of the ring
		return wrong("queue_size", uint64(size), "no features have been accepted")
	case s.rings[q] != nil:
		return wrong("queue_size", uint64(size),
			"the queue is in use; it or the device has to be reset first")
	case size < 1 || size > virtio.MaxQueueSize:
		return wrong("queue_size", uint64(size), "a queue has 1 to %d entries", virtio.MaxQueueSize)
	case !s.packed && size&(size-1) != 0:
		return wrong("queue_size", uint64(size), "the size of a split queue is a power of two")
	}
	for _, area := range areasOf(a, s.packed) {
		if area.address%area.align != 0 {
			return wrong(area.name, area.address, "the address is not a multiple of %d", area.align)
		}
		if !d.covers(area.address, area.size) {
			return wrong(area.name, area.address,
				"%d bytes there are not all in memory that is mapped", area.size)
		}
	}
	return nil
}

func (d *Device) queueError(q int, field string, v uint64, reason string) error {
	return &transport.Error{Device: d.name, Op: fmt.Sprintf("virtqueue %d", q), Field: field,
		Value: v, Reason: reason,
		Remedy: "take fewer or smaller queues, and if that is refused as well restart or update what provides the device"}
}

// area is a part of a ring.
type area struct {
	name                 string
	address, size, align uint64
}

// areasOf returns the parts of a ring with their sizes and alignments (2.7, 2.8).
func areasOf(a transport.Queue, packed bool) []area {
	n := uint64(a.Size)
	if packed {
		return []area{{"queue_desc", a.Desc, 16 * n, 16}, {"queue_driver", a.Driver, 4, 4},
			{"queue_device", a.Device, 4, 4}}
	}
	return []area{{"queue_desc", a.Desc, 16 * n, 16}, {"queue_driver", a.Driver, 6 + 2*n, 2},
		{"queue_device", a.Device, 6 + 8*n, 4}}
}

// covers reports whether one piece of mapped memory holds all size bytes at address.
func (d *Device) covers(address, size uint64) bool {
	return slices.ContainsFunc(d.regions(), func(r region) bool {
		return address >= r.guest && address-r.guest <= r.size && size <= r.size-(address-r.guest)
	})
}
