package driver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

var errHangUp = errors.New("hang-up")

// reconnecting is a transport whose back end can disconnect and reconnect: an
// emulated function that is out of reach meanwhile. It has no control queue.
type reconnecting struct {
	*vpci.Device
	events       chan transport.Event
	disconnected atomic.Bool
	// disconnectAt counts down the writes of the device status at the last of which
	// the back end disconnects, and cuts how often it did.
	disconnectAt, cuts atomic.Int64

	mu       sync.Mutex
	hidden   virtio.Features   // not offered
	pairs    []int             // the arguments of SetQueuePairs
	features []virtio.Features // of SetDriverFeatures
	dropped  []error           // of Disconnect
	cause    error             // why the back end has disconnected, nil for errHangUp
}

func (p *reconnecting) check() error {
	if p.disconnected.Load() {
		return p.gone()
	}
	return nil
}

// gone is the error of a call without a back end.
func (p *reconnecting) gone() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause := p.cause
	if cause == nil {
		cause = errHangUp
	}
	return &transport.Error{Device: p.Name(), Err: fmt.Errorf("%w: %w", transport.ErrDisconnected, cause)}
}

func (p *reconnecting) Events() <-chan transport.Event { return p.events }

func (p *reconnecting) Status() (virtio.Status, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	return p.Device.Status()
}

func (p *reconnecting) SetStatus(s virtio.Status) error {
	if p.disconnectAt.Add(-1) == 0 {
		p.disconnect()
		p.cuts.Add(1) // a test may have the next back end connect from now on
		return p.gone()
	}
	if err := p.check(); err != nil {
		return err
	}
	return p.Device.SetStatus(s)
}

// Reset works in any case: without a back end there is nothing to reset.
func (p *reconnecting) Reset(ctx context.Context) error { return p.Device.Reset(ctx) }

func (p *reconnecting) DeviceFeatures() (virtio.Features, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := p.Device.DeviceFeatures()
	return f.Minus(p.hidden), err
}

func (p *reconnecting) SetDriverFeatures(f virtio.Features) error {
	p.mu.Lock()
	p.features = append(p.features, f)
	p.mu.Unlock()
	if f.Has(virtio.NetMQ) {
		f = f.With(virtio.NetCtrlVQ) // the device behind it has a control queue
	}
	return p.Device.SetDriverFeatures(f)
}

func (p *reconnecting) SetQueuePairs(n int) error {
	p.mu.Lock()
	p.pairs = append(p.pairs, n)
	p.mu.Unlock()
	return p.check()
}

// disconnect has the back end disconnect.
func (p *reconnecting) disconnect() {
	p.disconnected.Store(true)
	p.events <- transport.Disconnected
}

// reconnect has the back end reconnect.
func (p *reconnecting) reconnect() {
	p.disconnected.Store(false)
	p.events <- transport.Reconnected
}

// Disconnect is called by the port.
func (p *reconnecting) Disconnect(cause error) {
	p.disconnect()
	p.mu.Lock()
	p.dropped = append(p.dropped, cause)
	p.mu.Unlock()
}

// cutAt has the back end disconnect at the n-th write of the device status from now on. done
// returns when it has.
func (p *reconnecting) cutAt(t *testing.T, n int64) (done func()) {
	before := p.cuts.Load()
	p.disconnectAt.Store(n)
	return func() {
		t.Helper()
		await(t, "it has disconnected again", func() bool { return p.cuts.Load() > before })
	}
}

// hide has the back end not offer some features from now on.
func (p *reconnecting) hide(f virtio.Features) {
	p.mu.Lock()
	p.hidden = f
	p.mu.Unlock()
}

// newReconnecting opens a port on such a transport.
func newReconnecting(t *testing.T, fc pcifn.Config, c Config) (*rig, *reconnecting) {
	t.Helper()
	r := &rig{t: t, wire: newWire()}
	if fc.Device.Backend == nil {
		fc.Device.Backend = r.wire
	}
	fc.Device.Hold = true
	r.fn = newFunction(t, fc)
	r.dev = r.fn.Device()
	dev, err := vpci.Open(r.fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := &reconnecting{Device: dev, events: make(chan transport.Event, 8)}
	c.Memory = smallPages
	if r.port, err = Open(p, c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, p
}

// linkDown waits until the port has seen that the back end has disconnected.
func (r *rig) linkDown() {
	r.t.Helper()
	await(r.t, "the link is down", func() bool { return !r.port.Link().Up })
}

// fault/49: bursts return 0 while there is no back end, and go on with the next one,
// however often it disconnects.
func TestBackEndReconnects(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Pool = newPool(t, mbuf.Config{Count: 2048})
		r, p := newReconnecting(t, pcifn.Config{}, c)
		for n := range uint64(10) { // more than Recovery would allow
			r.carries()
			r.send(0, frametest.Series(0, 10, 60)...) // some are with the device
			p.disconnect()
			r.linkDown()
			if got := r.port.RxQueue(0).Burst(make([]*mbuf.Buf, 8)); got != 0 {
				t.Fatalf("%d packets from nowhere", got)
			}
			p.reconnect()
			r.recovered(n + 1)
		}
		r.carries()
		if s := r.port.Stats(); s.Disconnects != 10 || s.Resets != 10 {
			t.Errorf("statistics: %+v", s)
		}
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
		if c.Pool.Free() != c.Pool.Size() || c.Pool.DoubleFrees() != 0 {
			t.Errorf("%d of %d buffers are back, %d twice", c.Pool.Free(), c.Pool.Size(), c.Pool.DoubleFrees())
		}
	}
}

// The back end disconnects again while the port is being set up, at each write of
// the status, and while another recovery is under way.
func TestBackEndDisconnectsDuringSetUp(t *testing.T) {
	for at := int64(1); at <= 4; at++ {
		r, p := newReconnecting(t, pcifn.Config{}, Config{})
		p.disconnect()
		r.linkDown()
		cut := p.cutAt(t, at)
		p.reconnect()
		cut()
		p.reconnect()
		r.recovered(1)
		r.carries()

		cut = p.cutAt(t, at)
		r.dev.NeedReset()
		p.events <- transport.ConfigChanged
		cut()
		r.linkDown()
		p.reconnect()
		r.recovered(2)
		r.carries()
		if s := r.port.Stats(); s.Disconnects != 3 {
			t.Errorf("leaving at %d: %+v", at, s)
		}
	}
}

// awaitDropped waits until the port has ended the connection n times.
func (p *reconnecting) awaitDropped(t *testing.T, n int) {
	t.Helper()
	await(t, "the port ends the connection", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.dropped) >= n
	})
}

// A back end that connects before it is ready is left alone until it connects again,
// as often as Config.Recovery allows in a row: a set-up that works begins a new count.
func TestBackEndReconnectsUnready(t *testing.T) {
	recovery := eager
	recovery.MaxResets = 4
	r, p := newReconnecting(t, pcifn.Config{}, Config{Recovery: recovery})
	for round := range 2 {
		p.disconnect()
		r.linkDown()
		p.hide(virtio.FeatureSet(virtio.Version1))
		for n := range 3 {
			p.reconnect()
			p.awaitDropped(t, 3*round+n+1)
		}
		p.hide(virtio.Features{})
		p.reconnect()
		r.recovered(uint64(round + 1))
		r.carries()
	}
	if s := r.port.Stats(); s.Resets != 2 || s.Disconnects != 8 || s.Refusals != 6 ||
		!errors.Is(p.dropped[4], errors.ErrUnsupported) {
		t.Errorf("statistics: %+v, %v", s, p.dropped)
	}
}

// A back end that refuses each set-up, or ends the connection in each, ends the port,
// and Err says what it refused. One that does not answer in time has refused nothing.
func TestBackEndRefusesForEver(t *testing.T) {
	recovery := eager
	recovery.MaxResets = 3
	t.Run("refuses", func(t *testing.T) {
		r, p := newReconnecting(t, pcifn.Config{}, Config{Recovery: recovery})
		p.disconnect()
		r.linkDown()
		p.hide(virtio.FeatureSet(virtio.Version1))
		for n := range 3 {
			p.reconnect()
			if n < 2 {
				p.awaitDropped(t, n+1)
			}
		}
		r.refused(3, errors.ErrUnsupported)
	})
	t.Run("hangs up", func(t *testing.T) {
		r, p := newReconnecting(t, pcifn.Config{}, Config{Recovery: recovery})
		p.disconnect()
		r.linkDown()
		for range 3 {
			p.hangUpInSetUp(t)
		}
		r.refused(3, errHangUp)
	})
	t.Run("does not answer", func(t *testing.T) {
		r, p := newReconnecting(t, pcifn.Config{}, Config{Recovery: recovery})
		p.disconnect()
		r.linkDown()
		p.mu.Lock()
		p.cause = os.ErrDeadlineExceeded
		p.mu.Unlock()
		for range 6 {
			p.hangUpInSetUp(t)
		}
		p.reconnect()
		r.recovered(1)
		r.carries()
		if s := r.port.Stats(); s.Refusals != 0 {
			t.Errorf("statistics: %+v", s)
		}
	})
}

// hangUpInSetUp has a back end connect that disconnects during the set-up.
func (p *reconnecting) hangUpInSetUp(t *testing.T) {
	t.Helper()
	cut := p.cutAt(t, 2)
	p.reconnect()
	cut()
}

// refused checks that the port has failed after n refusals.
func (r *rig) refused(n int, why error) {
	r.t.Helper()
	err := finished(r.t, r.port)
	var given *RecoveryError
	if !errors.As(err, &given) || given.Resets != n || !errors.Is(given.Err, why) ||
		!errors.Is(given.Cause, errHangUp) {
		r.t.Errorf("the port ended with %v", err)
	}
	if s := r.port.Stats(); s.Refusals != uint64(n) || s.Resets != 0 {
		r.t.Errorf("statistics: %+v", s)
	}
}

// The status of a next back end, which can be read before that is set up, does not
// bring the link up: the gates are closed.
func TestStatusIsNotReadBeforeReconnect(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{}, Config{})
	p.disconnect()
	r.linkDown()
	p.disconnected.Store(false) // and its status is still that of the old one
	p.events <- transport.ConfigChanged
	await(t, "the event is received", func() bool { return len(p.events) == 0 })
	time.Sleep(50 * time.Millisecond)
	if r.port.Link().Up {
		t.Error("the link is up")
	}
	p.reconnect()
	r.recovered(1)
	r.carries()
}

// The status of the next back end, which is 0, is read before the event that the last
// one disconnected is received: that is no lost status.
func TestBackEndIsSeenBeforeItIsAnnounced(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{}, Config{})
	r.port.device.mu.Lock()
	p.events <- transport.ConfigChanged
	await(t, "the supervisor reads the status", func() bool { return len(p.events) == 0 })
	r.dev.Reset()
	p.disconnect()
	p.reconnect()
	r.port.device.mu.Unlock()
	await(t, "all events are received", func() bool { return len(p.events) == 0 })
	r.recovered(1)
	r.carries()
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	if s := r.port.Stats(); s.Resets != 1 || s.Disconnects != 1 || len(r.port.supervisor.attempts.at) != 0 {
		t.Errorf("statistics: %+v, %d attempts", s, len(r.port.supervisor.attempts.at))
	}
}

// Without recovery the port ends.
func TestDisconnectWithoutRecovery(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{}, Config{Recovery: Recovery{MaxResets: -1}})
	p.disconnect()
	if err := finished(t, r.port); !errors.Is(err, transport.ErrDisconnected) || !errors.Is(err, errHangUp) {
		t.Errorf("%T %v", err, err)
	}
}

// A port without a back end closes at once.
func TestCloseWithoutBackEnd(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{}, Config{})
	p.disconnect()
	r.linkDown()
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
}

// fault/50: a back end may offer fewer features than the first, and of one that
// offers all of them again all are accepted. What the first did not offer is not
// accepted.
func TestBackEndReconnectsWithFewerFeatures(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{}, Config{Refuse: virtio.FeatureSet(virtio.InOrder)})
	first := r.port.Features()
	less := virtio.FeatureSet(virtio.RingPacked, virtio.NetMrgRxbuf)
	for i, hidden := range []virtio.Features{less, {}} {
		p.disconnect()
		r.linkDown()
		p.hide(hidden)
		p.reconnect()
		r.recovered(uint64(i + 1))
		if got, want := r.port.Features(), first.Minus(hidden); got != want {
			t.Errorf("features %v, want %v", got, want)
		}
		r.carries()
	}
}

// A back end that offers more features than the first one.
func TestBackEndReconnectsWithMoreFeatures(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{}, Config{})
	before := r.port.device.current.Load()
	poorer := *before
	poorer.allowed = before.allowed.Without(virtio.RingPacked)
	r.port.device.current.Store(&poorer)
	p.disconnect()
	r.linkDown()
	p.reconnect()
	r.recovered(1)
	if r.port.Features().Has(virtio.RingPacked) {
		t.Errorf("features %v", r.port.Features())
	}
	r.carries()
}

// Where the transport enables the queue pairs, no control queue is set up, and MQ is
// accepted nevertheless.
func TestPairsOfTheTransport(t *testing.T) {
	r, p := newReconnecting(t, pcifn.Config{Device: vdev.Config{Pairs: 4}}, Config{Queues: 3})
	p.disconnect()
	r.linkDown()
	p.reconnect()
	r.recovered(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if want := []int{3, 3}; !slices.Equal(p.pairs, want) {
		t.Errorf("pairs were set to %v, want %v", p.pairs, want)
	}
	if len(p.features) != 2 || !p.features[0].Has(virtio.NetMQ) || p.features[0].Has(virtio.NetCtrlVQ) || p.features[1] != p.features[0] {
		t.Errorf("features were set to %v", p.features)
	}
	if r.port.Queues() != 3 || r.port.device.ctrl != nil {
		t.Errorf("%d pairs, control queue %v", r.port.Queues(), r.port.device.ctrl)
	}
}
