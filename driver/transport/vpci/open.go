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

// Options are what Open can be told. The zero value will do.
type Options struct {
	// Logger gets what is worth knowing and no error; nil is silent.
	Logger *slog.Logger
	// PollInterval is how often status and configuration are looked at when the
	// device cannot interrupt for them; 0 is 250 ms.
	PollInterval time.Duration
}

// Device is a modern virtio network device behind a PCI function.
type Device struct {
	fn   pci.Function
	log  *slog.Logger
	at   structures
	msix []place // of the function's interrupt table, which no doorbell may hit

	interrupts *interrupts
	accepted   virtio.Features // what SetDriverFeatures wrote last
	mapped     map[*hugepages.Memory][]uint64

	// armed is false from a reset on until the first queue is set up.
	armed bool
	// live is true while the device may use memory: from the first enabled
	// queue to the next confirmed reset.
	live     bool
	closed   bool
	closeErr error
}

var _ transport.Transport = (*Device)(nil)

// Open takes over fn: Close gives it back, and so does Open if it fails.
//
// It fails with an [*UnsupportedError] if fn is not a virtio network device or a
// legacy one, an [*Error] if a register structure is missing or outside its BAR,
// an error of package pci if the capability list is broken, and with
// transport.ErrRemoved if every register reads as all ones. Nothing is written to the function
// before all this is known to be in order.
//
// The device is left as it was found, except that it cannot do DMA: Reset it
// first.
func Open(fn pci.Function, o Options) (*Device, error) {
	d := &Device{fn: fn, log: o.Logger, mapped: make(map[*hugepages.Memory][]uint64)}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if o.PollInterval <= 0 {
		o.PollInterval = 250 * time.Millisecond
	}
	if err := d.find(); err != nil {
		return nil, errors.Join(err, fn.Close())
	}
	if err := d.enable(); err != nil {
		return nil, errors.Join(err, fn.Close())
	}
	d.openInterrupts(o.PollInterval)
	d.log.Info("virtio device opened", "function", fn.Address(), "physical", fn.DMA().Physical, "interrupts", d.interrupts.how)
	return d, nil
}

// Name is the PCI address.
func (d *Device) Name() string { return d.fn.Address() }

// find looks for the register structures, in configuration space only.
func (d *Device) find() error {
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
		return &UnsupportedError{Function: d.Name(), Vendor: vendorVirtio, Device: deviceTransitionalNet, Legacy: true}
	}
	if d.at, err = choose(d.fn, found); err != nil {
		return err
	}
	if d.msix, err = msixPlaces(d.fn, caps); err != nil {
		return err
	}
	return d.at.separate(d.fn, d.msix)
}

// enable has the function answer at its BARs and stops its DMA: an earlier
// driver may have left it running, with addresses that are no longer its own.
func (d *Device) enable() error {
	set := pci.CommandMemory
	ports, err := portBARs(d.fn)
	if err != nil {
		return err
	}
	for _, s := range d.at.all() {
		if ports[s.bar] {
			set |= pci.CommandIO
		}
	}
	if _, err := pci.UpdateCommand(d.fn, set, pci.CommandBusMaster); err != nil {
		return fmt.Errorf("%s: writing the PCI command register: %w", d.Name(), err)
	}
	return nil
}
