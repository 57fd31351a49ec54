package sysfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// ErrInUse is answered by [errors.Is] where another driver or process holds the function, or where
// something depends on it.
var ErrInUse = errors.New("in use")

// Error is an operation on a function, a driver or a file of sysfs that failed.
//
// It answers [io/fs.ErrNotExist] for a function that does not exist, [io/fs.ErrPermission] for a
// write that needs root, [ErrInUse], and [errors.ErrUnsupported] for a function without an IOMMU
// that vfio-pci would refuse.
type Error struct {
	Op     string // "find", "find driver", "read", "write" or "bind"
	Device string // the address of the function, the quoted name of the driver, or the file
	Value  string // what was read or written, "" for the other operations
	Reason string
	Remedy string // "" if there is none
	Err    error  // cause, nil if there is none
}

// Error names the operation, the device, the value, the reason and the remedy.
func (e *Error) Error() string {
	text := e.Op + " " + e.Device
	if e.Op == opRead || e.Op == opWrite {
		text += fmt.Sprintf(": value %q", e.Value)
	}
	if e.Reason != "" {
		text += ": " + e.Reason
	} else {
		text += fmt.Sprintf(": %v", e.Err)
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Is reports whether target is [ErrInUse] and the kernel answered EBUSY.
func (e *Error) Is(target error) bool {
	return target == ErrInUse && errors.Is(e.Err, syscall.EBUSY)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	opFind       = "find"
	opFindDriver = "find driver"
	opRead       = "read"
	opWrite      = "write"
	opBind       = "bind"
)

// notFoundError is an address at which there is no function.
func notFoundError(a pci.Address) *Error {
	return &Error{Op: opFind, Device: a.String(), Reason: "there is no such PCI function",
		Remedy: "devbind status --all lists those there are", Err: fs.ErrNotExist}
}

// netdevError is a network interface that no function has.
func netdevError(name string) *Error {
	return &Error{Op: opFind, Device: strconv.Quote(name),
		Reason: "no PCI function has an interface of this name in this network namespace",
		Remedy: "devbind status lists those there are", Err: fs.ErrNotExist}
}

// isNotFound reports whether err is about the function itself, not about one of its files.
func isNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Op == opFind
}

// formatError is a file of sysfs with invalid contents.
func formatError(path, value string) *Error {
	return &Error{Op: opRead, Device: path, Value: value, Reason: "sysfs does not write such a value"}
}

// driverError is a driver that the kernel does not have at the moment. similar is the name of one
// that it has, "" for none.
func driverError(driver, similar string) *Error {
	e := &Error{Op: opFindDriver, Device: strconv.Quote(driver)}
	switch {
	case similar != "":
		e.Reason = "the kernel has no such PCI driver"
		e.Remedy = fmt.Sprintf("did you mean %q?", similar)
	case !validDriver(driver):
		e.Reason = "this is not the name of a driver"
		e.Remedy = driversDir + " lists those there are"
	default:
		e.Reason = fmt.Sprintf("the kernel has no such PCI driver: %s does not exist", driverDir(driver))
		e.Remedy = "load it with: modprobe " + driver
	}
	return e
}

// validDriver reports whether a text can be the name of a directory of a driver.
func validDriver(name string) bool {
	return name != "" && !strings.ContainsAny(name, "/\n") && strings.Trim(name, ".") != ""
}

// noIOMMUError is a function that vfio-pci would refuse because it has no IOMMU.
func noIOMMUError(a pci.Address, mode noIOMMUMode) *Error {
	unsafe := "the running kernel shows no such mode: vfio is not loaded (modprobe vfio-pci) " +
		"or was built without CONFIG_VFIO_NOIOMMU"
	if mode == noIOMMUOff {
		unsafe = "echo 1 > " + noIOMMUFile
	}
	return &Error{Op: opBind, Device: a.String(), Err: errors.ErrUnsupported,
		Reason: "the function has no IOMMU group, so vfio-pci would refuse it",
		Remedy: "either switch the IOMMU on (in the firmware, and on the kernel command line " +
			"intel_iommu=on for Intel, amd_iommu=on for AMD; on Arm the device tree or the ACPI tables " +
			"must have the SMMU; a virtual machine needs a virtual IOMMU and iommu_platform=on for the " +
			"device), or let vfio work without one, which leaves all memory open to the device: " + unsafe +
			", then open the port with noiommu=1"}
}

// writeError is a write that the kernel did not accept.
func writeError(w Write, err error) *Error {
	return &Error{Op: opWrite, Device: w.Path, Value: w.Value, Remedy: writeRemedy(w, err), Err: err}
}

func writeRemedy(w Write, err error) string {
	bind := strings.HasSuffix(w.Path, "/bind")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "run as root"
	case errors.Is(err, syscall.EROFS):
		return "sysfs is mounted read-only, as in a container: run on the host"
	case errors.Is(err, syscall.ENODEV) && bind:
		return "the driver does not take this device"
	case errors.Is(err, syscall.EBUSY):
		return "another driver or process holds the function"
	case errors.Is(err, syscall.EINVAL) && bind:
		return "with vfio-pci this usually means that the function has no working IOMMU: see dmesg"
	case bind:
		return "see dmesg for what the driver says"
	}
	return ""
}

// verifyError is a function that did not get the wanted driver although the kernel accepted every
// write. want and got are "" for no driver, want may be KernelChoice.
func verifyError(a pci.Address, want, got string) *Error {
	remedy := "see dmesg"
	if want == KernelChoice && got == "" {
		remedy = fmt.Sprintf("load its module with: modprobe $(cat %s/modalias)", functionDir(a))
	}
	if want == "" {
		want = "no driver"
	}
	if got == "" {
		got = "no driver"
	}
	return &Error{Op: opBind, Device: a.String(), Remedy: remedy,
		Reason: fmt.Sprintf("it should be with %s but is with %s", want, got)}
}

// RollbackError is a failure after which the former state could not be restored.
type RollbackError struct {
	Cause error // what failed first
	Undo  error // what failed while the former state was restored
}

// Unwrap returns both errors.
func (e *RollbackError) Unwrap() []error { return []error{e.Cause, e.Undo} }

// Error names both errors and how to see the present state.
func (e *RollbackError) Error() string {
	return fmt.Sprintf("%v; and the former state could not be restored: %v; "+
		"devbind status shows how things are", e.Cause, e.Undo)
}
