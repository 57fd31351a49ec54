package vpci_test

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// noInterrupts is a function that lacks kinds of interrupts, or refuses to connect them.
type noInterrupts struct {
	*pcifn.Function
	lacks, refuses []pci.IRQ
	connected      [3]atomic.Int32
}

func (f *noInterrupts) Vectors(kind pci.IRQ) (int, error) {
	if slices.Contains(f.lacks, kind) {
		return 0, nil
	}
	return f.Function.Vectors(kind)
}

func (f *noInterrupts) SetIRQ(kind pci.IRQ, fds []int) error {
	if slices.Contains(f.refuses, kind) {
		return os.ErrPermission
	}
	if fds != nil {
		f.connected[kind].Add(1)
	}
	return f.Function.SetIRQ(kind, fds)
}

// pci/msix/1, pci/msix/2, pci/msix/3, pci/msix/4, pci/isr/1, fault/44: configuration
// changes are reported with every kind of interrupt, and without.
func TestConfigurationChanges(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   pcifn.Config
		lacks []pci.IRQ
		isr   bool // the ISR status is read
	}{
		"MSI-X table of 1":     {pcifn.Config{Vectors: 1}, nil, false},
		"MSI-X table of 2":     {pcifn.Config{Vectors: 2}, nil, false},
		"MSI-X table of 0x800": {pcifn.Config{Vectors: 0x800}, nil, false},
		"MSI-X table unusable": {pcifn.Config{Vectors: 3}, []pci.IRQ{pci.MSIX}, true},
		"vector refused": {pcifn.Config{RefuseVector: func(uint16) bool { return true }}, nil,
			false},
		"INTx": {pcifn.Config{Vectors: pcifn.NoMSIX}, nil, true},
		"pci/cfgchange/1 INTx for queues as well": {pcifn.Config{Vectors: pcifn.NoMSIX,
			Hooks: pcifn.Hooks{
				Read: func(bar int, off uint64, _ int, v uint32) uint32 {
					if bar == modernBAR && off == isrOff {
						v |= 1
					}
					return v
				}}}, nil, true},
		"no interrupts": {pcifn.Config{Vectors: pcifn.NoMSIX}, []pci.IRQ{pci.INTx, pci.Removal},
			false},
	} {
		t.Run(name, func(t *testing.T) {
			fn := &noInterrupts{Function: function(t, c.cfg), lacks: c.lacks}
			d := open(t, fn)
			for range 2 {
				bringUp(t, d, features)
				for _, up := range []bool{false, true} {
					changeLink(t, fn.Function, d, up)
				}
				reset(t, d)
			}
			if got := count(fn.Function, "ISR", false) > 0; got != c.isr {
				t.Errorf("ISR status read: %v", got)
			}
			for _, v := range fn.Device().Violations() {
				t.Errorf("the device reports a violation: %v", v)
			}
		})
	}
}

// changeLink has the device change its link and waits for an event after which the
// new state is read. There may be more events: polling reports status changes too.
func changeLink(t *testing.T, fn *pcifn.Function, d *vpci.Device, up bool) {
	t.Helper()
	fn.Device().SetLink(up)
	for {
		if e := next(t, d); e != transport.ConfigChanged {
			t.Fatalf("event %v", e)
		}
		b := make([]byte, 2)
		must(t, d.ReadConfig(virtio.NetConfigStatus, 2, b))
		if (b[0] == virtio.NetStatusLinkUp) == up {
			return
		}
	}
}

// A refused interrupt is not used.
func TestInterruptsThatCannotBeConnected(t *testing.T) {
	fn := &noInterrupts{Function: function(t, pcifn.Config{}),
		refuses: []pci.IRQ{pci.Removal, pci.MSIX, pci.INTx}}
	d := open(t, fn)
	bringUp(t, d, features)
	changeLink(t, fn.Function, d, false)
	if n := count(fn.Function, "config_msix_vector", true); n != 0 {
		t.Errorf("a vector without an eventfd was mapped %d times", n)
	}
}

// INTx is masked when it is raised, and has to be unmasked again.
func TestLineInterruptIsRearmed(t *testing.T) {
	fn := &noInterrupts{Function: function(t, pcifn.Config{Vectors: pcifn.NoMSIX})}
	d := open(t, fn)
	bringUp(t, d, features)
	changeLink(t, fn.Function, d, false)
	must(t, d.Close())
	if n := fn.connected[pci.INTx].Load(); n < 2 {
		t.Errorf("INTx was unmasked %d times", n)
	}
	fn.Device().ClearViolations() // closed without a reset, on purpose
}

// x/status/needs-reset: the device reports it by the same interrupt.
func TestNeedsResetIsReported(t *testing.T) {
	for name, vectors := range map[string]int{"MSI-X": 0, "INTx": pcifn.NoMSIX} {
		t.Run(name, func(t *testing.T) {
			fn, d := emulate(t, pcifn.Config{Vectors: vectors})
			bringUp(t, d, features)
			fn.Device().NeedReset()
			for s := virtio.Status(0); !s.Has(virtio.StatusNeedsReset); {
				next(t, d)
				var err error
				s, err = d.Status()
				must(t, err)
			}
		})
	}
}

func TestRemovalRequest(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	fn.RequestRemoval()
	if e := next(t, d); e != transport.Removed {
		t.Errorf("event %v", e)
	}
	if _, err := d.Status(); err != nil {
		t.Errorf("the device still works then: %v", err)
	}
}

// Polling notices that the device was removed.
func TestRemovalIsNoticedByPolling(t *testing.T) {
	fn := &noInterrupts{Function: function(t, pcifn.Config{}),
		lacks: []pci.IRQ{pci.INTx, pci.MSIX, pci.Removal}}
	d := open(t, fn)
	bringUp(t, d, features)
	fn.Unplug()
	for next(t, d) != transport.Removed {
	}
}

// fault/22: interrupts that are not handled do not pile up, and neither keep the
// removal from being reported nor Close from returning.
func TestInterruptStorm(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	bringUp(t, d, features)
	for range 5000 {
		fn.Device().SetConfig(virtio.NetConfigStatus, 1)
	}
	fn.RequestRemoval()
	events := 0
	for next(t, d) != transport.Removed {
		events++
	}
	if events > 100 {
		t.Errorf("%d events", events)
	}
	for range 5000 {
		fn.Device().SetConfig(virtio.NetConfigStatus, 1)
	}
	fn.RequestRemoval() // it finds the channel full
	reset(t, d)
	must(t, d.Close())
}

// Close ends every goroutine and gives back every descriptor.
func TestCloseLeavesNothing(t *testing.T) {
	before := fdtest.Count(t)
	for _, vectors := range []int{0, pcifn.NoMSIX} {
		for _, lacks := range [][]pci.IRQ{nil, {pci.INTx, pci.MSIX}} {
			fn := &noInterrupts{Function: function(t, pcifn.Config{Vectors: vectors}), lacks: lacks}
			d, err := vpci.Open(fn, vpci.Options{PollInterval: time.Hour})
			must(t, err)
			negotiate(t, d, features)
			_, err = d.SetQueue(0, areas(page, 64, features))
			must(t, err)
			reset(t, d)
			must(t, d.Close())
			for range d.Events() {
			}
			must(t, d.Close())
		}
	}
	if after := fdtest.Count(t); after > before {
		t.Errorf("%d descriptors were open, now %d are", before, after)
	}
	stacks := make([]byte, 1<<20)
	if s := string(stacks[:runtime.Stack(stacks, true)]); strings.Contains(s, "vpci.(*Device)") {
		t.Errorf("a goroutine is left:\n%s", s)
	}
}
