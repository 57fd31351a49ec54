package driver

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// ErrMemoryFault says that memory which a back end shares could not be accessed: the
// back end has removed its pages, by punching a hole into the file or truncating it,
// and there are no others. [errors.Is] finds it in [Port.Err].
var ErrMemoryFault = errors.New("memory fault")

// fault is the panic of an access that failed, in a goroutine that has called
// [debug.SetPanicOnFault].
type fault interface {
	runtime.Error
	Addr() uintptr
}

// faultError is a failed access to the memory of a device, whose address cause has.
func faultError(device string, cause error) *Error {
	e := &Error{Device: device, Op: "memory", kind: ErrMemoryFault, Err: cause,
		Reason: "pages of shared memory are gone",
		Remedy: "the back end removes them, or there are too few hugepages: " +
			"close the port, and look at both"}
	var f fault
	if errors.As(cause, &f) {
		e.Field, e.Value = "address", fmt.Sprintf("%#x", f.Addr())
	}
	return e
}

// catchFault is deferred. It makes the panic of an access to memory of the device, or of
// a mistake in the driver, the error of the function.
func (d *device) catchFault(err *error) {
	switch p := recover().(type) {
	case nil:
	case fault:
		*err = faultError(d.name, p)
	default:
		*err = &Error{Device: d.name, Op: "set-up",
			Reason: fmt.Sprintf("panic: %v\n%s", p, debug.Stack()), Remedy: "report this as a bug"}
	}
}

// populate makes pages present again that a back end has removed: of the rings and the
// port's pool, while other pools are the concern of their ports. d.mu is held.
func (d *device) populate() error {
	for _, mem := range []*hugepages.Memory{d.rings, (*mbuf.DriverPool)(d.pool).Memory()} {
		if mem == nil {
			continue
		}
		if err := mem.Populate(); err != nil {
			return faultError(d.name, err)
		}
	}
	return nil
}

// Abandon is for the goroutine that polls the queue, when it has recovered from a panic
// whose value is cause. It reports whether the panic was in a burst of this queue or,
// going by the address of a memory fault, was an access to a buffer of the queue's
// pool. The port is then recovered or fails, as with a broken queue, and cause is in its
// error. Otherwise Abandon does nothing, so that it is called for each queue of the
// goroutine.
//
// A burst that panicked returns nothing: packets that it had taken, and those it was
// passed, may be lost, until their pool is released. [mbuf.Pool.Release] no longer waits
// for all buffers then.
func (q *RxQueue) Abandon(cause error) bool {
	if !q.gate.Inside() {
		return q.abandonBuffers(cause)
	}
	q.ring.Abandon()
	(*mbuf.DriverPool)(q.own.Pool()).Fault()
	q.reportBroken(faultError(q.device, cause))
	q.gate.Leave()
	return true
}

// Abandon is [RxQueue.Abandon] for a transmit queue.
func (q *TxQueue) Abandon(cause error) bool {
	if !q.gate.Inside() {
		return q.abandonBuffers(cause)
	}
	q.ring.Abandon()
	for _, pool := range q.ring.Pools() {
		(*mbuf.DriverPool)(pool).Fault()
	}
	q.reportBroken(faultError(q.device, cause))
	q.gate.Leave()
	return true
}

// abandonBuffers is Abandon outside of a burst.
func (q *queue) abandonBuffers(cause error) bool {
	pool := (*mbuf.DriverPool)(q.own.Pool())
	if !isIn(cause, pool.Memory()) {
		return false
	}
	pool.Fault()
	q.onBroken(&QueueBrokenError{Device: q.device, Queue: q.index, Err: faultError(q.device, cause)})
	return true
}

// isIn reports whether cause is a fault in mem.
func isIn(cause error, mem *hugepages.Memory) bool {
	var f fault
	if mem == nil || !errors.As(cause, &f) {
		return false
	}
	at := uint64(f.Addr())
	return at >= mem.Address() && at-mem.Address() < uint64(len(mem.Bytes()))
}
