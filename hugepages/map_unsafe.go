package hugepages

import (
	"math/bits"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapAt maps length bytes of file at exactly address. EEXIST means that something is mapped there
// already.
func mapAt(file *os.File, address uint64, length int) ([]byte, error) {
	// The address belongs to no Go object, so that the conversion cannot hide a pointer from the
	// garbage collector.
	want := uintptr(address)
	at := *(*unsafe.Pointer)(unsafe.Pointer(&want))
	got, err := unix.MmapPtr(int(file.Fd()), 0, at, uintptr(length),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE)
	if err != nil {
		return nil, err
	}
	data := unsafe.Slice((*byte)(got), length)
	if got != at { // before Linux 4.17 the address is only a hint
		_ = unmap(data)
		return nil, unix.EEXIST
	}
	return data, nil
}

// unmap removes a mapping of mapAt.
func unmap(data []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(data)), uintptr(len(data)))
}

// bind binds the pages of data, none of them present yet, to one NUMA node.
func bind(data []byte, node int) error {
	mask := make([]uint, node/bits.UintSize+1)
	mask[node/bits.UintSize] = 1 << (node % bits.UintSize)
	// The kernel uses one bit less than maxnode says.
	_, _, err := unix.Syscall6(unix.SYS_MBIND,
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), unix.MPOL_BIND,
		uintptr(unsafe.Pointer(unsafe.SliceData(mask))), uintptr(len(mask)*bits.UintSize+1), 0)
	if err == unix.ENOSYS && node == 0 { // a kernel without NUMA
		return nil
	}
	if err != 0 {
		return err
	}
	return nil
}

// addressOf returns the address of the first byte, 0 for none.
func addressOf(data []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(data))))
}
