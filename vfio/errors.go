package vfio

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// ErrInUse is answered by [errors.Is] where the IOMMU group, or another function of it, is in use
// by this process, another process or a kernel driver.
var ErrInUse = errors.New("in use")

// Error is an operation on a function that failed.
//
// It answers [ErrInUse], [io/fs.ErrPermission] where the process lacks a right,
// [io/fs.ErrNotExist] for a function or a device node that does not exist,
// [errors.ErrUnsupported] where there is no IOMMU or no reset, and [os.ErrClosed] after
// [Function.Close].
type Error struct {
	Op     string // "open", "reset", "map … bytes at device address", or the name of an ioctl
	Device string // the address of the function, the IOMMU group or the device node; may be ""
	Value  any    // what is wrong, nil if Reason says it
	Reason string
	Remedy string // "" if there is none
	Err    error  // cause, nil if there is none
}

// Error names the operation, the device, the reason and the remedy.
func (e *Error) Error() string {
	text := "vfio: " + e.Op
	if e.Device != "" {
		text += " " + e.Device
	}
	if e.Value != nil {
		text += fmt.Sprintf(" %#x", e.Value)
	}
	switch {
	case e.Reason == "":
		text += fmt.Sprintf(": %v", e.Err)
	case e.Err == nil, e.Err == ErrInUse, e.Err == errors.ErrUnsupported: // Reason says it
		text += ": " + e.Reason
	default:
		text += fmt.Sprintf(": %s (%v)", e.Reason, e.Err)
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Is reports whether target is [ErrInUse] and the kernel answered EBUSY.
func (e *Error) Is(target error) bool { return target == ErrInUse && errors.Is(e.Err, unix.EBUSY) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotBoundError says that the function has another driver than vfio-pci. It answers [ErrInUse]
// where InUse says why.
type NotBoundError struct {
	Address string
	Driver  string   // the driver it has, "" for none
	Netdevs []string // the network interfaces that this driver gives it, nil if that is not known
	// InUse is what the function is used for, in words: binding it would end that.
	InUse []string
}

// Error names the function, what it is used for, its driver and the command that changes it.
func (e *NotBoundError) Error() string {
	text := fmt.Sprintf("vfio: PCI function %s ", e.Address)
	if e.InUse != nil {
		text += "is in use: " + strings.Join(e.InUse, "; ") + "; it "
	}
	if e.Driver != "" {
		text += "has the driver " + e.Driver
	} else {
		text += "has no driver"
	}
	if len(e.Netdevs) > 0 {
		text += fmt.Sprintf(" (interface %s)", strings.Join(e.Netdevs, ", "))
	}
	text += " and must have vfio-pci; "
	if e.InUse != nil {
		text += "choose another, or free it first and then, "
	}
	return text + "as root: devbind bind " + e.Address
}

// Is reports whether target is [ErrInUse] and the function is in use.
func (e *NotBoundError) Is(target error) bool { return target == ErrInUse && e.InUse != nil }

// MemlockError says that mapping memory would lock more of it than the process may. It answers
// [io/fs.ErrPermission].
type MemlockError struct {
	// Need is what would be locked in total, Limit what may be, in bytes.
	Need, Limit uint64
	// Err is what the kernel answered, nil if it was not asked.
	Err error
}

// Error names both numbers and the ways to raise the limit.
func (e *MemlockError) Error() string {
	return fmt.Sprintf("vfio: the device's memory must be locked: %d bytes in all, and the limit "+
		"is %d; raise it (ulimit -l %d, LimitMEMLOCK= of systemd, "+
		"memlock in /etc/security/limits.conf), "+
		"or give the process CAP_IPC_LOCK", e.Need, e.Limit, (e.Need+1023)/1024)
}

// Is reports whether target is [io/fs.ErrPermission].
func (e *MemlockError) Is(target error) bool { return target == fs.ErrPermission }

// Unwrap returns what the kernel answered.
func (e *MemlockError) Unwrap() error { return e.Err }

// iommuRemedy is how to get an IOMMU.
const iommuRemedy = "boot with intel_iommu=on (Intel) or amd_iommu=on (AMD), have firmware that " +
	"describes the SMMU (Arm), or ask for a vIOMMU (in a VM)"

// noIOMMUError refuses a function that no IOMMU confines. inGroup says that the kernel offers it in
// no-IOMMU mode, so that only the application's consent is missing.
func noIOMMUError(address string, inGroup bool) *Error {
	e := &Error{Op: "open", Device: address, Err: errors.ErrUnsupported}
	if inGroup {
		e.Reason = "the function has no IOMMU: it could write to all of memory"
		e.Remedy = iommuRemedy + ", or accept the risk with noiommu=1"
		return e
	}
	e.Reason = "the function is in no IOMMU group"
	e.Remedy = iommuRemedy + ", or, unsafe, as root: " +
		"echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, " +
		"bind it again and use noiommu=1"
	return e
}

// notViableError says that functions of the group belong to kernel drivers: the IOMMU cannot
// separate them from the function to open.
func notViableError(group int, members []member) *Error {
	var all, bind []string
	for _, m := range members {
		driver := m.driver
		if driver == "" {
			driver = "no driver"
		}
		all = append(all, fmt.Sprintf("%s (%s)", m.address, driver))
		if m.driver != "" && !isVFIO(m.driver) && m.driver != "pci-stub" && m.driver != "pcieport" {
			bind = append(bind, m.address)
		}
	}
	e := &Error{Op: "open", Device: groupName(group), Err: ErrInUse,
		Reason: "it is not viable, all its functions must belong to vfio-pci or to no driver: " +
			strings.Join(all, ", ")}
	if len(bind) > 0 {
		e.Remedy = "as root: devbind bind " + strings.Join(bind, " ")
	}
	return e
}

// busyError says that the group is open: a group has one owner, and one function of a group can be
// open.
func busyError(group int, path string) *Error {
	return &Error{Op: "open", Device: groupName(group), Err: ErrInUse,
		Reason: fmt.Sprintf("it is in use: %s is open already", path),
		Remedy: fmt.Sprintf("end the other user (as root: fuser -v %s), "+
			"or use functions of different groups", path)}
}

func groupName(group int) string { return fmt.Sprintf("IOMMU group %d", group) }

// replyError is a reply of the kernel that is invalid.
func replyError(call string, value uint64, reason string) *Error {
	return &Error{Op: call, Reason: fmt.Sprintf("invalid reply: %s (%#x)", reason, value),
		Remedy: "is this kernel's VFIO the one of linux/vfio.h?"}
}

// irqError is a failure to set up interrupts: wanted vectors of those that there are.
func irqError(kind pci.IRQ, wanted, vectors int, reason string, err error) *Error {
	return &Error{Op: fmt.Sprintf("set %s interrupts (%d of %d vectors)", kind, wanted, vectors),
		Reason: reason, Err: err}
}

// resetError says that the function cannot be reset.
func resetError(address string, err error) *Error {
	return &Error{Op: "reset", Device: address, Reason: "the function cannot be reset as a whole",
		Err: err}
}
