package hugepages

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// residency asks mincore(2) which pages of data are in memory.
func residency(data, vec []byte) error {
	_, _, err := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
		uintptr(unsafe.Pointer(&vec[0])))
	if err != 0 {
		return err
	}
	return nil
}
