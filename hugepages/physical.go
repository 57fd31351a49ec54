package hugepages

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
)

// Fields of an entry of /proc/PID/pagemap, which has one entry for each ordinary page.
const (
	pagemapEntry   = 8
	pagemapPresent = 1 << 63
	pagemapFrame   = 1<<55 - 1
)

// Physical returns the physical address of each page, in order. Only hugepages have fixed ones: the
// kernel may move ordinary pages. The process needs CAP_SYS_ADMIN, without which the kernel shows
// every address as 0 and the [Error] answers [io/fs.ErrPermission].
func (m *Memory) Physical() ([]uint64, error) {
	if m.data == nil {
		return nil, physicalError(0, "the memory was released", "ask before Release", os.ErrClosed)
	}
	ordinary := os.Getpagesize()
	if m.pageSize == ordinary {
		return nil, physicalError(m.Address(), "ordinary pages have no fixed one",
			"without an IOMMU use hugepages", errors.ErrUnsupported)
	}
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, physicalError(m.Address(), "pagemap cannot be opened", needsAdmin, err)
	}
	defer pagemap.Close()
	addresses := make([]uint64, len(m.data)/m.pageSize)
	for i := range addresses {
		virtual := m.Address() + uint64(i)*uint64(m.pageSize)
		frame, err := frameOf(pagemap, virtual, ordinary)
		if err != nil {
			return nil, err
		}
		addresses[i] = frame * uint64(ordinary)
	}
	return addresses, nil
}

// physicalError says why a page has no physical address.
func physicalError(virtual uint64, reason, remedy string, err error) *Error {
	return &Error{Op: "find the physical address of", Value: virtual, Reason: reason, Remedy: remedy,
		Err: err}
}

const needsAdmin = "run as root or with CAP_SYS_ADMIN (setcap cap_sys_admin+ep PROGRAM)"

// frameOf returns the number of the page frame at a virtual address.
func frameOf(pagemap *os.File, virtual uint64, ordinary int) (uint64, error) {
	var entry [pagemapEntry]byte
	if _, err := pagemap.ReadAt(entry[:], int64(virtual/uint64(ordinary)*pagemapEntry)); err != nil {
		return 0, physicalError(virtual, "pagemap cannot be read", needsAdmin, err)
	}
	value := binary.NativeEndian.Uint64(entry[:])
	if value&pagemapPresent == 0 {
		return 0, physicalError(virtual, "the page is not present", "allocate the memory again", nil)
	}
	frame := value & pagemapFrame
	if frame == 0 {
		return 0, physicalError(virtual, "pagemap shows 0", needsAdmin, fs.ErrPermission)
	}
	return frame, nil
}
