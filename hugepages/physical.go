package hugepages

import (
	"encoding/binary"
	"os"
)

// Fields of an entry of /proc/PID/pagemap, one entry for each ordinary page.
const (
	pagemapEntry   = 8
	pagemapPresent = 1 << 63
	pagemapFrame   = 1<<55 - 1
)

// Physical returns the physical address of each page, in order. Only hugepages
// have them: the kernel moves ordinary pages about. The process needs
// CAP_SYS_ADMIN, without which the kernel shows every address as 0. What is
// wrong is said by a *PhysicalError.
func (m *Memory) Physical() ([]uint64, error) {
	if m.data == nil {
		return nil, &PhysicalError{Reason: "the memory was released", Remedy: "ask before Release"}
	}
	ordinary := os.Getpagesize()
	if m.pageSize == ordinary {
		return nil, &PhysicalError{Address: m.Address(), Reason: "ordinary pages do not stay where they are",
			Remedy: "without an IOMMU use hugepages"}
	}
	pagemap, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, &PhysicalError{Address: m.Address(), Reason: "pagemap cannot be opened", Remedy: needsAdmin, Err: err}
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

const needsAdmin = "run as root or with CAP_SYS_ADMIN (setcap cap_sys_admin+ep PROGRAM)"

// frameOf returns the number of the page frame at a virtual address.
func frameOf(pagemap *os.File, virtual uint64, ordinary int) (uint64, error) {
	var entry [pagemapEntry]byte
	if _, err := pagemap.ReadAt(entry[:], int64(virtual/uint64(ordinary)*pagemapEntry)); err != nil {
		return 0, &PhysicalError{Address: virtual, Reason: "pagemap cannot be read", Remedy: needsAdmin, Err: err}
	}
	value := binary.NativeEndian.Uint64(entry[:])
	if value&pagemapPresent == 0 {
		return 0, &PhysicalError{Address: virtual, Reason: "the page is not present", Remedy: "allocate the memory anew"}
	}
	frame := value & pagemapFrame
	if frame == 0 {
		return 0, &PhysicalError{Address: virtual, Reason: "pagemap shows 0", Remedy: needsAdmin}
	}
	return frame, nil
}
