package hugepages

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Memory is memory that a device can use. Its methods may be called from several goroutines, except
// [Memory.Release], which must not run at the same time as another method. Access to the bytes is
// not synchronized.
type Memory struct {
	file     *os.File
	data     []byte
	pageSize int
}

// Bytes returns the memory, nil after Release.
func (m *Memory) Bytes() []byte { return m.data }

// Address returns the virtual address of the first byte, 0 after Release.
func (m *Memory) Address() uint64 { return addressOf(m.data) }

// PageSize returns the size of its pages in bytes. Inside a page physical addresses are contiguous.
func (m *Memory) PageSize() int { return m.pageSize }

// FD returns the descriptor of the file that holds the memory from offset 0 on, -1 after Release,
// which closes it. A process that is given the descriptor shares all of the memory; the comment of
// the package says what it can do.
func (m *Memory) FD() int {
	if m.file == nil {
		return -1
	}
	return int(m.file.Fd())
}

// Populate makes pages present again that another process, which shares the memory, has
// removed; they are all zeros. It fails with a [ShortageError] or an [Error] where an
// access would raise SIGBUS: there are no pages, or the file was truncated.
func (m *Memory) Populate() error {
	if m.data == nil {
		return &Error{Op: "populate", Reason: "the memory was released", Err: os.ErrClosed}
	}
	info, err := m.file.Stat()
	if err != nil {
		return fileError("populate pages of", m.pageSize, err)
	}
	if info.Size() < int64(len(m.data)) {
		return &Error{Op: "populate", Value: inUnits(len(m.data)), Err: unix.EFAULT,
			Reason: fmt.Sprintf("a process that shares the file has truncated it to %d bytes", info.Size()),
			Remedy: "share memory on a memfd, which cannot be truncated"}
	}
	number := retry(func() error { return unix.Madvise(m.data, unix.MADV_POPULATE_WRITE) })
	if number == unix.EINVAL { // before Linux 5.14
		number = retry(func() error {
			return unix.Fallocate(int(m.file.Fd()), 0, 0, int64(len(m.data)))
		})
	}
	if number == 0 {
		return nil
	}
	return (&Options{}).shortage(fileError("populate pages of", m.pageSize, number), m.pageSize,
		len(m.data))
}

// Release returns the memory to the kernel. No device may be using it, and no goroutine may access
// the bytes afterwards. It may be called more than once.
func (m *Memory) Release() error {
	var unmapErr, closeErr error
	if m.data != nil {
		unmapErr = unmap(m.data)
		m.data = nil
	}
	if m.file != nil {
		closeErr = m.file.Close()
		m.file = nil
	}
	return errors.Join(unmapErr, closeErr)
}

// populate makes every page of data present, or fails where a later access would raise SIGBUS.
func populate(file *os.File, data []byte, pageSize int) error {
	err := retry(func() error { return unix.Madvise(data, unix.MADV_POPULATE_WRITE) })
	if err == unix.EINVAL { // before Linux 5.14
		return populateByWriting(file, data, pageSize)
	}
	if err != 0 {
		return err
	}
	return nil
}

// populateByWriting does it in two steps: fallocate gives the file its pages, which fails if there
// are too few; one write to each page, which then cannot raise SIGBUS, enters it into the page
// table, which pagemap reads.
func populateByWriting(file *os.File, data []byte, pageSize int) error {
	err := retry(func() error { return unix.Fallocate(int(file.Fd()), 0, 0, int64(len(data))) })
	if err != 0 {
		return err
	}
	for at := 0; at < len(data); at += pageSize {
		data[at] = 0
	}
	return nil
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) unix.Errno {
	err := unix.EINTR
	for tries := 0; tries < 100 && (err == unix.EINTR || err == unix.EAGAIN); tries++ {
		err = errno(call())
	}
	return err
}

// errno returns the error number of a system call, 0 for none.
func errno(err error) unix.Errno {
	var n unix.Errno
	if err != nil && !errors.As(err, &n) {
		return unix.EIO
	}
	return n
}
