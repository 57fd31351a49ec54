package driver

import (
	"context"
	"errors"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// Close takes the port down: the device is reset, and when it has confirmed
// that, its memory is unmapped and everything released; buffers that the queues
// held are back in their pools. The caller has stopped polling, although bursts
// that come too late do no harm.
//
// A device that does not confirm the reset is stopped by closing it. If even
// that cannot be relied upon, memory that it may still write to is deliberately
// kept, and the error is a *MemoryKeptError. So is all that a goroutine may still
// use that has been inside a burst for longer than any burst takes: the device
// is reset, and nothing else is touched.
//
// Close may be called more than once and then returns the same again.
func (p *Port) Close() error {
	p.closeOnce.Do(func() {
		p.cancel()
		<-p.ended
		busy := gate.Close(p.gates(), burstLimit)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.closed = true
		p.finish(&ClosedError{Device: p.name})
		if busy >= 0 {
			p.closeErr = p.keep(&BusyQueueError{Device: p.name, Queue: busy, Waited: burstLimit})
			return
		}
		p.closeErr = p.abandon()
	})
	return p.closeErr
}

// keep resets the device and leaves everything else as it is, for a poller that
// may go on in the middle of its burst at any time: with the buffers, the ring,
// and the doorbell.
func (p *Port) keep(cause error) error {
	err := p.reset(context.Background())
	return &MemoryKeptError{Device: p.name, Bytes: p.keptBytes(), Err: errors.Join(cause, err)}
}

// abandon stops the device and releases everything. p.mu is held, or nobody
// else knows p yet.
func (p *Port) abandon() error {
	var resetErr error
	if len(p.attached) != 0 {
		resetErr = p.reset(context.Background())
	}
	if resetErr != nil {
		return p.abandonUnconfirmed(resetErr)
	}
	p.drain()
	var errs []error
	for _, mem := range p.attached {
		errs = append(errs, p.t.UnmapDMA(mem))
	}
	p.attached = nil
	errs = append(errs, p.t.Close(), p.release())
	return errors.Join(errs...)
}

// abandonUnconfirmed is abandon for a device that did not confirm its reset:
// it hung, or it is gone. Nothing may be released before closing it has
// stopped it.
func (p *Port) abandonUnconfirmed(resetErr error) error {
	err := p.t.Close()
	var running *transport.StopError
	if errors.As(err, &running) {
		return &MemoryKeptError{Device: p.name, Bytes: p.keptBytes(), Err: errors.Join(resetErr, err)}
	}
	if !errors.Is(resetErr, transport.ErrRemoved) {
		p.log.Warn("the device did not confirm its reset; closing it has stopped it", "err", resetErr)
	}
	p.attached = nil
	p.drain()
	return errors.Join(err, p.release())
}

// drain gives every buffer that a queue holds back to its pool. The device has
// been stopped and nobody polls.
func (p *Port) drain() {
	for i := range p.rx {
		p.rx[i].drain()
		p.tx[i].drain()
	}
}

// release gives back the port's own memory. The device has been stopped and
// the memory is not mapped any more.
func (p *Port) release() error {
	var errs []error
	for i := range p.rx {
		p.rx[i].own.Close()
		p.tx[i].own.Close()
	}
	if p.rings != nil {
		errs = append(errs, p.rings.Release())
	}
	if p.ownPool {
		errs = append(errs, p.pool.Release())
	}
	return errors.Join(errs...)
}

// keptBytes is how much memory of the port's own the device may still use.
func (p *Port) keptBytes() int {
	n := 0
	if p.rings != nil {
		n += len(p.rings.Bytes())
	}
	if p.ownPool {
		n += len(p.pool.Memory().Bytes())
	}
	return n
}

// drain takes the ring out of the queue: its buffers go back to their pools and
// its counters are kept. The device has been reset and the gate is closed.
func (q *RxQueue) drain() {
	if q.ring == nil {
		return
	}
	q.ring.Drain()
	q.port.statMu.Lock()
	defer q.port.statMu.Unlock()
	q.past = q.total()
	q.past.Posted = 0
	q.ring, q.any = nil, nil
}

// drain is the same for a transmit queue.
func (q *TxQueue) drain() {
	if q.ring == nil {
		return
	}
	lost := q.ring.Drain()
	q.port.statMu.Lock()
	defer q.port.statMu.Unlock()
	q.past = q.total()
	q.past.Lost += uint64(lost)
	q.past.Posted = 0
	q.ring, q.any = nil, nil
}
