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

// DMA tells which device addresses MapDMA takes.
func (f *Function) DMA() pci.DMA {
	return pci.DMA{Physical: f.physical, Ranges: f.limits.ranges}
}

// MapDMA lets the device read and write mem at the addresses from iova on.
// iova, the address and the length of mem are multiples of the IOMMU's page
// size. The pages are locked into memory: a *MemlockError says that the process
// may not lock as much, a *DMAError what else is wrong.
//
// Without an IOMMU there is nothing to map and every address is taken: mem must
// be in hugepages, which stay where they are.
func (f *Function) MapDMA(iova uint64, mem []byte) error {
	size := uint64(len(mem))
	fail := func(reason string, err error) error {
		return &DMAError{Op: "map", IOVA: iova, Size: size, Reason: reason, Err: err}
	}
	if size == 0 || iova+(size-1) < iova {
		return fail("nothing, or beyond the last address", nil)
	}
	if f.physical {
		return nil
	}
	if (iova|size|addressOf(mem))&(f.limits.pageSize-1) != 0 {
		return fail(fmt.Sprintf("address %#x in memory, address for the device and length must be multiples of the IOMMU's pages of %d bytes",
			addressOf(mem), f.limits.pageSize), nil)
	}
	if !inRanges(f.limits.ranges, iova, size) {
		return fail("the IOMMU does not take these addresses; it takes "+rangesText(f.limits.ranges), nil)
	}
	lock := memlock()
	if err := lock.check(size); err != nil {
		return err
	}
	arg := dmaMap{Flags: dmaRead | dmaWrite, Vaddr: addressOf(mem), Iova: iova, Length: size}
	_, err := ioctlBytes(f.container, mapDMA, argument(arg))
	if errors.Is(err, unix.ENOMEM) {
		// Capabilities in a user namespace are not those that the kernel asks for.
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

// mapRefusal says in words why the kernel refused a mapping.
func mapRefusal(err error) string {
	switch {
	case errors.Is(err, unix.ENOMEM):
		return "the kernel is out of memory"
	case errors.Is(err, unix.EEXIST):
		return "part of it is mapped already"
	case errors.Is(err, unix.ENOSPC):
		return "there are too many mappings; as root: echo 1000000 > /sys/module/vfio_iommu_type1/parameters/dma_entry_limit"
	}
	return "the kernel refused it"
}

// UnmapDMA takes back a mapping that MapDMA made, as a whole.
func (f *Function) UnmapDMA(iova uint64, size int) error {
	if f.physical {
		return nil
	}
	fail := func(reason string, err error) error {
		return &DMAError{Op: "unmap", IOVA: iova, Size: uint64(size), Reason: reason, Err: err}
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

// inRanges tells whether size bytes at iova lie in one of the ranges. No ranges
// at all are all addresses.
func inRanges(ranges []pci.Range, iova, size uint64) bool {
	for _, r := range ranges {
		if iova >= r.First && iova <= r.Last && size-1 <= r.Last-iova {
			return true
		}
	}
	return len(ranges) == 0
}

// rangesText writes ranges for people.
func rangesText(ranges []pci.Range) string {
	var list []string
	for _, r := range ranges {
		list = append(list, fmt.Sprintf("%#x-%#x", r.First, r.Last))
	}
	return strings.Join(list, ", ")
}

// lockedMemory is what the process has locked and what it may lock.
type lockedMemory struct {
	locked, limit uint64
	exempt        bool // CAP_IPC_LOCK: the limit does not apply
}

// memlock reads it. What cannot be read counts as no hindrance: the kernel
// decides in the end.
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

// parse takes what is of interest from the text of /proc/PID/status.
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

// check tells whether size more bytes may be locked.
func (l *lockedMemory) check(size uint64) *MemlockError {
	if l.exempt || l.limit == math.MaxUint64 || l.limit >= l.locked && l.limit-l.locked >= size {
		return nil
	}
	return &MemlockError{Need: l.locked + size, Limit: l.limit}
}
