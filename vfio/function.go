package vfio

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Function is a PCI function that this process owns; it implements [pci.Function]. Its methods may
// be called from several goroutines, except [Function.Close], after which neither it nor its
// regions may be used.
type Function struct {
	address                  string
	group, container, device *os.File
	physical                 bool // no IOMMU
	limits                   iommuLimits
	config                   regionLayout
	regions                  int // number of region indexes
	irqs                     int // number of interrupt indexes
	resets                   bool
	log                      *slog.Logger

	mu      sync.Mutex
	bars    [6]*region       // guarded by mu, nil until used
	enabled map[pci.IRQ]bool // guarded by mu
	closed  bool             // guarded by mu
}

var _ pci.Function = (*Function)(nil)

// setUp reads the description of the device and enables memory and I/O decoding, without which an
// access to a mapped register raises SIGBUS.
func (f *Function) setUp() error {
	var info deviceInfo
	if err := exchange(f.device, getDeviceInfo, &info); err != nil {
		return err
	}
	if info.Flags&devicePCI == 0 || info.Regions <= configRegion {
		return replyError(getDeviceInfo.String(), uint64(info.Flags), "this is not a PCI function")
	}
	f.regions, f.irqs, f.resets = int(info.Regions), int(info.IRQs), info.Flags&deviceReset != 0
	reply, err := query(f.device, getRegionInfo, &regionInfo{Index: configRegion})
	if err != nil {
		return err
	}
	if f.config, err = parseRegionInfo(reply, sparseArea{}, uint64(os.Getpagesize())); err != nil {
		return err
	}
	f.enabled = make(map[pci.IRQ]bool)
	_, err = pci.UpdateCommand(f, pci.CommandMemory|pci.CommandIO, 0)
	return err
}

// Address returns the address in the form that sysfs uses: "0000:00:03.0".
func (f *Function) Address() string { return f.address }

// ReadConfig reads configuration space in one access.
func (f *Function) ReadConfig(off, width int) (uint32, error) {
	if err := pci.CheckConfigAccess(off, width, int(f.config.size)); err != nil {
		return 0, err
	}
	var b [4]byte
	if _, err := f.device.ReadAt(b[:width], int64(f.config.offset)+int64(off)); err != nil {
		return 0, &Error{Op: "read configuration space of", Device: f.address, Err: withoutPath(err)}
	}
	return binary.LittleEndian.Uint32(b[:]), nil
}

// WriteConfig writes configuration space in one access. The kernel emulates some registers, such as
// the BARs: writes to them do not reach the device.
func (f *Function) WriteConfig(off, width int, v uint32) error {
	if err := pci.CheckConfigAccess(off, width, int(f.config.size)); err != nil {
		return err
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	if _, err := f.device.WriteAt(b[:width], int64(f.config.offset)+int64(off)); err != nil {
		return &Error{Op: "write configuration space of", Device: f.address, Err: withoutPath(err)}
	}
	return nil
}

// Reset resets the function as a whole (VFIO_DEVICE_RESET). The kernel restores its command
// register. It fails for a function that has no reset, with [errors.ErrUnsupported], and for one
// that stays busy.
func (f *Function) Reset() error {
	if !f.resets {
		return resetError(f.address, errors.ErrUnsupported)
	}
	err := retryEAGAIN(func() error {
		_, err := ioctl(f.device, resetDevice, 0)
		return err
	})
	if err != nil {
		return resetError(f.address, err)
	}
	return nil
}

// retryEAGAIN calls try until it returns anything but EAGAIN, for a second.
func retryEAGAIN(try func() error) error {
	const tries, pause = 20, 50 * time.Millisecond
	err := try()
	for i := 1; i < tries && errors.Is(err, unix.EAGAIN); i++ {
		time.Sleep(pause)
		err = try()
	}
	return err
}

// Close stops the function's DMA, disables its interrupts, unmaps its registers and returns it to
// the kernel, which resets it and removes the DMA mappings. No step is left out if an earlier one
// fails. It may be called more than once.
func (f *Function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	var errs []error
	if f.config.size > 0 {
		_, err := pci.UpdateCommand(f, 0, pci.CommandBusMaster)
		errs = append(errs, err)
	}
	for kind := range f.enabled {
		errs = append(errs, f.disable(kind))
	}
	for _, r := range f.bars {
		if r != nil {
			errs = append(errs, r.unmap())
		}
	}
	for _, file := range []*os.File{f.device, f.group, f.container} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}
