package driver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/internal/gate"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// burstLimit is more than a burst takes: it never waits, but its thread may have lost
// the CPU. Only Close, which cannot wait without a bound, goes by it.
const burstLimit = time.Second

// runningStatus is the device status while packets flow.
const runningStatus = virtio.StatusAcknowledge | virtio.StatusDriver |
	virtio.StatusFeaturesOK | virtio.StatusDriverOK

// device is a virtio network device with everything that the driver has set up
// for it: what was negotiated, the memory that it can reach, the virtqueues. It
// knows neither the goroutines that poll the queues nor the supervisor.
//
// The transport is only used with mu held. Methods lock mu unless their comment says
// that it is held.
type device struct {
	name string
	cfg  Config
	log  *slog.Logger
	// onBroken is called by pollers, and by users of the control queue.
	onBroken func(*QueueBrokenError)
	// onUnanswered is called when the device did not answer a command in time.
	onUnanswered func()

	// current is what was negotiated last, nil before the first start.
	current atomic.Pointer[negotiated]

	mu     sync.Mutex
	t      transport.Transport
	status virtio.Status // as it was written last
	closed bool

	misused map[misuseKey]bool // what was logged; of reportMisuse

	// The queues are made by the first start and stay the same.
	rx           []*RxQueue
	tx           []*TxQueue
	ctrl         *ctrlq.Queue // nil if there is no control queue
	ctrlNotifier transport.Notifier

	// control says who uses ctrl: with mu held it is suspended first.
	control  control
	settings settings
	steering steering                // what the application asked for
	steered  atomic.Pointer[steered] // what the device does, nil before the first start
	// unsettled says that the device did not answer a command for that, and may do either.
	unsettled bool
	key       []byte // of hashes, where the application gives none

	// gateMu keeps those apart who close and open the gates. It is locked after mu.
	gateMu    sync.Mutex
	gatesOpen bool
	service   service // for those who sleep until a queue has packets

	plans       []ringPlan          // the rings that are set up, by the numbers of their virtqueues
	resized     map[int]int         // sizes that virtqueues were given in place of the Config's
	rings       *hugepages.Memory   // of all virtqueues, nil before the first set-up
	larger      []*hugepages.Memory // of rings that have outgrown rings, until the next reset
	mapped      []*hugepages.Memory // for the device: rings and pools
	attachments []*attachment       // of pools
	pool        *mbuf.Pool          // where received packets go
	ownPool     bool                // pool is released with the device
}

// newDevice returns the device behind t. A queue that finds itself broken calls
// onBroken, on the goroutine that uses it, and onUnanswered if the device did not answer a
// command in time.
func newDevice(t transport.Transport, cfg Config, onBroken func(*QueueBrokenError), onUnanswered func()) *device {
	d := &device{
		name: t.Name(), cfg: cfg, log: cfg.Logger.With("port", t.Name()),
		onBroken: onBroken, onUnanswered: onUnanswered,
		t: t, pool: cfg.Pool,
	}
	d.settings.mac.address = cfg.MAC
	return d
}

// events returns the events of the transport.
func (d *device) events() <-chan transport.Event { return d.t.Events() }

// checkStatus reads the device status, and returns why the device cannot go on,
// nil if it can.
func (d *device) checkStatus() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	status, err := d.t.Status()
	switch {
	case err != nil:
		return d.lost(err)
	case status.Has(virtio.StatusNeedsReset):
		return &Error{Device: d.name, Field: "device status", Value: status,
			Reason: "the device reports an error that only a reset ends", kind: ErrNeedsReset}
	case !status.Has(runningStatus):
		return &Error{Device: d.name, Field: "device status", Value: status,
			Reason: fmt.Sprintf("not the %v that the driver wrote: "+
				"the device was reset behind the driver's back", d.status)}
	}
	return nil
}

// readLink reads the state of the link.
func (d *device) readLink() (Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return readLink(d.t, d.current.Load().features)
}

// disconnectCause asks the transport how the connection to the back end ended.
// There may be another connection by then.
func (d *device) disconnectCause() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.t.Status(); err != nil {
		return d.lost(err)
	}
	return &transport.Error{Device: d.name, Err: transport.ErrDisconnected}
}

// lost returns the error of a device that does not answer. One that may come
// back is not removed.
func (d *device) lost(err error) error {
	if errors.Is(err, transport.ErrDisconnected) {
		return err
	}
	return removedError(d.name, err)
}

// interruptible ends the connection to the back end when ctx ends, until stop is
// called: no request outlasts ctx. A transport without a back end heeds ctx itself
// where it waits.
func (d *device) interruptible(ctx context.Context) (stop func() bool) {
	t, ok := d.t.(transport.Disconnecter)
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { t.Disconnect(ctx.Err()) })
}

// disconnect ends the connection to the back end, so that the transport waits for
// the next one. It reports whether the transport can do that.
func (d *device) disconnect(cause error) bool {
	t, ok := d.t.(transport.Disconnecter)
	if !ok {
		return false
	}
	t.Disconnect(cause)
	return true
}

// setUpQueues gives the device its virtqueues and fills the receive queues. d.mu
// is held.
func (d *device) setUpQueues(n *negotiated) error {
	rings, err := d.planRings(n)
	if err != nil {
		return err
	}
	if err := d.allocateRings(rings); err != nil {
		return err
	}
	if err := d.providePool(n, rings); err != nil {
		return err
	}
	d.makeQueues(n.pairs)
	if err := d.enableInterrupts(n.pairs); err != nil {
		return err
	}
	d.plans = rings[:2*n.pairs]
	for q := range d.plans {
		if err := d.setUpRing(&d.plans[q]); err != nil {
			return err
		}
		d.putIn(q, outReset)
	}
	if control := rings[2*n.pairs:]; len(control) != 0 {
		return d.setUpControl(&control[0])
	}
	return nil
}

// setUpRing gives the device one virtqueue of a pair, filled if it is for receiving. d.mu
// is held.
func (d *device) setUpRing(r *ringPlan) error {
	i := r.cfg.Index / 2
	if r.name == rxQueueSize {
		return d.rx[i].setUp(r.cfg, d.enableReceiving(r, d.rx[i]))
	}
	return d.tx[i].setUp(r.cfg, d.attachedPools(), d.enableRing(r))
}

// makeQueues makes the queues once, with their gates closed. d.mu is held.
func (d *device) makeQueues(pairs int) {
	if len(d.rx) != 0 {
		return
	}
	for i := range pairs {
		rx, tx := &RxQueue{}, &TxQueue{}
		rx.gate.Init(true)
		tx.gate.Init(true)
		rx.init(d.name, virtio.RxQueueIndex(i), d.pool.NewCache(cacheSize), d.onBroken)
		rx.sleep.init(&d.service, d.cfg.Interrupts)
		tx.init(d.name, virtio.TxQueueIndex(i), d.pool.NewCache(cacheSize), d.onBroken)
		d.rx = append(d.rx, rx)
		d.tx = append(d.tx, tx)
	}
}

// setUpControl makes the control queue and gives it to the device. d.mu is held.
func (d *device) setUpControl(r *ringPlan) error {
	control, err := ctrlq.New(r.cfg)
	if err != nil {
		return err
	}
	notifier, err := d.enableRing(r)(control.Areas())
	if err != nil {
		return err
	}
	d.ctrl, d.ctrlNotifier = control, notifier
	return nil
}

// enableRing returns the function that gives a ring, with its areas at these
// device addresses, to the device and enables it. d.mu is held when it is called.
func (d *device) enableRing(r *ringPlan) enableFunc {
	return func(desc, driver, device uint64) (transport.Notifier, error) {
		return d.t.SetQueue(r.cfg.Index, transport.Queue{
			Size: r.cfg.Size, Desc: desc, Driver: driver, Device: device,
			NotificationData: r.cfg.Features.Has(virtio.NotificationData),
			NotifConfigData:  r.cfg.Features.Has(virtio.NotifConfigData),
		})
	}
}

// enableReceiving is enableRing for a receive queue, whose interrupt is connected before there
// are buffers in the ring: when it cannot be, the device has none of them.
func (d *device) enableReceiving(r *ringPlan, q *RxQueue) enableFunc {
	enable := d.enableRing(r)
	return func(desc, driver, device uint64) (transport.Notifier, error) {
		notifier, err := enable(desc, driver, device)
		if err != nil {
			return notifier, err
		}
		return notifier, d.connectInterrupt(q)
	}
}

// startQueues lets the queues ring their doorbells: DRIVER_OK is set. d.mu is held.
func (d *device) startQueues() {
	for i := range d.rx {
		d.rx[i].start()
		d.tx[i].start()
	}
	if d.ctrl != nil {
		d.ctrl.Start(d.ctrlNotifier.Doorbell, d.ctrlNotifier.ID)
	}
}

// openGates lets the pollers use the queues, but for those that are out of use.
func (d *device) openGates() {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	d.gatesOpen = true
	for i := range 2 * len(d.rx) {
		d.openGate(i)
	}
}

// openGate lets the poller use a virtqueue, if nothing keeps it out. d.gateMu is held.
func (d *device) openGate(q int) {
	if queue, g := d.queue(q); d.gatesOpen && queue.out == 0 {
		g.Open()
	}
	d.service.resume()
}

// queue returns what virtqueue q of a pair has in common with the others, and its gate.
func (d *device) queue(q int) (*queue, *gate.Gate) {
	if q%2 == 0 {
		return &d.rx[q/2].queue, &d.rx[q/2].gate
	}
	return &d.tx[q/2].queue, &d.tx[q/2].gate
}

// closeGates takes the queues from their pollers. It fails if a poller is still inside
// a burst after limit; the gates are closed in any case.
func (d *device) closeGates(limit time.Duration) error {
	d.gateMu.Lock()
	defer d.gateMu.Unlock()
	d.gatesOpen = false
	busy := gate.Close(d.gates(), limit)
	if busy < 0 {
		return nil
	}
	return d.busyError(busy)
}

// busyError is the error of a virtqueue whose poller does not leave its burst.
func (d *device) busyError(q int) error {
	return &Error{Device: d.name, Field: "virtqueue", Value: q,
		Reason: "its poller is in the middle of a burst",
		Remedy: "end the goroutine that polls it before the port is closed, " +
			"and if it only waits for a CPU, give it one of its own"}
}

// gates returns the gates of all queues, in the order of their virtqueues.
func (d *device) gates() []*gate.Gate {
	var gates []*gate.Gate
	for i := range d.rx {
		gates = append(gates, &d.rx[i].gate, &d.tx[i].gate)
	}
	return gates
}
