package vfio

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// NotFoundError says that sysfs does not have the function.
type NotFoundError struct {
	Address string
	Err     error
}

func (e *NotFoundError) Error() string {
	return fmt.Sprintf("vfio: there is no PCI function %s (%v); lspci -D lists those that there are", e.Address, e.Err)
}
func (e *NotFoundError) Unwrap() error { return e.Err }

// NotBoundError says that the function has another driver than vfio-pci.
type NotBoundError struct {
	Address string
	// Driver is the one it has, "" for none.
	Driver string
}

func (e *NotBoundError) Error() string {
	has := "has no driver"
	if e.Driver != "" {
		has = "has the driver " + e.Driver
	}
	return fmt.Sprintf("vfio: PCI function %s %s and must have vfio-pci; as root: devbind bind %s", e.Address, has, e.Address)
}

// NoIOMMUError says that no IOMMU stands between the function and memory, and
// that this was not allowed, or that the kernel does not allow it.
type NoIOMMUError struct {
	Address string
	// Group is true if the kernel offers the function all the same, in
	// no-IOMMU mode.
	Group bool
}

func (e *NoIOMMUError) Error() string {
	if e.Group {
		return fmt.Sprintf("vfio: PCI function %s has no IOMMU: it could write to all of memory; "+
			"boot with intel_iommu=on or amd_iommu=on (in a VM: ask for a vIOMMU), or accept the risk with noiommu=1", e.Address)
	}
	return fmt.Sprintf("vfio: PCI function %s is in no IOMMU group; boot with intel_iommu=on or amd_iommu=on (in a VM: ask for a vIOMMU), "+
		"or, unsafe, as root: echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode, bind it anew and use noiommu=1", e.Address)
}

// Member is one function of an IOMMU group.
type Member struct {
	Address string
	// Driver is "" for none.
	Driver string
}

// NotViableError says that the IOMMU group cannot be used because functions in
// it belong to kernel drivers: the IOMMU cannot tell them from ours.
type NotViableError struct {
	Group   int
	Members []Member
}

func (e *NotViableError) Error() string {
	var all, bind []string
	for _, m := range e.Members {
		driver := m.Driver
		if driver == "" {
			driver = "no driver"
		}
		all = append(all, fmt.Sprintf("%s (%s)", m.Address, driver))
		if m.Driver != "" && !isVFIO(m.Driver) && m.Driver != "pci-stub" && m.Driver != "pcieport" {
			bind = append(bind, m.Address)
		}
	}
	text := fmt.Sprintf("vfio: IOMMU group %d is not viable, all its functions must belong to vfio-pci or to no driver: %s",
		e.Group, strings.Join(all, ", "))
	if len(bind) > 0 {
		text += "; as root: devbind bind " + strings.Join(bind, " ")
	}
	return text
}

// BusyError says that the IOMMU group is open already, in this process or in
// another: a group has one owner, and one function of a group can be open.
type BusyError struct {
	Group int
	Path  string
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("vfio: IOMMU group %d is in use: %s is open already; end the other user (as root: fuser -v %s), "+
		"or use functions of different groups", e.Group, e.Path, e.Path)
}

// OpenError says that a node below /dev/vfio cannot be opened.
type OpenError struct {
	Path   string
	Err    error
	Remedy string
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("vfio: cannot open %s: %v; %s", e.Path, e.Err, e.Remedy)
}
func (e *OpenError) Unwrap() error { return e.Err }

// CallError says that the kernel refused a request.
type CallError struct {
	// Call is the name of the ioctl.
	Call   string
	Err    error
	Remedy string
}

func (e *CallError) Error() string {
	text := fmt.Sprintf("vfio: %s: %v", e.Call, e.Err)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}
func (e *CallError) Unwrap() error { return e.Err }

// ReplyError says that the kernel's reply to a request makes no sense.
type ReplyError struct {
	Call   string
	Value  uint64
	Reason string
}

func (e *ReplyError) Error() string {
	return fmt.Sprintf("vfio: the reply to %s makes no sense: %s (%#x); is this kernel's VFIO the one of linux/vfio.h?", e.Call, e.Reason, e.Value)
}

// MemlockError says that mapping memory would lock more of it than the process
// may.
type MemlockError struct {
	// Need is what would be locked in all, Limit what may be, in bytes.
	Need, Limit uint64
	// Err is what the kernel answered, nil if it was not asked.
	Err error
}

func (e *MemlockError) Error() string {
	return fmt.Sprintf("vfio: the device's memory must be locked: %d bytes in all, and the limit is %d; "+
		"raise it (ulimit -l %d, LimitMEMLOCK= of systemd, memlock in /etc/security/limits.conf), or give the process CAP_IPC_LOCK",
		e.Need, e.Limit, (e.Need+1023)/1024)
}
func (e *MemlockError) Unwrap() error { return e.Err }

// DMAError says that memory cannot be mapped for the device, or not be taken
// back.
type DMAError struct {
	// Op is "map" or "unmap".
	Op string
	// IOVA is the device address and Size the length in bytes.
	IOVA, Size uint64
	Reason     string
	Err        error
}

func (e *DMAError) Error() string {
	text := fmt.Sprintf("vfio: cannot %s %#x bytes at device address %#x: %s", e.Op, e.Size, e.IOVA, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}
func (e *DMAError) Unwrap() error { return e.Err }

// IRQError says that interrupts cannot be set up.
type IRQError struct {
	Kind pci.IRQ
	// Wanted and Vectors are how many there were to be and how many there are.
	Wanted, Vectors int
	Reason          string
	Err             error
}

func (e *IRQError) Error() string {
	text := fmt.Sprintf("vfio: %s interrupts (%d of %d vectors): %s", e.Kind, e.Wanted, e.Vectors, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text
}
func (e *IRQError) Unwrap() error { return e.Err }

// ResetError says that the function cannot be reset as a whole.
type ResetError struct {
	Address string
	Err     error
}

func (e *ResetError) Error() string {
	return fmt.Sprintf("vfio: PCI function %s cannot be reset as a whole: %v", e.Address, e.Err)
}
func (e *ResetError) Unwrap() error { return e.Err }
