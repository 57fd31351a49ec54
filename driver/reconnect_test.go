package driver

import (
	"context"
	"errors"
	"fmt"
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

// parting is a transport whose back end can go and come back: an emulated
// function that is out of reach meanwhile. It has no control queue.
type parting struct {
	*vpci.Device
	events chan transport.Event
	away   atomic.Bool
	// leave has it go away by itself when the device status is written for the
	// n-th time from here on.
	leave atomic.Int64

	mu       sync.Mutex
	hidden   virtio.Features   // not offered
	pairs    []int             // what SetQueuePairs was told
	features []virtio.Features // what SetDriverFeatures was told
	dropped  []error           // what Disconnect was told
}

func (p *parting) check() error {
	if p.away.Load() {
		return &transport.Error{Device: p.Name(), Err: fmt.Errorf("%w: %w", transport.ErrDisconnected, errHangUp)}
	}
	return nil
}

func (p *parting) Events() <-chan transport.Event { return p.events }

func (p *parting) Status() (virtio.Status, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	return p.Device.Status()
}

func (p *parting) SetStatus(s virtio.Status) error {
	if p.leave.Add(-1) == 0 {
		p.part()
	}
	if err := p.check(); err != nil {
		return err
	}
	return p.Device.SetStatus(s)
}

// Reset works in any case: without a back end there is nothing to reset.
func (p *parting) Reset(ctx context.Context) error { return p.Device.Reset(ctx) }

func (p *parting) DeviceFeatures() (virtio.Features, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, err := p.Device.DeviceFeatures()
	return f.Minus(p.hidden), err
}

func (p *parting) SetDriverFeatures(f virtio.Features) error {
	p.mu.Lock()
	p.features = append(p.features, f)
	p.mu.Unlock()
	if f.Has(virtio.NetMQ) {
		f = f.With(virtio.NetCtrlVQ) // the device behind it wants it so
	}
	return p.Device.SetDriverFeatures(f)
}

func (p *parting) SetQueuePairs(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pairs = append(p.pairs, n)
	return p.check()
}

// part has the back end go.
func (p *parting) part() {
	p.away.Store(true)
	p.events <- transport.Disconnected
}

// join has it come back.
func (p *parting) join() {
	p.away.Store(false)
	p.events <- transport.Reconnected
}

// Disconnect has it go because the port wants it so.
func (p *parting) Disconnect(cause error) {
	p.mu.Lock()
	p.dropped = append(p.dropped, cause)
	p.mu.Unlock()
	p.part()
}

// hide has the back end not offer some features from now on.
func (p *parting) hide(f virtio.Features) {
	p.mu.Lock()
	p.hidden = f
	p.mu.Unlock()
}

// newParting opens a port on such a transport.
func newParting(t *testing.T, fc pcifn.Config, c Config) (*rig, *parting) {
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
	p := &parting{Device: dev, events: make(chan transport.Event, 8)}
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

// linkDown waits until the port has noticed that the back end has gone.
func (r *rig) linkDown() {
	r.t.Helper()
	await(r.t, "the link is down", func() bool { return !r.port.Link().Up })
}

// fault/49: bursts do nothing while there is no back end, and go on
// with the next one. It may go as often as it likes.
func TestBackEndGoesAndComesBack(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Pool = newPool(t, mbuf.Config{Count: 2048})
		r, p := newParting(t, pcifn.Config{}, c)
		for n := range uint64(10) { // more than Recovery would allow
			r.carries()
			r.send(0, frametest.Series(0, 10, 60)...) // some are with the device
			p.part()
			r.linkDown()
			if got := r.port.RxQueue(0).Burst(make([]*mbuf.Buf, 8)); got != 0 {
				t.Fatalf("%d packets from nowhere", got)
			}
			p.join()
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

// It goes again while the port is being set up, at each write of the status, and
// while another recovery is under way.
func TestBackEndGoesDuringSetUp(t *testing.T) {
	for at := int64(1); at <= 4; at++ {
		r, p := newParting(t, pcifn.Config{}, Config{})
		p.part()
		r.linkDown()
		p.leave.Store(at)
		p.join()
		await(t, "it has gone again", func() bool { return p.leave.Load() <= 0 })
		p.join()
		r.recovered(1)
		r.carries()

		p.leave.Store(at)
		r.dev.NeedReset()
		p.events <- transport.ConfigChanged
		await(t, "it has gone again", func() bool { return p.leave.Load() <= 0 })
		r.linkDown()
		p.join()
		r.recovered(2)
		r.carries()
		if s := r.port.Stats(); s.Disconnects != 3 {
			t.Errorf("leaving at %d: %+v", at, s)
		}
	}
}

// A back end that comes before it is ready is left alone until it comes again,
// more often than Config.Recovery would allow.
func TestBackEndComesUnfinished(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{Recovery: Recovery{MaxResets: 2}})
	p.part()
	r.linkDown()
	p.hide(virtio.FeatureSet(virtio.Version1))
	for n := range 5 {
		p.join()
		await(t, "it is sent away", func() bool {
			p.mu.Lock()
			defer p.mu.Unlock()
			return len(p.dropped) > n
		})
	}
	p.hide(virtio.Features{})
	p.join()
	r.recovered(1)
	r.carries()
	if s := r.port.Stats(); s.Resets != 1 || s.Disconnects != 6 || !errors.Is(p.dropped[4], errors.ErrUnsupported) {
		t.Errorf("statistics: %+v, %v", s, p.dropped)
	}
}

// A next back end that can be seen before it was set up does not make the link
// come up: the gates are closed.
func TestNoLookAtABackEndBeforeItWasSetUp(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{})
	p.part()
	r.linkDown()
	p.away.Store(false) // and its status is still that of the old one
	p.events <- transport.ConfigChanged
	await(t, "the event is heard", func() bool { return len(p.events) == 0 })
	time.Sleep(50 * time.Millisecond)
	if r.port.Link().Up {
		t.Error("the link is up")
	}
	p.join()
	r.recovered(1)
	r.carries()
}

// The next back end is seen, with a status of 0, before anybody heard that the
// last one went: that is no lost status.
func TestBackEndIsSeenBeforeItIsAnnounced(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{})
	r.port.device.mu.Lock()
	p.events <- transport.ConfigChanged
	await(t, "somebody looks", func() bool { return len(p.events) == 0 })
	r.dev.Reset()
	p.part()
	p.join()
	r.port.device.mu.Unlock()
	await(t, "all is heard", func() bool { return len(p.events) == 0 })
	r.recovered(1)
	r.carries()
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	if s := r.port.Stats(); s.Resets != 1 || s.Disconnects != 1 || len(r.port.supervisor.attempts.at) != 0 {
		t.Errorf("statistics: %+v, %d attempts", s, len(r.port.supervisor.attempts.at))
	}
}

// Without Recovery it is the end.
func TestBackEndGoesWithoutRecovery(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{Recovery: Recovery{MaxResets: -1}})
	p.part()
	if err := finished(t, r.port); !errors.Is(err, transport.ErrDisconnected) || !errors.Is(err, errHangUp) {
		t.Errorf("%T %v", err, err)
	}
}

// A port without a back end closes at once.
func TestCloseWithoutBackEnd(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{})
	p.part()
	r.linkDown()
	began := time.Now()
	if err := r.port.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// fault/50: a back end that offers less is put up with, and one that
// offers all of it again is made use of. What was not there in the beginning is
// not taken.
func TestBackEndComesBackDifferent(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{Refuse: virtio.FeatureSet(virtio.InOrder)})
	first := r.port.Features()
	less := virtio.FeatureSet(virtio.RingPacked, virtio.NetMrgRxbuf)
	for i, hidden := range []virtio.Features{less, {}} {
		p.part()
		r.linkDown()
		p.hide(hidden)
		p.join()
		r.recovered(uint64(i + 1))
		if got, want := r.port.Features(), first.Minus(hidden); got != want {
			t.Errorf("features %v, want %v", got, want)
		}
		r.carries()
	}
}

// A back end with more to offer than the first one had.
func TestBackEndComesBackWithMore(t *testing.T) {
	r, p := newParting(t, pcifn.Config{}, Config{})
	before := r.port.device.current.Load()
	poorer := *before
	poorer.allowed = before.allowed.Without(virtio.RingPacked)
	r.port.device.current.Store(&poorer)
	p.part()
	r.linkDown()
	p.join()
	r.recovered(1)
	if r.port.Features().Has(virtio.RingPacked) {
		t.Errorf("features %v", r.port.Features())
	}
	r.carries()
}

// Queue pairs that the transport enables: no control queue is set up, and MQ is
// accepted all the same.
func TestPairsOfTheTransport(t *testing.T) {
	r, p := newParting(t, pcifn.Config{Device: vdev.Config{Pairs: 4}}, Config{Queues: 3})
	p.part()
	r.linkDown()
	p.join()
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
