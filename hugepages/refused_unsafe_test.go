package hugepages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// TestMemfdRefused: where a seccomp profile refuses memfd_create, ordinary pages are those of a
// file without a name, and the error of hugepages names a mount.
func TestMemfdRefused(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=no memfd", "TMPDIR="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// withoutMemfd allocates in a process in which memfd_create fails with EPERM.
func withoutMemfd() error {
	if err := refuse(unix.SYS_MEMFD_CREATE); err != nil {
		return err
	}
	if _, err := (&Options{}).memfd(0); !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("memfd_create is not refused: %w", err)
	}
	mem, err := Allocate(Options{Bytes: 1 << 20, PageSize: os.Getpagesize()})
	if err != nil {
		return err
	}
	mem.Bytes()[1<<20-1] = 7
	var stat unix.Stat_t
	if err := unix.Fstat(mem.FD(), &stat); err != nil || stat.Nlink != 0 || stat.Size != 1<<20 {
		return fmt.Errorf("the file: %d names, %d bytes, %w", stat.Nlink, stat.Size, err)
	}
	var b [1]byte
	if _, err := unix.Pread(mem.FD(), b[:], 1<<20-1); err != nil || b[0] != 7 {
		return fmt.Errorf("the file has not what was written to memory: %v, %w", b, err)
	}
	if err := mem.Release(); err != nil {
		return err
	}
	// More than there is room for.
	_, err = openTemporary(1<<62, unix.EPERM)
	if !errors.Is(err, unix.ENOSPC) || !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("2^62 bytes: %w", err)
	}
	if text := fileError(opCreate, os.Getpagesize(), err).Error(); strings.Contains(text, "mount -t") {
		return fmt.Errorf("ordinary pages are not those of hugetlbfs: %s", text)
	}
	return nil
}

// refuse makes a system call fail with EPERM, in the whole process and for good.
func refuse(call uint32) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x00050000 | uint32(unix.EPERM)}, // SECCOMP_RET_ERRNO
		{Code: unix.BPF_RET | unix.BPF_K, K: 0x7fff0000},                      // SECCOMP_RET_ALLOW
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const setModeFilter, allThreads = 1, 1
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, allThreads,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// TestOutOfDescriptors: that the process may have no further file is said, with the limit.
func TestOutOfDescriptors(t *testing.T) {
	release := fdtest.Limit(t, 0)
	_, err := Allocate(Options{Bytes: 1, PageSize: os.Getpagesize()})
	release()
	if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "open files and needs more") {
		t.Errorf("%v", err)
	}
}
