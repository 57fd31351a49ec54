package vfio

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// DMA returns which device addresses [Function.MapDMA] accepts.
func (f *Function) DMA() pci.DMA {
	return pci.DMA{Physical: f.physical, Ranges: f.limits.ranges}
}

// MapDMA lets the device read and write mem at the addresses from iova on. iova, the address and
// the length of mem are multiples of the IOMMU's page size. The pages are locked into memory: a
// [MemlockError] says that the process may not lock as many, an [Error] what else is wrong.
//
// Without an IOMMU there is nothing to map and every address is accepted: mem must be in hugepages,
// which have fixed physical addresses.
func (f *Function) MapDMA(iova uint64, mem []byte) error {
	size := uint64(len(mem))
	fail := func(reason string, err error) error {
		return dmaError("map", iova, size, reason, err)
	}
	if size == 0 || iova+(size-1) < iova {
		return fail("it is empty, or it ends beyond the last address", nil)
	}
	if f.physical {
		return nil
	}
	if (iova|size|addressOf(mem))&(f.limits.pageSize-1) != 0 {
		return fail(fmt.Sprintf("address %#x in memory, address for the device and length must be "+
			"multiples of the IOMMU's pages of %d bytes", addressOf(mem), f.limits.pageSize), nil)
	}
	if !inRanges(f.limits.ranges, iova, size) {
		return fail("the IOMMU does not accept these addresses; it accepts "+rangesText(f.limits.ranges),
			nil)
	}
	lock := memlock()
	if err := lock.check(size); err != nil {
		return err
	}
	arg := dmaMap{Flags: dmaRead | dmaWrite, Vaddr: addressOf(mem), Iova: iova, Length: size}
	_, err := ioctlBytes(f.container, mapDMA, argument(arg))
	if errors.Is(err, unix.ENOMEM) {
		// The kernel checks for the capability in the initial user namespace, /proc shows those of
		// this one.
		lock.exempt = false
		if short := lock.check(size); short != nil {
			short.Err = err
			return short
		}
	}
	if err != nil {
		return fail(mapRefusal(err), err)
	}
	return nil
}

// mapRefusal returns why the kernel refused a mapping.
func mapRefusal(err error) string {
	switch {
	case errors.Is(err, unix.ENOMEM):
		return "the kernel is out of memory"
	case errors.Is(err, unix.EEXIST):
		return "part of it is mapped already"
	case errors.Is(err, unix.ENOSPC):
		return "there are too many mappings; as root: echo 1000000 > " +
			"/sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
	}
	return "the kernel refused it"
}

// UnmapDMA removes a mapping of [Function.MapDMA], as a whole.
func (f *Function) UnmapDMA(iova uint64, size int) error {
	if f.physical {
		return nil
	}
	fail := func(reason string, err error) error {
		return dmaError("unmap", iova, uint64(size), reason, err)
	}
	arg := dmaUnmap{Iova: iova, Length: uint64(size)}
	if err := exchange(f.container, unmapDMA, &arg); err != nil {
		return fail("the kernel refused it", err)
	}
	if arg.Length != uint64(size) {
		return fail(fmt.Sprintf("the kernel had %#x bytes mapped there", arg.Length), nil)
	}
	return nil
}

// dmaError is memory that cannot be mapped for the device, or not be unmapped.
func dmaError(op string, iova, size uint64, reason string, err error) *Error {
	return &Error{Op: fmt.Sprintf("%s %#x bytes at device address", op, size), Value: iova,
		Reason: reason, Err: err}
}

// inRanges reports whether size bytes at iova are in one of the ranges. No ranges at all are all
// addresses.
func inRanges(ranges []pci.Range, iova, size uint64) bool {
	for _, r := range ranges {
		if iova >= r.First && iova <= r.Last && size-1 <= r.Last-iova {
			return true
		}
	}
	return len(ranges) == 0
}

// rangesText formats ranges for a message.
func rangesText(ranges []pci.Range) string {
	var list []string
	for _, r := range ranges {
		list = append(list, fmt.Sprintf("%#x-%#x", r.First, r.Last))
	}
	return strings.Join(list, ", ")
}

// lockedMemory is how much memory the process has locked and how much it may lock.
type lockedMemory struct {
	locked, limit uint64
	exempt        bool // CAP_IPC_LOCK: the limit does not apply
}

// memlock reads it. What cannot be read counts as no limit, because the kernel checks again.
func memlock() lockedMemory {
	lock := lockedMemory{limit: math.MaxUint64}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil {
		lock.limit = limit.Cur
	}
	// Capabilities belong to the thread.
	if status, err := os.ReadFile("/proc/thread-self/status"); err == nil {
		lock.parse(string(status))
	}
	return lock
}

// parse reads locked and exempt from the text of /proc/PID/status.
func (l *lockedMemory) parse(status string) {
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "VmLck":
			if kb, err := strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 54); err == nil {
				l.locked = kb << 10
			}
		case "CapEff":
			if mask, err := strconv.ParseUint(value, 16, 64); err == nil {
				l.exempt = mask&(1<<unix.CAP_IPC_LOCK) != 0
			}
		}
	}
}

// check returns nil if size more bytes may be locked.
func (l *lockedMemory) check(size uint64) *MemlockError {
	if l.exempt || l.limit == math.MaxUint64 || l.limit >= l.locked && l.limit-l.locked >= size {
		return nil
	}
	return &MemlockError{Need: l.locked + size, Limit: l.limit}
}
