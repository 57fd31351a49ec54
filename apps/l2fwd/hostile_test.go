package main

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Numbers of virtio capabilities and places in them (4.1.4).
const (
	commonCap, deviceCap = 1, 4
	capNext, capOffset   = 1, 8
)

// statusRegister is device_status in the common configuration, which is at the
// beginning of its BAR.
const statusRegister = 20

// brokenDevices are devices with one fault each.
var brokenDevices = map[string]struct {
	fn     pcifn.Config
	spoil  func(*pcifn.Function)
	want   any
	words  []string // in the message: the value and a remedy
	before bool     // it is found before anything is written to the function
}{
	"capability list with a loop": {
		spoil: func(fn *pcifn.Function) { fn.Poke(fn.Capability(deviceCap)+capNext, byte(fn.Capability(commonCap))) },
		want:  new(*pci.Error), words: []string{"loop", "leads back to 0x40", "use another one"}, before: true,
	},
	"capability outside its BAR": {
		spoil: func(fn *pcifn.Function) { fn.Poke(fn.Capability(commonCap)+capOffset, 0, 0, 0, 1) },
		want:  new(*vpci.Error), words: []string{"offset 0x1000000", "outside its BAR", "use another one"}, before: true,
	},
	"notify offset outside its window": {
		fn:   pcifn.Config{NotifyOff: func(int) uint16 { return 0xffff }},
		want: new(*vpci.Error), words: []string{"65535 × 4", "outside the notification structure", "use another one"},
	},
	"queue_size 0": {
		fn:   pcifn.Config{Device: vdev.Config{QueueSizes: map[int]int{1: 0}}},
		want: new(*driver.Error), words: []string{"virtqueue 1 0", "ask for fewer queue pairs"},
	},
	"FEATURES_OK refused": {
		fn:   pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{RefuseFeatures: true}}},
		want: new(*driver.Error), words: []string{"RING_PACKED", "packed=0", "in_order=0"},
	},
	"reset that never completes": {
		fn:   pcifn.Config{Hooks: pcifn.Hooks{Read: stuckStatus}},
		want: new(*transport.ResetError), words: []string{"0x0f", "restart the machine"},
	},
}

// stuckStatus has device_status read as an earlier driver has left it, whatever
// is written there.
func stuckStatus(_ int, off uint64, width int, v uint32) uint32 {
	if off == statusRegister && width == 1 {
		return 0x0f
	}
	return v
}

// TestBrokenDevice: each way in which a device can be broken ends l2fwd with a
// typed error that names the value and a remedy, with status 1 and nothing on
// standard output, in bounded time and with nothing left changed.
func TestBrokenDevice(t *testing.T) {
	for name, c := range brokenDevices {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openBroken(t, c.fn, c.spoil)
			start := time.Now()
			status, stdout, stderr, err := b.run(t)
			if took := time.Since(start); took > hang {
				t.Errorf("it took %v", took)
			}
			if !errors.As(err, c.want) || status != 1 || stdout != "" {
				t.Errorf("error %T %v, status %d, standard output %q; want a %T, 1 and nothing", err, err, status, stdout, c.want)
			}
			for _, word := range append(c.words, "l2fwd: port emu:null: ") {
				if !strings.Contains(stderr, word) {
					t.Errorf("standard error does not say %q: %s", word, stderr)
				}
			}
			b.unchanged(t, c.before)
		})
	}
}

// brokenDevice is an l2fwd of two ports, of which the second has a broken device.
type brokenDevice struct {
	plan   *plan
	fn     *pcifn.Function
	before []byte // its configuration space
	pool   *mbuf.Pool
	opened []*driver.Port
}

// openBroken plans for a function that is spoiled before the driver sees it.
func openBroken(t *testing.T, cfg pcifn.Config, spoil func(*pcifn.Function)) *brokenDevice {
	t.Helper()
	cfg.Address, cfg.Log = "0000:00:03.0", true
	fn, err := pcifn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if spoil != nil {
		spoil(fn)
	}
	b := &brokenDevice{plan: emulated(t, "", "emu:gen", "emu:null"), fn: fn, before: fn.Peek()}
	b.plan.open = func(s devargs.Spec, o devargs.Options) (*driver.Port, error) {
		b.pool = o.Pool
		if s.Backend == "gen" {
			port, err := s.Open(t.Context(), o)
			b.opened = append(b.opened, port)
			return port, err
		}
		device, err := vpci.Open(fn, vpci.Options{})
		if err != nil {
			return nil, err
		}
		return driver.Open(device, driver.Config{Pool: o.Pool, Memory: o.Memory})
	}
	return b
}

// run runs the command as main does.
func (b *brokenDevice) run(t *testing.T) (status int, stdout, stderr string, err error) {
	t.Helper()
	app := command.New("l2fwd", "", nil, func(c *cli.Context, o command.Options) error {
		b.plan.options = o
		err = b.plan.run(t.Context(), c.App.Writer, c.App.ErrWriter)
		return err
	})
	var out, log bytes.Buffer
	status = command.Run(app, []string{"l2fwd", "--json", "--duration=1m", "emu:gen", "emu:null"}, &out, &log)
	return status, out.String(), log.String(), err
}

// unchanged shows that the other port is closed, the memory released, and the
// function closed and as it was, except that it does no DMA. With untouched it
// was never written to.
func (b *brokenDevice) unchanged(t *testing.T, untouched bool) {
	t.Helper()
	if len(b.opened) != 1 || !errors.Is(b.opened[0].Err(), os.ErrClosed) {
		t.Error("the other port is not closed")
	}
	if (*mbuf.DriverPool)(b.pool).Memory().Bytes() != nil {
		t.Error("the packet buffers were not released")
	}
	if _, err := b.fn.ReadConfig(0, 2); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the function is not closed: %v", err)
	}
	after := b.fn.Peek()
	if command := uint16(after[pci.RegCommand]); !untouched && command&pci.CommandBusMaster != 0 {
		t.Errorf("the function may do DMA: command register %#x", command)
	}
	if !untouched {
		after[pci.RegCommand] = b.before[pci.RegCommand]
	}
	if !bytes.Equal(after, b.before) {
		t.Errorf("configuration space was\n%x and is\n%x", b.before, after)
	}
	written := func(a pcifn.Access) bool { return a.Write }
	if log := b.fn.Log(); untouched && slices.ContainsFunc(log, written) {
		t.Errorf("the function was written to: %v", log)
	}
}
