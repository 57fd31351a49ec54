package hugepages

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Memory is a piece of memory that a device can be given. It is not for use by
// several goroutines at once while Release is called; what is done with the
// bytes is the caller's affair.
type Memory struct {
	file     *os.File
	data     []byte
	pageSize int
}

// Bytes returns the memory, nil after Release.
func (m *Memory) Bytes() []byte { return m.data }

// Address returns the virtual address of the first byte, 0 after Release.
func (m *Memory) Address() uint64 { return addressOf(m.data) }

// PageSize returns the size of its pages in bytes. Inside a page physical
// addresses follow each other.
func (m *Memory) PageSize() int { return m.pageSize }

// FD returns the descriptor of the file that holds the memory from offset 0 on,
// -1 after Release. It stays the memory's. Whoever is given it shares all of
// the memory, and can neither shrink nor grow it if it is a memfd.
func (m *Memory) FD() int {
	if m.file == nil {
		return -1
	}
	return int(m.file.Fd())
}

// Release gives the memory back to the kernel. No device may be using it and
// nothing may touch the bytes afterwards. It may be called more than once.
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

// populate makes every page of data present, or fails where a later access
// would have raised SIGBUS.
func populate(file *os.File, data []byte, pageSize int) error {
	err := patiently(func() error { return unix.Madvise(data, unix.MADV_POPULATE_WRITE) })
	if err == unix.EINVAL { // before Linux 5.14
		return populateByHand(file, data, pageSize)
	}
	if err != 0 {
		return err
	}
	return nil
}

// populateByHand does it in two steps: the file gets its pages, which fails if
// there are too few, and then one write to each cannot raise SIGBUS any more and
// makes it present in the page table, where pagemap looks.
func populateByHand(file *os.File, data []byte, pageSize int) error {
	err := patiently(func() error { return unix.Fallocate(int(file.Fd()), 0, 0, int64(len(data))) })
	if err != 0 {
		return err
	}
	for at := 0; at < len(data); at += pageSize {
		data[at] = 0
	}
	return nil
}

// patiently makes a system call again that a signal has interrupted.
func patiently(call func() error) unix.Errno {
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
