package driver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// eager recovers as often as a test likes and without long pauses.
var eager = Recovery{MaxResets: 1 << 20, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}

// carries sends and receives a few frames, which shows that the port works.
func (r *rig) carries() {
	r.t.Helper()
	r.settle()
	r.wire.transmitted(0) // what is left of before
	sent := frametest.Series(0, 300, 60, 1514, 700)
	r.send(0, sent...)
	r.settle()
	frametest.Equal(r.t, r.wire.transmitted(0), sent)
	r.wire.deliver(0, sent...)
	frametest.Equal(r.t, r.receive(0), sent)
}

// recovered waits for the n-th recovery.
func (r *rig) recovered(n uint64) {
	r.t.Helper()
	await(r.t, fmt.Sprintf("recovery %d is over", n), func() bool { return r.port.Stats().Resets >= n && r.port.Link().Up })
}

// basic/status/4, x/status/needs-reset, fault/23.
func TestRecoveryFromNeedsReset(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Pool = newPool(t, mbuf.Config{Count: 2048})
		r := newRig(t, pcifn.Config{}, c)
		for n := range uint64(3) {
			r.carries()
			r.send(0, frametest.Series(0, 10, 60)...) // some are with the device
			r.fn.ClearLog()
			r.dev.NeedReset()
			r.recovered(n + 1)
			if got, want := statusWrites(r.fn), []virtio.Status{0, 1, 3, 11, 15}; !slices.Equal(got, want) {
				t.Errorf("status was written as %v, want %v", got, want)
			}
		}
		r.carries()
		s := r.port.Stats()
		if s.Resets != 3 || s.TxPackets != 4*300+30 || s.RxPackets != 4*300 {
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

// fault/24: a device that was reset behind the driver's back.
func TestRecoveryFromLostStatus(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	r.carries()
	r.dev.Reset()
	r.recovered(1)
	r.carries()
}

// scribble writes into the area of a virtqueue, as only a device may, unless the device
// is being reset, or the driver has written no more than half of the address yet.
func (r *rig) scribble(q int, area vdev.Area, off int, b ...byte) {
	rings := r.port.device.rings
	address := r.dev.QueueAddress(q, area)
	if at := address - rings.Address(); address != 0 && at < uint64(len(rings.Bytes())) {
		copy(rings.Bytes()[min(int(at)+off, len(rings.Bytes())):], b)
	}
}

// breakRing has the device write something invalid into a fresh virtqueue.
func (r *rig) breakRing(q int) {
	if !r.port.Features().Has(virtio.RingPacked) {
		var idx [2]byte
		binary.LittleEndian.PutUint16(idx[:], 1000)
		r.scribble(q, vdev.DeviceArea, 2, idx[:]...) // used.idx beyond what was made available
		return
	}
	// The first descriptor is used, and has an identifier that is not out.
	r.scribble(q, vdev.DescArea, 12, 0xff, 0x7f, virtio.DescAvail, virtio.DescUsed>>8)
}

// fault/1 to fault/5, from the port's side: a broken queue is found by its
// poller and recovered by the supervisor.
func TestRecoveryFromBrokenQueue(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		for q := range 2 {
			r := newRig(t, pcifn.Config{}, c)
			if q == 1 {
				r.fillTx()
			}
			r.breakRing(q)
			bufs := make([]*mbuf.Buf, 1)
			await(t, "the queue is broken and recovered", func() bool {
				r.port.RxQueue(0).Burst(make([]*mbuf.Buf, 8))
				if r.port.Pool().Get(bufs) == 1 {
					frametest.Fill(t, bufs[0], frametest.Seq(1, 60))
					mbuf.Free(bufs[r.port.TxQueue(0).Burst(bufs):])
				}
				return r.port.Stats().Resets == 1
			})
			r.carries()
		}
	}
}

// fillTx transmits until the ring is full.
func (r *rig) fillTx() {
	bufs := make([]*mbuf.Buf, 1)
	for r.port.Pool().Get(bufs) == 1 {
		frametest.Fill(r.t, bufs[0], frametest.Seq(1, 60))
		if r.port.TxQueue(0).Burst(bufs) == 0 {
			mbuf.Free(bufs)
			return
		}
	}
}

func TestBrokenQueueEndsThePortWithoutRecovery(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{Recovery: Recovery{MaxResets: -1}})
	r.breakRing(0)
	if n := r.port.RxQueue(0).Burst(make([]*mbuf.Buf, 8)); n != 0 {
		t.Errorf("%d packets out of nothing", n)
	}
	err := finished(t, r.port)
	var broken *QueueBrokenError
	var ring *virtq.BrokenError
	if !errors.As(err, &broken) || broken.Queue != 0 || !errors.As(err, &ring) {
		t.Errorf("the port ended with %v", err)
	}
}

// fault/28: the device offers less after its reset.
func TestRecoveryWithFewerFeatures(t *testing.T) {
	const modern, featureSelect, deviceFeature = 4, 0, 4
	r := newRig(t, pcifn.Config{}, Config{})
	var window atomic.Uint32
	r.fn.SetHooks(pcifn.Hooks{
		Write: func(bar int, off uint64, width int, v uint32) (uint32, bool) {
			if bar == modern && off == featureSelect {
				window.Store(v)
			}
			return v, true
		},
		Read: func(bar int, off uint64, width int, v uint32) uint32 {
			if bar != modern || off != deviceFeature {
				return v
			}
			hidden := virtio.FeatureSet(virtio.RingPacked, virtio.RingEventIdx, virtio.NetMrgRxbuf)
			return v &^ hidden.Window(int(window.Load()))
		},
	})
	r.carries()
	r.dev.NeedReset()
	r.recovered(1)
	if f := r.port.Features(); f.Has(virtio.RingPacked) || f.Has(virtio.NetMrgRxbuf) || f != r.dev.Accepted() {
		t.Errorf("features are %v", f)
	}
	r.carries()
}

func TestRecoveryWithFewerPairsFails(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Pairs: 2}), Config{Queues: 2, Recovery: Recovery{MaxResets: 2, MinBackoff: time.Millisecond}})
	r.dev.SetConfig(virtio.NetConfigMaxPairs, 1, 0)
	r.dev.NeedReset()
	var fewer *Error
	err := finished(t, r.port)
	var given *RecoveryError
	if !errors.As(err, &given) || !errors.As(given.Err, &fewer) || fewer.Field != "queue pairs" || fewer.Value != 1 || !strings.Contains(fewer.Reason, "the 2 in use") {
		t.Errorf("the port ended with %v", err)
	}
}

// promise/4: the recovery is given up after MaxResets, and the error has all causes.
func TestRecoveryIsGivenUp(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{Recovery: Recovery{MaxResets: 3, MinBackoff: time.Millisecond}})
	r.dev.SetFaults(vdev.Faults{RefuseFeatures: true})
	r.fn.ClearLog()
	r.dev.NeedReset()
	err := finished(t, r.port)
	var given *RecoveryError
	if !errors.As(err, &given) || given.Resets != 3 || !errors.Is(given.Cause, ErrNeedsReset) || !errors.Is(given.Err, errors.ErrUnsupported) {
		t.Errorf("the port ended with %v", err)
	}
	resets := 0
	for _, s := range statusWrites(r.fn) {
		if s == 0 {
			resets++
		}
	}
	if resets != 3 {
		t.Errorf("the device was reset %d times", resets)
	}
	if r.port.Link().Up || r.port.TxQueue(0).Burst(make([]*mbuf.Buf, 1)) != 0 {
		t.Error("a port that was given up still works")
	}
}

// A device that fails again and again although each recovery works.
func TestRecoveryThatDoesNotLast(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{Recovery: Recovery{MaxResets: 4, MinBackoff: time.Millisecond}})
	for n := range uint64(4) {
		r.dev.NeedReset()
		r.recovered(n + 1)
	}
	r.dev.NeedReset()
	err := finished(t, r.port)
	var given *RecoveryError
	if !errors.As(err, &given) || given.Resets != 4 || given.Err != nil {
		t.Errorf("the port ended with %v", err)
	}
}

// fault/25, in a recovery.
func TestRecoveryWithAResetThatNeverCompletes(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{ResetTimeout: 50 * time.Millisecond})
	r.dev.SetFaults(vdev.Faults{ResetReads: -1})
	r.dev.NeedReset()
	var given *RecoveryError
	var stuck *transport.ResetError
	if err := finished(t, r.port); !errors.As(err, &given) || !errors.As(err, &stuck) {
		t.Errorf("the port ended with %v", err)
	}
	r.dev.SetFaults(vdev.Faults{})
}

// logged is a logger that counts the records with a message.
type logged struct {
	slog.Handler
	message string
	count   *atomic.Int64
}

func (l logged) Handle(_ context.Context, r slog.Record) error {
	if r.Message == l.message {
		l.count.Add(1)
	}
	return nil
}

func (l logged) Enabled(context.Context, slog.Level) bool { return true }
func (l logged) WithAttrs([]slog.Attr) slog.Handler       { return l }

// waitsForPoller returns a logger, and a function that waits until the port has said
// that it waits for a poller, which it does after the time that a burst takes at most.
func waitsForPoller(t *testing.T) (log *slog.Logger, wait func()) {
	l := logged{message: "the recovery waits for a poller", count: new(atomic.Int64)}
	return slog.New(l), func() {
		t.Helper()
		await(t, "the port says what it waits for", func() bool { return l.count.Load() != 0 })
		if n := l.count.Load(); n != 1 {
			t.Errorf("it says so %d times", n)
		}
	}
}

// A poller whose thread gets no CPU in the middle of a burst is waited for, however
// long that takes: the port recovers when it has left.
func TestRecoveryWaitsForAPoller(t *testing.T) {
	t.Run("reset", func(t *testing.T) {
		t.Parallel()
		log, waits := waitsForPoller(t)
		r := newRig(t, pcifn.Config{}, Config{Logger: log})
		r.port.device.tx[0].gate.Enter()
		r.dev.NeedReset()
		waits()
		if r.port.Err() != nil || r.port.Stats().Resets != 0 {
			t.Errorf("Err is %v, %d resets", r.port.Err(), r.port.Stats().Resets)
		}
		r.port.device.tx[0].gate.Leave()
		r.recovered(1)
		r.carries()
	})
	t.Run("reconnection", func(t *testing.T) {
		t.Parallel()
		log, waits := waitsForPoller(t)
		r, p := newReconnecting(t, pcifn.Config{}, Config{Logger: log})
		r.port.device.rx[0].gate.Enter()
		p.disconnect()
		p.reconnect()
		waits()
		p.disconnect() // the next one comes while it still waits
		p.reconnect()
		await(t, "the events are received", func() bool { return len(p.events) == 0 })
		if r.port.Err() != nil || r.port.Stats().Resets != 0 {
			t.Errorf("Err is %v, %d resets", r.port.Err(), r.port.Stats().Resets)
		}
		r.port.device.rx[0].gate.Leave()
		r.recovered(1)
		r.carries()
		if s := r.port.Stats(); s.Disconnects != 2 || s.Refusals != 0 {
			t.Errorf("statistics: %+v", s)
		}
	})
	t.Run("removal", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, pcifn.Config{}, Config{})
		r.port.device.rx[0].gate.Enter()
		r.dev.NeedReset()
		await(t, "the recovery has begun", func() bool { return !r.port.Link().Up })
		r.fn.Unplug()
		if err := finished(t, r.port); !errors.Is(err, transport.ErrRemoved) {
			t.Errorf("the port ended with %v", err)
		}
		r.port.device.rx[0].gate.Leave()
	})
}

// Close ends a recovery that waits for a poller, and keeps what the poller may use.
func TestCloseDuringAWaitForAPoller(t *testing.T) {
	fn := newFunction(t, pcifn.Config{})
	port, err := openPort(fn, Config{})
	if err != nil {
		t.Fatal(err)
	}
	port.device.rx[0].gate.Enter()
	fn.Device().NeedReset()
	await(t, "the recovery has begun", func() bool { return !port.Link().Up })
	var kept *MemoryKeptError
	if err := port.Close(); !errors.As(err, &kept) {
		t.Errorf("Close returns %v", err)
	}
	port.device.rx[0].gate.Leave()
	if err := port.device.release(); err != nil {
		t.Error(err)
	}
}

// Close does not wait without a bound for a goroutine that died inside a burst: it
// resets the device and keeps all that the goroutine may still use.
func TestCloseWithAPollerThatNeverLeaves(t *testing.T) {
	fn := newFunction(t, pcifn.Config{})
	port, err := openPort(fn, Config{})
	if err != nil {
		t.Fatal(err)
	}
	port.device.rx[0].gate.Enter()
	var kept *MemoryKeptError
	var busy *Error
	if err := port.Close(); !errors.As(err, &kept) || !errors.As(err, &busy) || busy.Field != "virtqueue" || busy.Value != 0 {
		t.Errorf("Close returns %v", err)
	}
	if port.device.rx[0].ring == nil || port.device.rings.Bytes() == nil || (*mbuf.DriverPool)(port.device.pool).Memory().Bytes() == nil {
		t.Error("what the poller may still use was taken away")
	}
	if s := fn.Device().Status(); s != 0 {
		t.Errorf("the device was not reset: status %v", s)
	}
	port.device.rx[0].gate.Leave()
	if err := port.device.release(); err != nil {
		t.Error(err)
	}
}

// A removal ends the recovery, however long its back-off is.
func TestUnplugDuringRecovery(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{Recovery: Recovery{MinBackoff: time.Hour, MaxBackoff: time.Hour}})
	r.dev.NeedReset()
	await(t, "the recovery has begun", func() bool { return !r.port.Link().Up })
	r.fn.Unplug()
	if err := finished(t, r.port); !errors.Is(err, transport.ErrRemoved) {
		t.Errorf("the port ended with %v", err)
	}
}

func TestCloseDuringRecovery(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{Recovery: Recovery{MinBackoff: time.Hour, MaxBackoff: time.Hour}})
	r.dev.NeedReset()
	await(t, "the recovery has begun", func() bool { return !r.port.Link().Up })
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
}

// Recovery under traffic: pollers that go on polling, a device at work in its
// own goroutine, one cache for both queues. Frames may be lost, but each comes
// at most once and in order, and no buffer is lost.
func TestRecoveryUnderTraffic(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked)} {
		t.Run(name, func(t *testing.T) {
			c.Pool = newPool(t, mbuf.Config{Count: 2048})
			c.Recovery = eager
			r := newRig(t, functionWith(vdev.Config{Backend: wire.Loop()}), c)
			r.dev.Start()
			var stop atomic.Bool
			done := make(chan error)
			go func() { done <- pollUntil(r.port, &stop) }()
			for n := range uint64(20) {
				seen := r.port.Stats().RxPackets
				await(t, "frames flow", func() bool { return r.port.Stats().RxPackets > seen })
				r.dev.NeedReset()
				r.recovered(n + 1)
			}
			stop.Store(true)
			if err := <-done; err != nil {
				t.Error(err)
			}
			r.dev.Stop()
			if err := r.port.Close(); err != nil {
				t.Error(err)
			}
			if c.Pool.Free() != c.Pool.Size() || c.Pool.DoubleFrees() != 0 {
				t.Errorf("%d of %d buffers are back, %d twice", c.Pool.Free(), c.Pool.Size(), c.Pool.DoubleFrees())
			}
		})
	}
}

// pollUntil sends numbered frames into a loop and checks what comes back.
func pollUntil(p *Port, stop *atomic.Bool) error {
	rx, tx := p.RxQueue(0), p.TxQueue(0)
	cache := p.Pool().NewCache(64)
	defer func() { cache.Close() }()
	if err := errors.Join(rx.SetCache(cache), tx.SetCache(cache)); err != nil {
		return err
	}
	defer func() { _ = errors.Join(rx.SetCache(nil), tx.SetCache(nil)) }()
	bufs := make([]*mbuf.Buf, 32)
	next, last := 1, 0
	for !stop.Load() {
		n := cache.Get(bufs)
		for i, b := range bufs[:n] {
			copy(b.Append(60), frametest.Seq(next+i, 60))
		}
		sent := tx.Burst(bufs[:n])
		cache.Put(bufs[sent:n])
		next += sent
		got := rx.Burst(bufs)
		for _, b := range bufs[:got] {
			number := frametest.Number(b.Data())
			if number <= last || number >= next || !slices.Equal(b.Data(), frametest.Seq(number, 60)) {
				return fmt.Errorf("frame %d came after %d", number, last)
			}
			last = number
		}
		cache.Put(bufs[:got])
		if sent+got == 0 {
			runtime.Gosched()
		}
	}
	return nil
}

// SetCache is called by the goroutine that polls while the supervisor ends and makes
// rings: a test for the race detector.
func TestSetCacheDuringRecovery(t *testing.T) {
	for name, c := range map[string]Config{"packed": {}, "split": refuse(virtio.RingPacked)} {
		t.Run(name, func(t *testing.T) {
			c.Pool = newPool(t, mbuf.Config{Count: 2048})
			c.Recovery = eager
			r := newRig(t, pcifn.Config{}, c)
			r.dev.Start()
			var stop atomic.Bool
			done := make(chan error)
			go func() {
				var err error
				for err == nil && !stop.Load() {
					var once atomic.Bool
					once.Store(true) // pollUntil sets its cache, does nothing, and takes it back
					err = pollUntil(r.port, &once)
				}
				done <- err
			}()
			for n := range uint64(20) {
				r.dev.NeedReset()
				r.recovered(n + 1)
			}
			stop.Store(true)
			if err := <-done; err != nil {
				t.Error(err)
			}
			r.dev.Stop()
			r.carries()
		})
	}
}

func TestBackoffBetweenResets(t *testing.T) {
	r := Recovery{MaxResets: 4, Window: time.Minute, MinBackoff: 10 * time.Millisecond, MaxBackoff: 30 * time.Millisecond}
	var a attempts
	now := time.Now()
	for _, want := range []time.Duration{10, 20, 30, 30} {
		if got, ok := a.next(r, now); !ok || got != want*time.Millisecond {
			t.Errorf("pause is %v (%v), want %v ms", got, ok, want)
		}
	}
	if _, ok := a.next(r, now.Add(time.Minute)); ok {
		t.Error("a fifth reset within the window")
	}
	if got, ok := a.next(r, now.Add(time.Minute+time.Second)); !ok || got != r.MinBackoff {
		t.Errorf("after the window: %v, %v", got, ok)
	}
}
