package vpci_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// basic/reset/1, pci/common/5: the reset is over when the status reads 0.
func TestResetWaits(t *testing.T) {
	for _, reads := range []int{0, 1, 7} {
		fn, d := emulate(t, pcifn.Config{})
		negotiate(t, d, features)
		fn.Device().SetFaults(vdev.Faults{ResetReads: reads})
		fn.ClearLog()
		reset(t, d)
		if got := writes(fn, "device_status"); !slices.Equal(got, []uint32{0}) {
			t.Errorf("status written: %v", got)
		}
		if n := count(fn, "device_status", false); n != reads+1 {
			t.Errorf("status read %d times, not %d", n, reads+1)
		}
		negotiate(t, d, features)
	}
}

// fault/25: a reset that never completes ends with the caller's context, and
// until the device is stopped its memory stays mapped.
func TestResetNeverCompletes(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{ResetReads: 3}}})
	accepted := negotiate(t, d, features)
	mem := allocate(t, 3)
	pages, err := d.MapDMA(mem)
	must(t, err)
	_, err = d.SetQueue(0, areas(pages[0], 64, accepted))
	must(t, err)
	fn.Device().SetFaults(vdev.Faults{ResetReads: -1})

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err = d.Reset(ctx)
	e := as[*transport.ResetError](t, err)
	if !errors.Is(err, context.DeadlineExceeded) || e.Status == 0 ||
		e.Waited <= 0 {
		t.Errorf("%v", err)
	}
	as[*transport.StopError](t, d.UnmapDMA(mem))

	// The reset completes later.
	fn.Device().SetFaults(vdev.Faults{})
	reset(t, d)
	must(t, d.UnmapDMA(mem))
}

// x/status/needs-reset, and reserved values: the status is passed on as it is.
func TestStatusIsPassedOn(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	bringUp(t, d, features)
	fn.Device().NeedReset()
	if s, err := d.Status(); err != nil || !s.Has(virtio.StatusNeedsReset|virtio.StatusDriverOK) {
		t.Errorf("status %v, %v", s, err)
	}
	overrideRead(fn, regStatus, 0xff)
	if s, err := d.Status(); s != 0xff || err != nil {
		t.Errorf("status %v, %v: all ones in one register is not a removal", s, err)
	}
	fn.SetHooks(pcifn.Hooks{})
}

// fault/55: every call returns ErrRemoved, and Close works.
func TestSurpriseRemoval(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	bringUp(t, d, features)
	fn.Unplug()
	if e := next(t, d); e != transport.Removed {
		t.Errorf("event %v", e)
	}
	_, statusErr := d.Status()
	_, featuresErr := d.DeviceFeatures()
	_, queuesErr := d.Queues()
	_, sizeErr := d.QueueSize(0)
	_, queueErr := d.SetQueue(0, areas(page, 64, features))
	for name, err := range map[string]error{
		"Status": statusErr, "DeviceFeatures": featuresErr, "Queues": queuesErr,
		"QueueSize": sizeErr,
		"SetQueue":  queueErr, "Reset": d.Reset(t.Context()),
		"ReadConfig": d.ReadConfig(virtio.NetConfigStatus, 2, make([]byte, 2)),
	} {
		t.Run(name, func(t *testing.T) { isRemoved(t, err) })
	}
}

func isRemoved(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, transport.ErrRemoved) {
		t.Errorf("%T %v", err, err)
	}
}

// A function of which every access fails counts as removed.
func TestAccessErrors(t *testing.T) {
	fn := function(t, pcifn.Config{})
	d := open(t, &failing{Function: fn})
	must(t, fn.Close())
	_, err := d.Status()
	isRemoved(t, err)
	if as[*pcifn.Error](t, err); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	isRemoved(t, d.SetStatus(1))
}

// failing closes its function only once, as its owner did.
type failing struct{ *pcifn.Function }

func (f *failing) SetIRQ(pci.IRQ, []int) error { return nil }
