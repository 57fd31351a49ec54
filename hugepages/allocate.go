package hugepages

import (
	"errors"
	"os"
)

// The window in which memory is placed unless Options say otherwise. Its end
// fits the narrowest IOMMU in use (39 bits) with room to spare, and it is clear
// of the program below and of Go's heap above (0xc000000000 on amd64,
// 0x4000000000 on arm64).
const (
	DefaultFirst = 4 << 30
	DefaultLast  = 256<<30 - 1
)

// Options say what memory Allocate is to find. Only Bytes is needed.
type Options struct {
	// Bytes is the size wanted, at least 1; it is rounded up to whole pages.
	Bytes int
	// PageSize is the page size in bytes. 0 takes the smallest hugepage size
	// that has enough free pages; the size of an ordinary page (4096) takes
	// ordinary pages without trying hugepages.
	PageSize int
	// Node is the NUMA node the pages must come from: new(1) is node 1. nil,
	// or a negative number as sysfs gives for a device without one, is any.
	Node *int
	// SmallPages allows ordinary pages when no hugepages can be had. It has no
	// effect unless PageSize is 0.
	SmallPages bool
	// First and Last are the first and the last virtual address that may be
	// used; both 0 mean DefaultFirst and DefaultLast. Last may lie beyond the
	// addresses of a process. Addresses from 4 GiB on are preferred.
	First, Last uint64
	// Name is what /proc/PID/maps shows; "" is "virtio-pmd".
	Name string
	// Dir is a mount of hugetlbfs to take an unlinked file from, for places
	// where memfd_create with MFD_HUGETLB is refused. "" tries memfd, then the
	// mounts in /proc/mounts.
	Dir string
}

// Allocate returns memory of at least o.Bytes bytes: zeroed, populated, and in
// one piece of virtual addresses inside the window.
//
// A *ShortageError says that there are too few pages and what to do about it,
// a *WindowError that no gap in the window is large enough, a *SizeError that
// the kernel lacks the page size, a *NodeError that it lacks the NUMA node, a
// *FileError that no file on hugepages could be made, an *OptionError that o
// makes no sense.
//
// The memory is the caller's until Release. It is deliberately not released by
// the garbage collector, because a device may be using it.
func Allocate(o Options) (*Memory, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.PageSize == os.Getpagesize() {
		return o.allocate(o.PageSize)
	}
	mem, err := o.allocateHuge()
	if err != nil && o.SmallPages && o.PageSize == 0 {
		small, smallErr := o.allocate(os.Getpagesize())
		if smallErr != nil {
			return nil, errors.Join(smallErr, err)
		}
		return small, nil
	}
	return mem, err
}

// allocateHuge tries the page sizes that o allows, smallest first. Whether the
// pages are there is found out by taking them: a count that is read first may
// be out of date, and does not know control groups and overcommit.
func (o *Options) allocateHuge() (*Memory, error) {
	sizes, err := Sizes("/")
	if err != nil {
		return nil, err
	}
	var first error
	for _, s := range sizes {
		if o.PageSize != 0 && s.Bytes != o.PageSize {
			continue
		}
		mem, err := o.allocate(s.Bytes)
		if err == nil {
			return mem, nil
		}
		if first == nil {
			first = err
		}
		var shortage *ShortageError
		if !errors.As(err, &shortage) {
			break
		}
	}
	if first == nil {
		return nil, &SizeError{Wanted: o.PageSize, Supported: sizes}
	}
	return nil, first
}

// allocate takes pages of one size.
func (o *Options) allocate(pageSize int) (*Memory, error) {
	length, err := roundUp(o.Bytes, pageSize)
	if err != nil {
		return nil, err
	}
	file, err := o.open(pageSize, length)
	if err != nil {
		return nil, err
	}
	mem := &Memory{file: file, pageSize: pageSize}
	if err := o.fill(mem, length); err != nil {
		_ = mem.Release() // err is what matters
		return nil, err
	}
	return mem, nil
}

// fill maps the file of mem and makes every page present.
func (o *Options) fill(mem *Memory, length int) error {
	first, last := o.window()
	data, err := place(mem.file, length, mem.pageSize, first, last)
	if err != nil {
		return o.shortage(err, mem.pageSize, length)
	}
	mem.data = data
	if node := o.node(); node >= 0 {
		if err := bind(data, node); err != nil {
			return &NodeError{Node: node, Err: err}
		}
	}
	if err := populate(mem.file, data, mem.pageSize); err != nil {
		return o.shortage(&FileError{PageSize: mem.pageSize, Op: "populate", Err: err}, mem.pageSize, length)
	}
	return nil
}

// check refuses options that make no sense.
func (o *Options) check() error {
	if o.Bytes < 1 {
		return &OptionError{Option: "Bytes", Value: o.Bytes, Reason: "must be at least 1"}
	}
	if o.PageSize < 0 || o.PageSize&(o.PageSize-1) != 0 {
		return &OptionError{Option: "PageSize", Value: o.PageSize, Reason: "must be a power of two, or 0 for any"}
	}
	if o.First > o.Last {
		return &OptionError{Option: "First", Value: o.First, Reason: "lies behind Last"}
	}
	return nil
}

// node returns the NUMA node asked for, -1 for any.
func (o *Options) node() int {
	if o.Node == nil || *o.Node < 0 {
		return -1
	}
	return *o.Node
}

// window returns the first and the last address that may be used.
func (o *Options) window() (first, last uint64) {
	if o.First == 0 && o.Last == 0 {
		return DefaultFirst, DefaultLast
	}
	return o.First, o.Last
}

// roundUp rounds n up to a multiple of pageSize.
func roundUp(n, pageSize int) (int, error) {
	rounded := (n + pageSize - 1) &^ (pageSize - 1)
	if rounded < n {
		return 0, &OptionError{Option: "Bytes", Value: n, Reason: "is more than a process can address"}
	}
	return rounded, nil
}
