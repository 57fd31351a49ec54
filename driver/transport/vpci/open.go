package vpci

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Options configure [Open]. The zero value is valid.
type Options struct {
	// Logger receives events that are not returned as errors; nil discards them.
	Logger *slog.Logger
	// PollInterval is how often device status and config_generation are read when
	// the device cannot interrupt for changes of them; 0 is 50 ms, after
	// which a change of the link is known.
	PollInterval time.Duration
}

// Device is a modern virtio network device behind a PCI function. It implements
// [transport.Transport], [transport.QueueResetter], [transport.Interrupter] and
// [transport.Describer], whose rules on goroutines apply.
type Device struct {
	fn   pci.Function
	log  *slog.Logger
	regs structures
	msix []barRange // of the MSI-X table, which no doorbell may overlap

	interrupts *interrupts
	accepted   virtio.Features // what SetDriverFeatures wrote last
	mapped     map[*hugepages.Memory][]uint64

	// prepared is false from a reset until the first queue is set up.
	prepared bool
	// mayDMA is true while the device may access memory: from the first enabled
	// queue to the next confirmed reset.
	mayDMA   bool
	closed   bool
	closeErr error
}

var (
	_ transport.Transport     = (*Device)(nil)
	_ transport.Describer     = (*Device)(nil)
	_ transport.QueueResetter = (*Device)(nil)
	_ transport.Interrupter   = (*Device)(nil)
)

// Open takes ownership of fn: Close closes it, and so does Open if it fails.
//
// It fails with an [*UnsupportedError] if fn is not a virtio network device or a
// legacy one, an [*Error] if a register structure is missing or outside its BAR,
// an error of package pci if the capability list is broken, and with
// transport.ErrRemoved if every register reads as all ones. Nothing is written to the function
// before all this has been checked.
//
// Open changes nothing but the PCI command register. The caller resets the device
// first.
func Open(fn pci.Function, o Options) (*Device, error) {
	d := &Device{fn: fn, log: o.Logger, mapped: make(map[*hugepages.Memory][]uint64)}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if o.PollInterval <= 0 {
		o.PollInterval = 50 * time.Millisecond
	}
	if err := d.findStructures(); err != nil {
		return nil, errors.Join(err, fn.Close())
	}
	if err := d.enable(); err != nil {
		return nil, errors.Join(err, fn.Close())
	}
	d.openInterrupts(o.PollInterval)
	d.log.Info("virtio device opened", "function", fn.Address(), "physical", fn.DMA().Physical,
		"interrupts", d.interrupts.mode)
	return d, nil
}

// Name returns the PCI address.
func (d *Device) Name() string { return d.fn.Address() }

// findStructures finds the register structures by reading configuration space only.
func (d *Device) findStructures() error {
	transitional, err := identify(d.fn)
	if err != nil {
		return err
	}
	caps, err := pci.Capabilities(d.fn)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	found, none, err := virtioCapabilities(d.fn, caps, d.log)
	if err != nil {
		return err
	}
	if none && transitional {
		return &UnsupportedError{Function: d.Name(), Vendor: vendorVirtio,
			Device: deviceTransitionalNet, Legacy: true}
	}
	if d.regs, err = selectStructures(d.fn, found); err != nil {
		return err
	}
	if d.msix, err = msixRanges(d.fn, caps); err != nil {
		return err
	}
	return d.regs.checkOverlaps(d.fn, d.msix)
}

// enable enables decoding of the BARs that are used and disables bus mastering: an
// earlier driver may have left it on, with addresses that are not its own any more.
func (d *Device) enable() error {
	set := pci.CommandMemory
	ports, err := portBARs(d.fn)
	if err != nil {
		return err
	}
	for _, s := range d.regs.all() {
		if ports[s.bar] {
			set |= pci.CommandIO
		}
	}
	if _, err := pci.UpdateCommand(d.fn, set, pci.CommandBusMaster); err != nil {
		return fmt.Errorf("%s: writing the PCI command register: %w", d.Name(), err)
	}
	return nil
}
