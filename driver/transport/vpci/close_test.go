package vpci_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// noReset is a function that cannot be reset.
type noReset struct {
	*pcifn.Function
	resets int
	err    error
	closed bool
}

func (f *noReset) Reset() error {
	f.resets++
	return errors.Join(f.err, f.Function.Reset())
}

func (f *noReset) Close() error {
	f.closed = true
	return f.Function.Close()
}

func command(fn *pcifn.Function) uint16 {
	b := fn.Peek()
	return uint16(b[pci.RegCommand]) | uint16(b[pci.RegCommand+1])<<8
}

// DMA is off from Open until the device has confirmed a reset, and off again
// after Close. The other bits of the command register are left alone.
func TestBusMaster(t *testing.T) {
	fn := function(t, pcifn.Config{})
	fn.Poke(pci.RegCommand, byte(pci.CommandBusMaster|0x40), 1)
	d := open(t, fn)
	if c := command(fn); c != 0x140|pci.CommandMemory {
		t.Errorf("command register %#04x after Open", c)
	}
	accepted := negotiate(t, d, features)
	if command(fn)&pci.CommandBusMaster != 0 {
		t.Error("DMA is on before there is a queue")
	}
	_, err := d.SetQueue(0, areas(page, 64, accepted))
	must(t, err)
	if command(fn)&pci.CommandBusMaster == 0 {
		t.Error("DMA is off although there is a queue")
	}
	reset(t, d)
	must(t, d.Close())
	if c := command(fn); c != 0x140|pci.CommandMemory {
		t.Errorf("command register %#04x after Close", c)
	}
}

// fault/25: after a reset that did not complete Close turns DMA off; if that
// fails too it resets the function, and only if that fails too the memory stays mapped.
func TestCloseAfterFailedReset(t *testing.T) {
	for name, c := range map[string]struct {
		masterStaysOn bool
		resetFails    error
		resets        int
		stopped       bool
	}{
		"DMA turned off":              {false, os.ErrInvalid, 0, true},
		"function reset":              {true, nil, 1, true},
		"neither":                     {true, os.ErrInvalid, 1, false},
		"bus master off, reset works": {false, nil, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			fn := &noReset{Function: function(t, pcifn.Config{}), err: c.resetFails}
			d, err := vpci.Open(fn, vpci.Options{})
			must(t, err)
			accepted := negotiate(t, d, features)
			mem := allocate(t, 3)
			pages, err := d.MapDMA(mem)
			must(t, err)
			_, err = d.SetQueue(0, areas(pages[0], 64, accepted))
			must(t, err)
			fn.Device().SetFaults(vdev.Faults{ResetReads: -1})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			as[*transport.ResetError](t, d.Reset(ctx))
			if c.masterStaysOn {
				ignore := func(int, int, uint32) (uint32, bool) { return 0, false }
				fn.SetHooks(pcifn.Hooks{WriteConfig: ignore})
			}
			err = d.Close()
			if c.stopped {
				must(t, err)
			} else {
				as[*transport.StopError](t, err)
				if !errors.Is(err, c.resetFails) || d.Close() == nil {
					t.Errorf("%v", err)
				}
			}
			if fn.resets != c.resets || !fn.closed {
				t.Errorf("%d resets, closed %v", fn.resets, fn.closed)
			}
		})
	}
}

// Close does not have to stop a device that was removed.
func TestCloseOfAbsentDevice(t *testing.T) {
	fn := &noReset{Function: function(t, pcifn.Config{}), err: os.ErrInvalid}
	d, err := vpci.Open(fn, vpci.Options{})
	must(t, err)
	accepted := negotiate(t, d, features)
	_, err = d.SetQueue(0, areas(page, 64, accepted))
	must(t, err)
	fn.Unplug()
	must(t, d.Close())
}

// After Close nothing reaches the function any more.
func TestUseAfterClose(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	must(t, d.Close())
	fn.ClearLog()
	_, statusErr := d.Status()
	_, mapErr := d.MapDMA(allocate(t, 1))
	for name, err := range map[string]error{
		"Status": statusErr, "MapDMA": mapErr, "SetStatus": d.SetStatus(1),
		"Reset":      d.Reset(t.Context()),
		"ReadConfig": d.ReadConfig(0, 1, make([]byte, 1)),
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(fn.Log()); n != 0 {
		t.Errorf("%d accesses", n)
	}
}
