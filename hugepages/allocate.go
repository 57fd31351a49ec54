package hugepages

import (
	"errors"
	"os"
)

// The default window of virtual addresses. Its end is below the limit of the narrowest IOMMU in use
// (39 bits), and it lies between the program and Go's heap (0xc000000000 on amd64, 0x4000000000 on
// arm64).
const (
	DefaultFirst = 4 << 30
	DefaultLast  = 256<<30 - 1
)

// Options says what memory [Allocate] returns. Only Bytes is required.
type Options struct {
	// Bytes is the size wanted, at least 1; it is rounded up to whole pages.
	Bytes int
	// PageSize is the page size in bytes. 0 takes the smallest hugepage size that has enough free
	// pages; the size of an ordinary page ([os.Getpagesize]) takes ordinary pages without trying
	// hugepages.
	PageSize int
	// Node is the NUMA node the pages must come from: new(1) is node 1. nil, or a negative number
	// as sysfs shows for a device without a node, is any.
	Node *int
	// SmallPages allows ordinary pages when there are no hugepages. It has no effect unless
	// PageSize is 0.
	SmallPages bool
	// First and Last are the first and the last virtual address that may be used; both 0 mean
	// [DefaultFirst] and [DefaultLast]. Last may exceed the addresses of a process. Addresses from
	// 4 GiB on are preferred.
	First, Last uint64
	// Name is the name in /proc/PID/maps; "" is "virtio-pmd".
	Name string
	// Dir is a mount of hugetlbfs in which an unlinked file is created, for systems that refuse
	// memfd_create with MFD_HUGETLB. "" tries memfd, then the mounts in /proc/mounts.
	Dir string
}

// Allocate returns memory of at least o.Bytes bytes: zeroed, populated, contiguous in virtual
// addresses, and inside the window.
//
// Too few pages are a [ShortageError], any other failure is an [Error]. With hugepages wanted,
// [errors.Is] answers [ErrNoHugepages] where they are missing.
//
// The caller owns the memory until [Memory.Release]. The garbage collector does not release it,
// because a device may be using it.
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

// allocateHuge tries the page sizes that o allows, smallest first. It takes the pages without
// counting them first: a count may be out of date, and does not include the limits of control
// groups and overcommit.
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
		return nil, sizeError(o.PageSize, sizes)
	}
	return nil, first
}

// allocate allocates memory in pages of one size.
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

// fill maps the file of mem and populates every page.
func (o *Options) fill(mem *Memory, length int) error {
	first, last := o.window()
	data, err := mapInWindow(mem.file, length, mem.pageSize, first, last)
	if err != nil {
		return o.shortage(err, mem.pageSize, length)
	}
	mem.data = data
	if node := o.node(); node >= 0 {
		if err := bind(data, node); err != nil {
			return &Error{Op: "allocate", Field: "Node", Value: node, Reason: "the NUMA node cannot be used",
				Remedy: "/sys/devices/system/node/has_memory lists the nodes that can, or ask for none",
				Err:    err}
		}
	}
	if err := populate(mem.file, data, mem.pageSize); err != nil {
		return o.shortage(fileError("populate pages of", mem.pageSize, err), mem.pageSize, length)
	}
	return nil
}

// check returns an error for invalid options.
func (o *Options) check() error {
	if o.Bytes < 1 {
		return optionError("Bytes", o.Bytes, "must be at least 1")
	}
	if o.PageSize < 0 || o.PageSize&(o.PageSize-1) != 0 {
		return optionError("PageSize", o.PageSize, "must be a power of two, or 0 for any")
	}
	if o.First > o.Last {
		return optionError("First", o.First, "is greater than Last")
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
		return 0, optionError("Bytes", n, "is more than a process can address")
	}
	return rounded, nil
}
