package vfio

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ioctl makes a request whose argument is a number.
func ioctl(file *os.File, r request, arg uintptr) (int, error) {
	for {
		fd := file.Fd()
		n, _, err := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(r), arg)
		runtime.KeepAlive(file)
		if err == 0 {
			return int(n), nil
		}
		if err != unix.EINTR {
			return 0, callError(r, fd, err)
		}
	}
}

// ioctlBytes makes a request whose argument is a structure that the kernel reads and may write.
func ioctlBytes(file *os.File, r request, arg []byte) (int, error) {
	for {
		fd := file.Fd()
		n, _, err := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(r),
			uintptr(unsafe.Pointer(unsafe.SliceData(arg))))
		runtime.KeepAlive(file)
		if err == 0 {
			return int(n), nil
		}
		if err != unix.EINTR {
			return 0, callError(r, fd, err)
		}
	}
}

// addressOf returns the virtual address of the first byte.
func addressOf(mem []byte) uint64 {
	return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))
}
