package sysfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// NotFoundError is an address at which there is no function.
type NotFoundError struct{ Address pci.Address }

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("there is no PCI function %s; devbind status --all lists those there are", e.Address)
}

// FormatError is a file of sysfs whose contents cannot be understood.
type FormatError struct {
	Path  string
	Value string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s contains %q, which is not what sysfs has there", e.Path, e.Value)
}

// NoDriverError is a driver that the kernel does not have at the moment.
type NoDriverError struct {
	Driver string
	Meant  string // a driver with nearly that name, "" for none
}

func (e *NoDriverError) Error() string {
	if e.Meant != "" {
		return fmt.Sprintf("the kernel has no PCI driver %q; did you mean %q?", e.Driver, e.Meant)
	}
	if e.Driver == "" || strings.ContainsAny(e.Driver, "/\n") || strings.Trim(e.Driver, ".") == "" {
		return fmt.Sprintf("%q is not the name of a driver; %s lists those there are", e.Driver, driversDir)
	}
	return fmt.Sprintf("the kernel has no PCI driver %q: %s does not exist; load it with: modprobe %s",
		e.Driver, driverDir(e.Driver), e.Driver)
}

// NoIOMMUError is a function that vfio-pci cannot have because no IOMMU stands
// between it and memory.
type NoIOMMUError struct {
	Address pci.Address
	Mode    NoIOMMUMode // NoIOMMUAbsent or NoIOMMUOff
}

func (e *NoIOMMUError) Error() string {
	unsafe := "the running kernel shows no such mode: vfio is not loaded (modprobe vfio-pci) or was built without CONFIG_VFIO_NOIOMMU"
	if e.Mode == NoIOMMUOff {
		unsafe = "echo 1 > " + noIOMMU
	}
	return fmt.Sprintf("PCI function %s has no IOMMU group, so vfio-pci would refuse it; "+
		"either switch the IOMMU on (firmware setting, and intel_iommu=on on the kernel command line; "+
		"a virtual machine needs a virtual IOMMU and iommu_platform=on for the device), "+
		"or let vfio work without one, which leaves all memory open to the device: %s, then open the port with noiommu=1",
		e.Address, unsafe)
}

// WriteError is a write that the kernel did not accept.
type WriteError struct {
	Write Write
	Err   error
}

func (e *WriteError) Unwrap() error { return e.Err }

func (e *WriteError) Error() string {
	return fmt.Sprintf("writing %q to %s: %v%s", e.Write.Value, e.Write.Path, e.Err, e.remedy())
}

func (e *WriteError) remedy() string {
	bind := strings.HasSuffix(e.Write.Path, "/bind")
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return "; run as root"
	case errors.Is(e.Err, syscall.EROFS):
		return "; sysfs is mounted read-only, as in a container: run on the host"
	case errors.Is(e.Err, syscall.ENODEV) && bind:
		return "; the driver does not take this device"
	case errors.Is(e.Err, syscall.EBUSY):
		return "; somebody else holds the function"
	case errors.Is(e.Err, syscall.EINVAL) && bind:
		return "; with vfio-pci this usually means that the function has no working IOMMU: see dmesg"
	case bind:
		return "; see dmesg for what the driver says"
	}
	return ""
}

// DriverError is a function that did not get the wanted driver although the
// kernel accepted every write.
type DriverError struct {
	Address pci.Address
	Want    string // "" for none, or KernelChoice
	Got     string // "" for none
}

func (e *DriverError) Error() string {
	want, got := e.Want, e.Got
	if want == "" {
		want = "no driver"
	}
	if got == "" {
		got = "no driver"
	}
	remedy := "see dmesg"
	if e.Want == KernelChoice && e.Got == "" {
		remedy = fmt.Sprintf("load its module with: modprobe $(cat %s/modalias)", functionDir(e.Address))
	}
	return fmt.Sprintf("PCI function %s should be with %s but is with %s; %s", e.Address, want, got, remedy)
}

// RollbackError is a failure after which the former state could not be had
// back.
type RollbackError struct {
	Cause error // what failed first
	Undo  error // what failed while taking back
}

func (e *RollbackError) Unwrap() []error { return []error{e.Cause, e.Undo} }

func (e *RollbackError) Error() string {
	return fmt.Sprintf("%v; and the former state could not be had back: %v; devbind status shows how things are", e.Cause, e.Undo)
}
