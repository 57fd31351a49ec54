package virtq

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// busMemory is what the test's device reaches: pieces of memory at device
// addresses, nothing between them. It shares no code with the driver.
type busMemory struct{ pages map[uint64]piece }

type piece struct {
	address uint64
	bytes   []byte
}

func (m *busMemory) add(address uint64, b []byte) {
	if m.pages == nil {
		m.pages = map[uint64]piece{}
	}
	for off := 0; off < len(b); off += 4096 {
		m.pages[(address+uint64(off))>>12] = piece{address, b}
	}
}

// at returns n bytes at a device address, which must lie inside one piece.
func (m *busMemory) at(address uint64, n int) ([]byte, error) {
	if p, ok := m.pages[address>>12]; ok && address-p.address+uint64(n) <= uint64(len(p.bytes)) {
		off := address - p.address
		return p.bytes[off : off+uint64(n) : off+uint64(n)], nil
	}
	return nil, fmt.Errorf("device address %#x, %d bytes: not memory that the driver gave",
		address, n)
}

// word32 and word64 are the words that the two sides synchronise on.
func word32(b []byte) *uint32 { return (*uint32)(unsafe.Pointer(&b[0])) }
func word64(b []byte) *uint64 { return (*uint64)(unsafe.Pointer(&b[0])) }

func get32(b []byte) uint32    { return atomic.LoadUint32(word32(b)) }
func put32(b []byte, v uint32) { atomic.StoreUint32(word32(b), v) }
func get64(b []byte) uint64    { return atomic.LoadUint64(word64(b)) }
func put64(b []byte, v uint64) { atomic.StoreUint64(word64(b), v) }

// ordinaryMemory allocates memory in 4 KiB pages, so that tests need no
// hugepages.
func ordinaryMemory(bytes int) (*hugepages.Memory, error) {
	options := smallPages
	options.Bytes = bytes
	return hugepages.Allocate(options)
}

var smallPages = hugepages.Options{PageSize: 4096, Name: "virtq-test"}
