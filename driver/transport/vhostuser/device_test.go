package vhostuser_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const virtioPacked = virtio.RingPacked

func features(t *testing.T, d *vhostuser.Device) virtio.Features {
	t.Helper()
	f, err := d.DeviceFeatures()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Features that vhost-user cannot carry are not offered; those of the front end are.
func TestFeatures(t *testing.T) {
	b := newBackend(t)
	b.features = ^uint64(0)
	b.listen()
	f := features(t, open(t, b, vhostuser.Options{}))
	for _, bad := range []virtio.Feature{26, 30, virtio.AccessPlatform, virtio.NotificationData,
		virtio.NotifConfigData, virtio.RingReset,
		virtio.NetCtrlRx, virtio.NetCtrlVLAN, virtio.NetRSS, virtio.NetMAC, virtio.NetMTU,
		virtio.NetSpeedDuplex, virtio.NetAnnounce} {
		if f.Has(bad) {
			t.Errorf("%v is offered", bad)
		}
	}
	for _, good := range []virtio.Feature{virtio.Version1, virtio.RingPacked, virtio.InOrder,
		virtio.NetMrgRxbuf,
		virtio.NetStatus, virtio.NetMQ, virtio.NetCtrlVQ, virtio.RingEventIdx} {
		if !f.Has(good) {
			t.Errorf("%v is not offered", good)
		}
	}
	if f[1] != 0 {
		t.Errorf("features beyond 63: %v", f)
	}
}

// The back end is sent its own features only, and always bit 30.
func TestLocalFeaturesAreNotSent(t *testing.T) {
	b := newBackend(t)
	b.features |= 1<<17 | 1<<16 | 1<<5 | 1<<3
	b.listen()
	d := open(t, b, vhostuser.Options{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, MTU: 9000})
	if err := d.SetDriverFeatures(features(t, d).Without(virtio.RingPacked)); err != nil {
		t.Fatal(err)
	}
	log := b.messages()
	if got, want := log[len(log)-1], "SET_FEATURES 0x140400000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestCheckFeatures(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	for _, c := range []struct {
		f  virtio.Features
		ok bool
	}{
		{virtio.FeatureSet(virtio.Version1, virtio.NetMQ), true}, // without a control queue
		{virtio.FeatureSet(virtio.RingPacked), false},
		{virtio.FeatureSet(virtio.Version1, virtio.AccessPlatform), false},
		{virtio.FeatureSet(virtio.Version1, virtio.NetIPsec), false},
	} {
		if err := d.CheckFeatures(c.f); (err == nil) != c.ok || err != nil &&
			!is[*transport.FeatureError](err) {
			t.Errorf("%v: %T %v", c.f, err, err)
		}
	}
}

// One pair only: no MQ, and no queue beyond it.
func TestOnePair(t *testing.T) {
	for name, change := range map[string]func(*backend, *vhostuser.Options){
		"the back end has one": func(b *backend, _ *vhostuser.Options) { b.pairs = 1 },
		"it reports none":      func(b *backend, _ *vhostuser.Options) { b.pairs = 0 },
		"one was asked for":    func(_ *backend, o *vhostuser.Options) { o.Queues = 1 },
		"no MQ in protocol":    func(b *backend, _ *vhostuser.Options) { b.protocols = 0 },
		"no MQ":                func(b *backend, _ *vhostuser.Options) { b.features &^= multiQ },
	} {
		b := newBackend(t)
		var o vhostuser.Options
		change(b, &o)
		b.listen()
		d := open(t, b, o)
		f := features(t, d)
		if f.Has(virtio.NetMQ) || f.Has(virtio.NetCtrlVQ) {
			t.Errorf("%s: %v", name, f)
		}
		if name == "no MQ" {
			continue
		}
		if n, err := d.Queues(); n != 2 || err != nil {
			t.Errorf("%s: %d queues, %v", name, n, err)
		}
		if n, err := d.QueueSize(2); n != 0 || err != nil {
			t.Errorf("%s: queue 2 has size %d, %v", name, n, err)
		}
	}
}

// No more rings than the messages can number.
func TestManyPairs(t *testing.T) {
	b := newBackend(t)
	b.pairs = 1 << 40
	b.listen()
	d := open(t, b, vhostuser.Options{})
	if n, err := d.Queues(); n != 257 || err != nil {
		t.Errorf("%d queues, %v", n, err)
	}
	if n, err := d.QueueSize(256); n != 0 || err != nil {
		t.Errorf("the control queue has size %d, %v", n, err)
	}
}

// Without STATUS the status is what was written.
func TestLocalStatus(t *testing.T) {
	b := newBackend(t)
	b.protocols = 0
	b.listen()
	d := open(t, b, vhostuser.Options{})
	for _, want := range []virtio.Status{1, 3, 11, 15} {
		if err := d.SetStatus(want); err != nil {
			t.Fatal(err)
		}
		if got, err := d.Status(); got != want || err != nil {
			t.Errorf("%v, want %v, %v", got, want, err)
		}
	}
	if err := d.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, err := d.Status(); got != 0 || err != nil {
		t.Errorf("%v after a reset, %v", got, err)
	}
	if err := d.SetStatus(15); err != nil {
		t.Fatal(err)
	}
	b.drop()
	await(t, d, transport.Disconnected)
	await(t, d, transport.Reconnected)
	if got, err := d.Status(); got != 0 || err != nil {
		t.Errorf("%v with a new back end, %v", got, err)
	}
}

// A back end that does not answer any more is noticed, whatever it supports.
func TestSilentBackEnd(t *testing.T) {
	for name, protocols := range map[string]uint64{"nothing": 0, "status": 1 << status,
		"acknowledgements": 1 << replyAck} {
		b := newBackend(t)
		b.protocols = protocols
		var silent atomic.Bool
		b.answer = func(*peer, msg) bool { return silent.Load() }
		b.listen()
		d := open(t, b, vhostuser.Options{Timeout: short})
		newSteps(t, d, 2).run(t)
		if _, err := d.Status(); err != nil {
			t.Fatal(err)
		}
		silent.Store(true)
		if _, err := d.Status(); !isTimeout(err) {
			t.Errorf("with %s: %T %v", name, err, err)
		}
	}
}

// A back end that clears FEATURES_OK.
func TestFeaturesRefused(t *testing.T) {
	b := newBackend(t)
	b.answer = func(p *peer, m msg) bool {
		if m.id == 39 {
			p.status = m.number() &^ 8
			p.acknowledge(m, 0)
		}
		return m.id == 39
	}
	b.listen()
	d := open(t, b, vhostuser.Options{})
	if err := d.SetStatus(11); err != nil {
		t.Fatal(err)
	}
	if s, err := d.Status(); err != nil || s.Has(virtio.StatusFeaturesOK) {
		t.Errorf("%v %v", s, err)
	}
}

// A doorbell wakes the back end, and a broken ring is reported back.
func TestDoorbellAndFault(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 0)
	s.run(t)
	notifier, err := d.SetQueue(1, s.areas(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Status(); err != nil { // the back end has the queue
		t.Fatal(err)
	}
	notifier.Doorbell.Ring(1)
	notifier.Doorbell.Ring(1)
	b.mu.Lock()
	kick, fault := b.peers[0].kicks[1], b.peers[0].errs[1]
	b.mu.Unlock()
	var count [8]byte
	if _, err := unix.Read(kick, count[:]); err != nil ||
		binary.NativeEndian.Uint64(count[:]) != 2 {
		t.Errorf("rung %x times, %v", count, err)
	}
	if n := testing.AllocsPerRun(100, func() { notifier.Doorbell.Ring(1) }); n != 0 {
		t.Errorf("a ring of the doorbell allocates %v times", n)
	}

	if _, err := unix.Write(fault, u64(1)); err != nil {
		t.Fatal(err)
	}
	await(t, d, transport.ConfigChanged)
	if st, err := d.Status(); err != nil || !st.Has(virtio.StatusNeedsReset) {
		t.Errorf("%v %v", st, err)
	}
	if err := d.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	if st, err := d.Status(); err != nil || st != 0 {
		t.Errorf("after the reset: %v %v", st, err)
	}
}

// isQueueError reports whether err is about a virtqueue that cannot be set up.
func isQueueError(err error) bool {
	var e *transport.Error
	return errors.As(err, &e) && strings.HasPrefix(e.Op, "virtqueue ") && e.Field != ""
}

func TestSetQueueChecks(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 1)
	if _, err := d.MapDMA(s.mem); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SetQueue(0, s.areas(0)); !isQueueError(err) {
		t.Errorf("before features were accepted: %T %v", err, err)
	}
	s.run(t)
	good := s.areas(1)
	outside := s.mem.Address() + uint64(len(s.mem.Bytes()))
	for name, c := range map[string]struct {
		q     int
		areas transport.Queue
	}{
		"again":         {0, s.areas(0)},
		"negative":      {-1, good},
		"control queue": {4, good},
		"empty": {1, transport.Queue{Desc: good.Desc, Driver: good.Driver,
			Device: good.Device}},
		"huge": {1, transport.Queue{Size: 65536, Desc: good.Desc, Driver: good.Driver,
			Device: good.Device}},
		"no power of 2": {1, transport.Queue{Size: 100, Desc: good.Desc, Driver: good.Driver,
			Device: good.Device}},
		"misaligned": {1, transport.Queue{Size: 128, Desc: good.Desc + 8, Driver: good.Driver,
			Device: good.Device}},
		"outside": {1, transport.Queue{Size: 128, Desc: outside, Driver: good.Driver,
			Device: good.Device}},
		"over the edge": {1, transport.Queue{Size: 128, Desc: good.Desc, Driver: good.Driver,
			Device: outside - 1024}},
		"wrapped": {1, transport.Queue{Size: 128, Desc: ^uint64(15), Driver: good.Driver,
			Device: good.Device}},
	} {
		if _, err := d.SetQueue(c.q, c.areas); !isQueueError(err) {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
	for _, n := range []int{-1, 0, 1, 2} {
		if err := d.SetQueuePairs(n); !isQueueError(err) {
			t.Errorf("%d pairs: %T %v", n, err, err)
		}
	}
	if _, err := d.SetQueue(1, good); err != nil {
		t.Error(err)
	}
}
