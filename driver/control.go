package driver

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// ErrRefused says that the device answered a command with an error. [errors.Is] finds it
// in what the methods of [Port] that send commands return.
var ErrRefused = ctrlq.ErrRefused

// control lets one goroutine at a time use the control queue, and none while the device is
// being reset. Who has it may lock the mutex of the device; no one waits for it with that.
type control struct {
	mu      sync.Mutex
	up      bool                    // the device takes commands
	busy    bool                    // a goroutine sends commands
	abort   context.CancelCauseFunc // ends the command of that goroutine
	ended   error                   // why no command will ever be sent again
	changed chan struct{}           // closed when something of this changes
}

// interruption is why a command ended before the device answered: it is being reset, or
// the port has ended.
type interruption struct{ cause error }

func (e *interruption) Error() string {
	return "the device is reset before it has answered: " + e.cause.Error()
}

func (e *interruption) Unwrap() error { return e.cause }

// errWaiting is the reason of a command that was not sent in time.
var errWaiting = errors.New("the device is being reset, or another command is under way")

// acquire waits until the control queue is free, and takes it until release. The context
// that it returns ends with ctx or when the device is reset.
func (c *control) acquire(ctx context.Context) (context.Context, error) {
	for {
		c.mu.Lock()
		if c.ended != nil {
			defer c.mu.Unlock()
			return nil, c.ended
		}
		if ctx.Err() != nil { // nothing is begun then, also where nothing would be sent
			defer c.mu.Unlock()
			return nil, context.Cause(ctx)
		}
		if c.up && !c.busy {
			defer c.mu.Unlock()
			ctx, c.abort = context.WithCancelCause(ctx)
			c.busy = true
			return ctx, nil
		}
		changed := c.watch()
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", errWaiting, context.Cause(ctx))
		}
	}
}

// release gives the control queue back. If it is not usable, no goroutine takes it before
// the device was reset, or was found to be well.
func (c *control) release(usable bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort(nil)
	c.busy, c.up = false, c.up && usable
	c.signal()
}

// suspend keeps goroutines from the control queue until resume. A command that is under
// way ends with cause.
func (c *control) suspend(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = false
	c.idle(cause)
}

// resume lets goroutines use the control queue.
func (c *control) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up = true
	c.signal()
}

// end is suspend for good. The last cause counts: a port that failed is closed afterwards.
func (c *control) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = cause
	c.signal()
	c.idle(cause)
}

// exclude calls f if no command is under way within limit, and keeps goroutines from the
// control queue until it has returned. The caller may have the mutex of the device.
func (c *control) exclude(limit time.Duration, f func()) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.busy {
		changed := c.watch()
		c.mu.Unlock()
		select {
		case <-changed:
			c.mu.Lock()
		case <-timer.C:
			c.mu.Lock()
			return
		}
	}
	f()
}

// idle ends the command under way and waits until its goroutine has released the queue.
// c.mu is held, but not while it waits.
func (c *control) idle(cause error) {
	for c.busy {
		c.abort(&interruption{cause})
		changed := c.watch()
		c.mu.Unlock()
		<-changed
		c.mu.Lock()
	}
}

// watch returns a channel that is closed with the next change. c.mu is held.
func (c *control) watch() <-chan struct{} {
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return c.changed
}

// signal tells those who watch. c.mu is held.
func (c *control) signal() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// commander sends commands on behalf of one call, or of the set-up: it has the control
// queue to itself.
type commander struct {
	device *device
	ctx    context.Context
	op     string // what the call does, for errors
	n      *negotiated
}

// configure runs f with the control queue to itself, whatever goroutine calls it: what f
// sends, and remembers in the settings of the device, is not torn apart by another call or
// by a recovery, for whose end it waits. ctx and Config.ControlTimeout bound all of it. op
// says in errors what is being done.
func (d *device) configure(ctx context.Context, op string, f func(c *commander) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ControlTimeout)
	defer cancel()
	for {
		own, err := d.control.acquire(ctx)
		if err != nil {
			return d.commandError(op, err)
		}
		if broken := d.pollControl(); broken != nil { // nothing was sent yet: wait for the reset
			d.releaseControl(broken)
			continue
		}
		err = d.guarded(func() error {
			return f(&commander{device: d, ctx: own, op: op, n: d.current.Load()})
		})
		d.releaseControl(err)
		return err
	}
}

// pollControl returns why the control queue, if there is one, cannot be used before a reset.
func (d *device) pollControl() error {
	if d.ctrl == nil {
		return nil
	}
	return d.guarded(d.ctrl.Poll)
}

// guarded calls f, which uses memory that a back end may remove at any time.
func (d *device) guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer d.catchFault(&err)
	return f()
}

// command sends one command that needs features, and returns up to reply bytes that the
// device answers with. It is configure for a command after which nothing has to be
// remembered.
func (d *device) command(ctx context.Context, op string, needs virtio.Features,
	class, command uint8, data []byte, reply int) ([]byte, error) {
	answer := make([]byte, reply)
	err := d.configure(ctx, op, func(c *commander) error {
		if err := c.require(needs); err != nil {
			return err
		}
		n, err := c.send(class, command, data, answer)
		answer = answer[:n]
		return err
	})
	return answer, err
}

// releaseControl gives the control queue back. err is how its use ended: if the device
// broke the queue it is reset, and if it did not answer its status is looked at.
func (d *device) releaseControl(err error) {
	var interrupted *interruption
	var broken *virtq.BrokenError
	switch {
	case errors.As(err, &interrupted):
		d.control.release(false)
	case errors.As(err, &broken), errors.Is(err, ErrMemoryFault):
		// Before the release, so that a recovery that is under way knows of it.
		if d.ctrl != nil { // or the queue that has the fault was reported
			d.failQueue(d.ctrl.Index(), err)
		}
		d.control.release(false)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		d.control.release(false)
		d.onUnanswered()
	default:
		d.control.release(true)
	}
}

// require returns an error if features that a command needs were not negotiated, and says
// why. Nothing is sent then.
func (c *commander) require(needs virtio.Features) error {
	missing := needs.Minus(c.n.features)
	if missing.Empty() {
		return nil
	}
	d := c.device
	e := &Error{Device: d.name, Op: c.op, Field: "feature", Value: missing, kind: errors.ErrUnsupported}
	_, noControl := d.t.(transport.QueuePairSetter)
	switch {
	case noControl:
		e.Reason = "vhost-user has no control queue that the command could be sent on"
		e.Remedy = "set it up where the back end gets its packets, or reach the device as a PCI function"
	case c.n.dropped[missing.List()[0]] != "":
		e.Reason, e.Remedy = c.n.dropped[missing.List()[0]], "change that, or do without"
	case !missing.Minus(c.n.offered).Empty():
		e.Reason, e.Remedy = "the device does not offer it", "have the host offer it"
	case !missing.And(d.cfg.Refuse).Empty():
		e.Reason, e.Remedy = "the configuration refuses it", "take it out of Config.Refuse"
	case !missing.Minus(featuresBy(OnRequest)).Empty():
		e.Reason, e.Remedy = "the driver does not implement it", "do without"
	case !missing.Minus(d.cfg.acceptable()).Empty():
		e.Reason, e.Remedy = "it is accepted on request only", "put it into Config.Request"
	default:
		e.Reason = "the device offers it without what it depends on, or had too few virtqueues"
		e.Remedy = "have the host offer CTRL_VQ"
	}
	return e
}

// send sends a command, for whose answer it waits no longer than Config.ControlTimeout, and
// returns how many bytes the device wrote to reply. What the command needs has been
// negotiated.
func (c *commander) send(class, command uint8, data, reply []byte) (n int, err error) {
	if c.device.ctrl == nil {
		return 0, c.device.commandError(c.op, errNoControl)
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.device.cfg.ControlTimeout)
	defer cancel()
	err = c.device.guarded(func() (err error) {
		n, err = c.device.ctrl.Do(ctx, class, command, data, reply)
		return err
	})
	if err != nil {
		err = c.device.commandError(c.op, err)
	}
	return n, err
}

// locked calls f with the mutex of the device held. It does not wait for that longer than for
// the device: a goroutine of the port may hold it for as long as the transport waits for a
// back end.
func (c *commander) locked(f func() error) error {
	for pause := minLockPause; !c.device.mu.TryLock(); pause = min(2*pause, maxLockPause) {
		select {
		case <-c.ctx.Done():
			return c.device.commandError(c.op, context.Cause(c.ctx))
		case <-time.After(pause):
		}
	}
	defer c.device.mu.Unlock()
	return f()
}

// Bounds of the pauses between two attempts to lock.
const (
	minLockPause = 20 * time.Microsecond
	maxLockPause = 2 * time.Millisecond
)

// errNoControl is the reason of a command without a queue to send it on.
var errNoControl = errors.New("there is no control queue")

// commandError is the error of a call that could not be carried out.
func (d *device) commandError(op string, err error) error {
	if e, ok := err.(*Error); ok && e.Device == d.name && e.Op == "" { // do not name the port twice
		named := *e
		named.Op = op
		return &named
	}
	return &Error{Device: d.name, Op: op, Err: err}
}
