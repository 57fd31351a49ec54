package pcifn

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Function is a PCI function in software. It implements pci.Function.
type Function struct {
	cfg        Config
	dev        *vdev.Device
	bars       [6]bar
	structures []structure

	mu      sync.Mutex // guards space and regs
	space   configSpace
	regs    registers
	hooks   atomic.Pointer[Hooks]
	irq     *interrupts
	log     accessLog
	removed atomic.Bool
	gone    atomic.Pointer[error] // why it removed itself, nil if it did not
	closed  atomic.Bool
}

var _ pci.Function = (*Function)(nil)

// New makes a function and the device behind it. It owns the back end of the device
// from now on, also when it fails. The device is not started: call Start or Poll of
// [Function.Device]. An error is a *[vdev.Error].
func New(cfg Config) (*Function, error) {
	cfg, err := cfg.complete()
	if err != nil {
		if cfg.Device.Backend != nil {
			_ = cfg.Device.Backend.Close()
		}
		return nil, err
	}
	f := &Function{cfg: cfg, irq: newInterrupts(cfg)}
	f.log.on = cfg.Log
	f.SetHooks(cfg.Hooks)
	if f.dev, err = vdev.New(cfg.Device, f.irq); err != nil {
		return nil, err
	}
	f.layOut()
	f.buildSpace()
	f.regs.clear()
	if link, ok := cfg.Device.Backend.(vdev.LinkReporter); ok {
		link.FollowLink(f.dev.SetLink, f.backendGone)
	}
	return f, nil
}

// Device returns the device behind the function, for starting or stepping it, and for
// tests that inspect it or make it fail. It stays valid after Close.
func (f *Function) Device() *vdev.Device { return f.dev }

// SetHooks replaces the hooks.
func (f *Function) SetHooks(h Hooks) { f.hooks.Store(&h) }

// Address returns the name of the function in messages.
func (f *Function) Address() string { return f.cfg.Address }

// DMA returns how device addresses are interpreted.
func (f *Function) DMA() pci.DMA {
	return pci.DMA{Physical: f.cfg.Physical, Ranges: slices.Clone(f.cfg.Ranges)}
}

// MapDMA lets the device reach mem at iova. Both have to be aligned to pages of
// 4 KiB, and iova has to lie in the ranges that DMA returns.
func (f *Function) MapDMA(iova uint64, mem []byte) error {
	if err := f.checkOpen(); err != nil {
		return err
	}
	if len(mem) > 0 && len(f.cfg.Ranges) > 0 && !slices.ContainsFunc(f.cfg.Ranges, func(r pci.Range) bool {
		return r.First <= iova && iova+uint64(len(mem))-1 <= r.Last && iova+uint64(len(mem))-1 >= iova
	}) {
		return &Error{Function: f.cfg.Address,
			Reason: fmt.Sprintf("%d bytes at %#x are outside the ranges that can be mapped", len(mem), iova)}
	}
	return f.dev.MapMemory(iova, mem)
}

// UnmapDMA removes whole mappings.
func (f *Function) UnmapDMA(iova uint64, size int) error {
	if err := f.checkOpen(); err != nil {
		return err
	}
	return f.dev.UnmapMemory(iova, size)
}

// Reset resets the function, and the device with it.
func (f *Function) Reset() error {
	if err := f.checkOpen(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resetRegisters()
	f.dev.Reset()
	return nil
}

// Close stops the device and its back end and closes the interrupts.
func (f *Function) Close() error {
	if f.closed.Swap(true) {
		return nil
	}
	if f.dev.Running() && !f.removed.Load() {
		f.dev.Violate("basic/cleanup/2", -1, "function closed while its rings were alive: reset comes first")
	}
	f.irq.close()
	return f.dev.Close()
}

// RequestRemoval raises the removal request, as hot-unplug does first. The
// function keeps working.
func (f *Function) RequestRemoval() { f.irq.removalRequest() }

// Unplug removes the function at once: from now on every read except that of
// its identifiers returns all ones, writes have no effect and there is no more DMA.
// The removal request is raised as well.
func (f *Function) Unplug() {
	f.removed.Store(true)
	f.dev.SetDMA(false)
	f.irq.removalRequest()
}

// backendGone removes the function because its back end is gone. There is no request
// first, and every register access fails with the reason. The configuration interrupt has the
// driver find out.
func (f *Function) backendGone(reason error) {
	f.gone.Store(&reason)
	f.removed.Store(true)
	f.dev.SetDMA(false)
	f.irq.Config()
}

// checkPresent returns an error after Close, and why the back end is gone if it is.
func (f *Function) checkPresent() error {
	if err := f.checkOpen(); err != nil {
		return err
	}
	if gone := f.gone.Load(); gone != nil {
		return *gone
	}
	return nil
}

// checkOpen returns an error after Close.
func (f *Function) checkOpen() error {
	if f.closed.Load() {
		return &Error{Function: f.cfg.Address, Reason: "used after it was closed", Err: os.ErrClosed}
	}
	return nil
}

// Error is a call of a [Function] that failed. It answers [os.ErrClosed] after
// [Function.Close].
type Error struct {
	Function string // its address
	Reason   string
	Err      error // the cause, nil if Reason says all
}

// Error names the function, the reason and the cause.
func (e *Error) Error() string {
	text := fmt.Sprintf("PCI function %s: %s", e.Function, e.Reason)
	if e.Err != nil && e.Err != os.ErrClosed { // of that Reason says all
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// allOnes is what width bytes of a function that is gone read as.
func allOnes(width int) uint32 { return uint32(1<<(8*width) - 1) }
