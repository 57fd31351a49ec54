package hugepages

import (
	"bufio"
	"errors"
	"math/bits"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// seals keep a process that was given the descriptor from truncating the file, which would turn the
// next access of this process into a SIGBUS. No seal forbids to punch holes and allows to write.
const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// open returns an unlinked file of length bytes on pages of pageSize.
func (o *Options) open(pageSize, length int) (*os.File, error) {
	var file *os.File
	var err error
	switch {
	case pageSize == os.Getpagesize():
		file, err = o.memfd(0)
		if err != nil {
			file, err = openTemporary(length, err)
		}
	case o.Dir != "":
		file, err = openIn(o.Dir, pageSize)
	default:
		file, err = o.memfd(unix.MFD_HUGETLB | bits.TrailingZeros(uint(pageSize))<<unix.MFD_HUGE_SHIFT)
		if err != nil {
			file, err = openMounted(pageSize, err)
		}
	}
	if err != nil {
		return nil, fileError(opCreate, pageSize, err)
	}
	if err := unix.Ftruncate(int(file.Fd()), int64(length)); err != nil {
		file.Close()
		return nil, fileError("set the size of a file on pages of", pageSize, err)
	}
	// A file on a mount cannot be sealed, and before Linux 4.16 neither can a memfd on hugepages;
	// both can be used without seals.
	_, _ = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, seals)
	return file, nil
}

// memfd creates a memory file with further flags.
func (o *Options) memfd(flags int) (*os.File, error) {
	name := o.Name
	if name == "" {
		name = "virtio-pmd"
	}
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|flags)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openTemporary creates an unlinked file on ordinary pages where there is room for length bytes:
// in /dev/shm, or where temporary files are. cause is why memfd_create failed.
func openTemporary(length int, cause error) (*os.File, error) {
	for _, dir := range []string{"/dev/shm", os.TempDir()} {
		var fs unix.Statfs_t
		err := unix.Statfs(dir, &fs)
		if err == nil && fs.Bavail*uint64(fs.Bsize) < uint64(length) {
			err = unix.ENOSPC
		}
		if err != nil {
			cause = errors.Join(cause, &os.PathError{Op: "open", Path: dir, Err: err})
			continue
		}
		file, err := openUnlinked(dir)
		if err == nil {
			return file, nil
		}
		cause = errors.Join(cause, err)
	}
	return nil, cause
}

// openMounted creates a file on the first mount of hugetlbfs that has the page size and can be
// written. cause is why memfd_create failed.
func openMounted(pageSize int, cause error) (*os.File, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, errors.Join(cause, err)
	}
	for _, dir := range hugetlbfs(string(mounts)) {
		file, err := openIn(dir, pageSize)
		if err == nil {
			return file, nil
		}
		cause = errors.Join(cause, err)
	}
	return nil, cause
}

// hugetlbfs returns the directories where hugetlbfs is mounted, from the text of /proc/mounts.
func hugetlbfs(mounts string) []string {
	var dirs []string
	// The kernel writes these four characters of a path in octal.
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	lines := bufio.NewScanner(strings.NewReader(mounts))
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) >= 3 && f[2] == "hugetlbfs" {
			dirs = append(dirs, unescape.Replace(f[1]))
		}
	}
	return dirs
}

// openIn creates an unlinked file on the hugetlbfs mounted at dir.
func openIn(dir string, pageSize int) (*os.File, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	if fs.Type != unix.HUGETLBFS_MAGIC {
		return nil, &os.PathError{Op: "open", Path: dir, Err: errNotHugetlbfs}
	}
	if int64(fs.Bsize) != int64(pageSize) {
		return nil, &os.PathError{Op: "open", Path: dir, Err: errOtherPageSize}
	}
	return openUnlinked(dir)
}

// openUnlinked creates a file without a name in dir.
func openUnlinked(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		return os.NewFile(uintptr(fd), dir), nil
	}
	// Kernels without O_TMPFILE: the file is unlinked after it was created. A process killed in
	// between leaves an empty file, but no page.
	file, err := os.CreateTemp(dir, "virtio-pmd-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}
