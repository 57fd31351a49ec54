package vpci_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// cfg_type of the virtio capabilities (4.1.4), and where their fields are.
const (
	capCommon = 1
	capNotify = 2
	capISR    = 3
	capDevice = 4

	fieldLen    = 2
	fieldType   = 3
	fieldBAR    = 4
	fieldOffset = 8
	fieldLength = 12
	fieldMult   = 16
)

// Where the emulated function has its structures.
const (
	modernBAR = 4
	commonOff = 0x0000
	isrOff    = 0x1000
	notifyOff = 0x3000
)

// features is what the tests accept unless they are about something else.
var features = virtio.FeatureSet(virtio.Version1, virtio.AccessPlatform, virtio.NetStatus,
	virtio.NetMAC)

// testTimeout is how long a test waits for something before it fails.
const testTimeout = time.Minute

// function makes an emulated function that keeps a log.
func function(t *testing.T, cfg pcifn.Config) *pcifn.Function {
	t.Helper()
	cfg.Log = true
	fn, err := pcifn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fn.Close() })
	return fn
}

// open opens fn, which must work, and at the end of the test fails it if the
// device saw the driver break a rule.
func open(t *testing.T, fn pci.Function) *vpci.Device {
	t.Helper()
	d, err := vpci.Open(fn, vpci.Options{PollInterval: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if emulated, ok := fn.(*pcifn.Function); ok {
			for _, v := range emulated.Device().Violations() {
				t.Errorf("the device reports a violation: %v", v)
			}
		}
	})
	return d
}

// emulate is function and open.
func emulate(t *testing.T, cfg pcifn.Config) (*pcifn.Function, *vpci.Device) {
	t.Helper()
	fn := function(t, cfg)
	return fn, open(t, fn)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// as fails unless err is, or wraps, an E, which it returns.
func as[E error](t *testing.T, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("the error is %T (%v), not %T", err, err, e)
	}
	return e
}

func reset(t *testing.T, d *vpci.Device) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	must(t, d.Reset(ctx))
}

// negotiate brings d to FEATURES_OK with what it offers of want.
func negotiate(t *testing.T, d *vpci.Device, want virtio.Features) virtio.Features {
	t.Helper()
	reset(t, d)
	must(t, d.SetStatus(virtio.StatusAcknowledge))
	must(t, d.SetStatus(virtio.StatusAcknowledge|virtio.StatusDriver))
	offered, err := d.DeviceFeatures()
	must(t, err)
	accepted := offered.And(want)
	must(t, d.CheckFeatures(accepted))
	must(t, d.SetDriverFeatures(accepted))
	ok := virtio.StatusAcknowledge | virtio.StatusDriver | virtio.StatusFeaturesOK
	must(t, d.SetStatus(ok))
	if s, err := d.Status(); err != nil || s != ok {
		t.Fatalf("status %v, %v after FEATURES_OK", s, err)
	}
	return accepted
}

// page is the size of the memory of each area.
const page = 4096

// memory maps n pages for d and releases them when d is closed.
func memory(t *testing.T, d *vpci.Device, n int) uint64 {
	t.Helper()
	mem := allocate(t, n)
	pages, err := d.MapDMA(mem)
	must(t, err)
	return pages[0]
}

func allocate(t *testing.T, n int) *hugepages.Memory {
	t.Helper()
	mem, err := hugepages.Allocate(hugepages.Options{Bytes: n * page, PageSize: page})
	must(t, err)
	t.Cleanup(func() { must(t, mem.Release()) })
	return mem
}

// areas returns a queue in three pages from address on.
func areas(address uint64, size int, f virtio.Features) transport.Queue {
	return transport.Queue{Size: size, Desc: address, Driver: address + page,
		Device:           address + 2*page,
		NotificationData: f.Has(virtio.NotificationData),
		NotifConfigData:  f.Has(virtio.NotifConfigData)}
}

// bringUp takes d through all of the initialisation to DRIVER_OK.
func bringUp(t *testing.T, d *vpci.Device, want virtio.Features) []transport.Notifier {
	t.Helper()
	accepted := negotiate(t, d, want)
	n, err := d.Queues()
	must(t, err)
	at := memory(t, d, 3*n)
	notifiers := make([]transport.Notifier, n)
	for q := range n {
		notifiers[q], err = d.SetQueue(q, areas(at+uint64(q)*3*page, 64, accepted))
		must(t, err)
	}
	must(t, d.SetStatus(virtio.StatusAcknowledge|virtio.StatusDriver|virtio.StatusFeaturesOK|virtio.StatusDriverOK))
	// Tests that leave the device running would make it report violations at Close.
	t.Cleanup(func() { _ = d.Reset(t.Context()) })
	return notifiers
}

// next waits for an event.
func next(t *testing.T, d *vpci.Device) transport.Event {
	t.Helper()
	select {
	case e, ok := <-d.Events():
		if !ok {
			t.Fatal("the channel of events is closed")
		}
		return e
	case <-time.After(testTimeout):
		t.Fatal("no event")
	}
	return -1
}

// log returns the accesses to registers, those of configuration space left out.
func log(fn *pcifn.Function) []pcifn.Access {
	return slices.DeleteFunc(fn.Log(),
		func(a pcifn.Access) bool { return a.BAR == pcifn.ConfigSpace })
}

// count returns how many accesses to a register there were.
func count(fn *pcifn.Function, register string, write bool) int {
	n := 0
	for _, a := range log(fn) {
		if a.Register == register && a.Write == write {
			n++
		}
	}
	return n
}

// writes returns the values written to a register.
func writes(fn *pcifn.Function, register string) []uint32 {
	var values []uint32
	for _, a := range log(fn) {
		if a.Register == register && a.Write {
			values = append(values, a.Value)
		}
	}
	return values
}

// overrideRead has reads of one register of the common configuration return v.
func overrideRead(fn *pcifn.Function, off uint64, v uint32) {
	fn.SetHooks(pcifn.Hooks{Read: func(bar int, at uint64, width int, was uint32) uint32 {
		if bar == modernBAR && at == commonOff+off {
			return v
		}
		return was
	}})
}

// Registers of the common configuration that tests override.
const (
	regConfigVector = 16
	regStatus       = 20
	regQueueSize    = 24
	regQueueVector  = 26
	regQueueEnable  = 28
)

// put32 overwrites 32 bits of configuration space.
func put32(fn *pcifn.Function, off int, v uint32) {
	fn.Poke(off, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}
