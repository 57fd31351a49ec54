package hugepages

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoHugepages is answered by [errors.Is] where hugepages were wanted and the kernel has none of
// the size, or too few of them.
var ErrNoHugepages = errors.New("no hugepages")

var (
	errNotHugetlbfs  = errors.New("no mount of hugetlbfs")
	errOtherPageSize = errors.New("mounted with another page size")
)

// Error is an operation that failed, or a field of [Options] that is invalid or that this machine
// cannot satisfy. A shortage of pages is a [ShortageError] instead.
//
// It answers [io/fs.ErrPermission] for what the process has no rights to, [os.ErrClosed] after
// [Memory.Release], [ErrNoHugepages] and [errors.ErrUnsupported] for a page size that the kernel
// lacks.
type Error struct {
	Op     string // "allocate", "place", and so on
	Field  string // of Options, "" if no field is the cause
	Value  any    // of the field, or what Op was applied to
	Reason string
	Remedy string // "" if there is none
	Err    error  // cause, nil if there is none
}

// Error names the operation, the value, the reason and the remedy.
func (e *Error) Error() string {
	value := fmt.Sprint(e.Value)
	if address, ok := e.Value.(uint64); ok {
		value = fmt.Sprintf("%#x", address)
	}
	text := "hugepages: " + e.Op
	if e.Field != "" {
		text += fmt.Sprintf(": %s is %s", e.Field, value)
	} else if e.Value != nil {
		text += " " + value
	}
	switch {
	case e.Reason == "" && e.Err != nil:
		text += fmt.Sprintf(": %v", e.Err)
	case e.Err != nil:
		text += fmt.Sprintf(": %s (%v)", e.Reason, e.Err)
	default:
		text += ": " + e.Reason
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const opCreate = "create a file on pages of"

// fileError is an operation on a file on pages of pageSize that failed.
func fileError(op string, pageSize int, err error) *Error {
	e := &Error{Op: op, Value: inUnits(pageSize), Err: err}
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		e.Reason = openFiles()
		e.Remedy = "raise the limit (ulimit -n, LimitNOFILE= of a service)"
	case op == opCreate && pageSize == os.Getpagesize():
		e.Remedy = "allow memfd_create, which a seccomp profile may refuse, or make room in /dev/shm"
	case op == opCreate:
		e.Remedy = fmt.Sprintf("where memfd_create is refused, name a directory: "+
			"mount -t hugetlbfs -o pagesize=%d none DIR", pageSize)
	}
	return e
}

// openFiles says how many files the process may have open.
func openFiles() string {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return "too many open files"
	}
	return fmt.Sprintf("the process may have %d open files and needs more", limit.Cur)
}

// optionError is an invalid field of Options.
func optionError(field string, value any, reason string) *Error {
	return &Error{Op: "allocate", Field: field, Value: value, Reason: reason}
}

// sizeError says that the kernel has no hugepages of the wanted size, 0 for any size.
func sizeError(wanted int, supported []Size) *Error {
	e := &Error{Op: "allocate", Err: noPages{}}
	if len(supported) == 0 {
		e.Reason = "the kernel shows no hugepages in /sys/kernel/mm/hugepages"
		e.Remedy = "mount sysfs, use a kernel with CONFIG_HUGETLBFS, or allow ordinary pages"
		return e
	}
	var names []string
	for _, s := range supported {
		names = append(names, inUnits(s.Bytes))
	}
	e.Field, e.Value = "PageSize", wanted
	e.Reason = fmt.Sprintf("the kernel has no pages of %d bytes", wanted)
	e.Remedy = "it has pages of " + strings.Join(names, ", ")
	return e
}

// noPages is the cause of a page size that the kernel lacks.
type noPages struct{}

func (noPages) Error() string { return ErrNoHugepages.Error() }

func (noPages) Is(target error) bool {
	return target == ErrNoHugepages || target == errors.ErrUnsupported
}

// ShortageError says that there are fewer pages than wanted. It answers [ErrNoHugepages] unless
// ordinary pages were wanted.
type ShortageError struct {
	// PageSize is the size of a page in bytes.
	PageSize int
	// Wanted and Free count pages; Total is the size of the pool. Free and Total are 0 for ordinary
	// pages.
	Wanted, Free, Total int
	// Node is the NUMA node that was asked for, -1 for any.
	Node int
	// Err is the error number of the kernel.
	Err error
}

// Error names the shortage and the command that ends it.
func (e *ShortageError) Error() string {
	where := ""
	if e.Node >= 0 {
		where = fmt.Sprintf(" on NUMA node %d", e.Node)
	}
	if e.ordinary() {
		return fmt.Sprintf("hugepages: %s of ordinary pages%s are not available (%v); "+
			"free memory, or ask for less", inUnits(e.Wanted*e.PageSize), where, e.Err)
	}
	return fmt.Sprintf("hugepages: %d pages of %s%s are wanted and %d are free (%v); %s",
		e.Wanted, inUnits(e.PageSize), where, e.Free, e.Err, e.remedy())
}

// Is reports whether target is [ErrNoHugepages] and hugepages were wanted.
func (e *ShortageError) Is(target error) bool { return target == ErrNoHugepages && !e.ordinary() }

// Unwrap returns the error number of the kernel.
func (e *ShortageError) Unwrap() error { return e.Err }

func (e *ShortageError) ordinary() bool { return e.PageSize == os.Getpagesize() }

// remedy returns the command to run as root, if one helps.
func (e *ShortageError) remedy() string {
	if e.Free >= e.Wanted {
		return fmt.Sprintf("the pool has enough, so the control group (hugetlb.%s.max), the cpuset "+
			"or another program that took them first limits it", cgroupUnits(e.PageSize))
	}
	dir := pool(e.PageSize)
	if e.Node >= 0 {
		dir = nodePool(e.Node, e.PageSize)
	}
	return fmt.Sprintf("as root: echo %d > %s", e.Total+e.Wanted-e.Free,
		filepath.Join("/", dir, "nr_hugepages"))
}
