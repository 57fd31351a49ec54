package hugepages

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

var (
	errNotHugetlbfs  = errors.New("no mount of hugetlbfs")
	errOtherPageSize = errors.New("mounted with another page size")
)

// ShortageError says that there are fewer pages than wanted.
type ShortageError struct {
	// PageSize is the size of a page in bytes.
	PageSize int
	// Wanted and Free count pages; Total is the size of the pool. Free and
	// Total are 0 for ordinary pages.
	Wanted, Free, Total int
	// Node is the NUMA node that was asked for, -1 for any.
	Node int
	// Err is what the kernel answered.
	Err error
}

// Error names the shortage and the command that ends it.
func (e *ShortageError) Error() string {
	where := ""
	if e.Node >= 0 {
		where = fmt.Sprintf(" on NUMA node %d", e.Node)
	}
	if e.PageSize == os.Getpagesize() {
		return fmt.Sprintf("hugepages: %s of ordinary pages%s cannot be had (%v); free memory, or ask for less",
			inUnits(e.Wanted*e.PageSize), where, e.Err)
	}
	return fmt.Sprintf("hugepages: %d pages of %s%s are wanted and %d are free (%v); %s",
		e.Wanted, inUnits(e.PageSize), where, e.Free, e.Err, e.Remedy())
}

// Remedy is what to do about it: the command to run as root, if one helps.
func (e *ShortageError) Remedy() string {
	if e.Free >= e.Wanted {
		return fmt.Sprintf("the pool has enough, so the control group (hugetlb.%s.max), the cpuset or another program that took them first limits it",
			cgroupUnits(e.PageSize))
	}
	dir := pool(e.PageSize)
	if e.Node >= 0 {
		dir = nodePool(e.Node, e.PageSize)
	}
	return fmt.Sprintf("as root: echo %d > %s", e.Total+e.Wanted-e.Free, filepath.Join("/", dir, "nr_hugepages"))
}

// Unwrap returns what the kernel answered.
func (e *ShortageError) Unwrap() error { return e.Err }

// SizeError says that the kernel has no hugepages of the wanted size.
type SizeError struct {
	// Wanted is the page size in bytes, 0 if any would have done.
	Wanted int
	// Supported are the sizes that there are.
	Supported []Size
}

// Error names the size and those that there are.
func (e *SizeError) Error() string {
	if len(e.Supported) == 0 {
		return "hugepages: the kernel shows no hugepages in /sys/kernel/mm/hugepages; mount sysfs, use a kernel with CONFIG_HUGETLBFS, or allow ordinary pages"
	}
	var names []string
	for _, s := range e.Supported {
		names = append(names, inUnits(s.Bytes))
	}
	return fmt.Sprintf("hugepages: the kernel has no pages of %d bytes; it has pages of %s", e.Wanted, strings.Join(names, ", "))
}

// WindowError says that no gap between the addresses First and Last holds Bytes.
type WindowError struct {
	Bytes, PageSize int
	First, Last     uint64
}

// Error names the window and what was to be placed in it.
func (e *WindowError) Error() string {
	return fmt.Sprintf("hugepages: no room for %s in pages of %s between the addresses %#x and %#x; ask for less or for a wider window",
		inUnits(e.Bytes), inUnits(e.PageSize), e.First, e.Last)
}

// NodeError says that memory could not be bound to a NUMA node.
type NodeError struct {
	Node int
	Err  error
}

// Error names the node.
func (e *NodeError) Error() string {
	return fmt.Sprintf("hugepages: NUMA node %d cannot be used (%v); /sys/devices/system/node/has_memory lists the nodes that can, or ask for none", e.Node, e.Err)
}

// Unwrap returns what the kernel answered.
func (e *NodeError) Unwrap() error { return e.Err }

// FileError says that a file on pages of PageSize could not be made or mapped.
type FileError struct {
	PageSize int
	// Op is what was tried, and Err why it failed.
	Op  string
	Err error
}

const opCreate = "create a file on"

// Error names what was tried and how to make it possible.
func (e *FileError) Error() string {
	text := fmt.Sprintf("hugepages: cannot %s pages of %s: %v", e.Op, inUnits(e.PageSize), e.Err)
	if e.Op == opCreate {
		text += fmt.Sprintf("; where memfd_create is refused, name a directory: mount -t hugetlbfs -o pagesize=%d none DIR", e.PageSize)
	}
	return text
}

// Unwrap returns why it failed.
func (e *FileError) Unwrap() error { return e.Err }

// OptionError says that one of the Options makes no sense.
type OptionError struct {
	Option string
	Value  any
	Reason string
}

// Error names the option, the value and what is wrong with it.
func (e *OptionError) Error() string {
	return fmt.Sprintf("hugepages: %s is %v: %s", e.Option, e.Value, e.Reason)
}

// PhysicalError says that the physical address of a page is not to be had.
type PhysicalError struct {
	// Address is the virtual address of the page.
	Address uint64
	// Reason is why, and Remedy what would help.
	Reason, Remedy string
	// Err is what the kernel answered, nil if it only answered nothing of use.
	Err error
}

// Error names the page, the reason and the remedy.
func (e *PhysicalError) Error() string {
	text := fmt.Sprintf("hugepages: no physical address for %#x: %s", e.Address, e.Reason)
	if e.Err != nil {
		text += fmt.Sprintf(" (%v)", e.Err)
	}
	return text + "; " + e.Remedy
}

// Unwrap returns what the kernel answered.
func (e *PhysicalError) Unwrap() error { return e.Err }
