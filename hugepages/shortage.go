package hugepages

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// shortage turns the error numbers that mean too few pages into a [ShortageError] with the counts,
// and returns other errors as they are.
func (o *Options) shortage(err error, pageSize, length int) error {
	// MADV_POPULATE_WRITE fails with EFAULT where an access would raise SIGBUS.
	var number unix.Errno
	if !errors.As(err, &number) ||
		number != unix.ENOMEM && number != unix.EFAULT && number != unix.ENOSPC {
		return err
	}
	short := &ShortageError{PageSize: pageSize, Wanted: length / pageSize, Node: o.node(), Err: number}
	sizes, sizesErr := Sizes("/")
	if sizesErr != nil {
		return short
	}
	for _, s := range sizes {
		if s.Bytes == pageSize {
			short.Total, short.Free = s.count(o.node())
		}
	}
	return short
}

// count returns the pages of a node, or of all nodes for -1, and how many of them are free.
func (s *Size) count(node int) (total, free int) {
	if node < 0 {
		return s.Total, max(0, s.Free-s.Reserved)
	}
	for _, n := range s.Nodes {
		if n.Node == node {
			return n.Total, n.Free
		}
	}
	return 0, 0
}

// inUnits formats a number of bytes with the largest unit that divides it: "2 MiB".
func inUnits(bytes int) string {
	units := [...]string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	u := 0
	for u < len(units)-1 && bytes >= 1024 && bytes%1024 == 0 {
		bytes /= 1024
		u++
	}
	return fmt.Sprintf("%d %s", bytes, units[u])
}

// cgroupUnits formats a page size as in the names of control files: "2MB".
func cgroupUnits(bytes int) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%dGB", bytes>>30)
	}
	if bytes >= 1<<20 {
		return fmt.Sprintf("%dMB", bytes>>20)
	}
	return fmt.Sprintf("%dKB", bytes>>10)
}
