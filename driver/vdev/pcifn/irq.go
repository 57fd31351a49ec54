package pcifn

import (
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Bits of the ISR status (4.1.4.5).
const (
	isrQueue  = 1
	isrConfig = 2
)

// interrupts signals eventfds for the interrupts of the device. It implements
// [vdev.Interrupts], so it is called with the device's lock held: its own lock is the
// last one taken.
type interrupts struct {
	mu      sync.Mutex
	fds     map[pci.IRQ][]int // duplicates, -1 for none
	sizes   map[pci.IRQ]int
	isr     uint8
	config  uint16
	vectors map[int]uint16 // of the queues that have one
	raised  int            // MSI-X and INTx interrupts that reached an eventfd
}

func newInterrupts(c Config) *interrupts {
	n := &interrupts{
		fds:   make(map[pci.IRQ][]int),
		sizes: map[pci.IRQ]int{pci.INTx: 1, pci.MSIX: c.Vectors, pci.Removal: 1},
	}
	n.clearVectors()
	return n
}

// Vectors returns how many interrupt vectors of a kind the function has.
func (f *Function) Vectors(kind pci.IRQ) (int, error) {
	if err := f.checkOpen(); err != nil {
		return 0, err
	}
	return f.irq.sizes[kind], nil
}

// SetIRQ connects vectors of a kind with eventfds, of which it keeps duplicates; -1
// leaves a vector as it is, nil disconnects all.
func (f *Function) SetIRQ(kind pci.IRQ, fds []int) error {
	if err := f.checkOpen(); err != nil {
		return err
	}
	if have := f.irq.sizes[kind]; len(fds) > have {
		return &Error{Function: f.cfg.Address,
			Reason: fmt.Sprintf("%d vectors of %v asked for, it has %d", len(fds), kind, have)}
	}
	if err := f.irq.set(kind, fds); err != nil {
		return &Error{Function: f.cfg.Address, Reason: "cannot connect an interrupt", Err: err}
	}
	if kind == pci.MSIX && f.space.msix != 0 {
		f.mu.Lock()
		f.space.bytes[f.space.msix+3] &^= 0x80
		if fds != nil {
			f.space.bytes[f.space.msix+3] |= 0x80
		}
		f.mu.Unlock()
	}
	return nil
}

func (n *interrupts) set(kind pci.IRQ, fds []int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if fds == nil {
		n.drop(kind)
		return nil
	}
	have := n.fds[kind]
	for i, fd := range fds {
		if i == len(have) {
			have = append(have, -1)
		}
		if fd < 0 {
			continue
		}
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			n.fds[kind] = have
			return fmt.Errorf("eventfd %d of %v vector %d: %w", fd, kind, i, err)
		}
		if have[i] >= 0 {
			_ = unix.Close(have[i])
		}
		have[i] = dup
	}
	if have == nil {
		have = []int{}
	}
	n.fds[kind] = have
	return nil
}

func (n *interrupts) drop(kind pci.IRQ) {
	for _, fd := range n.fds[kind] {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	delete(n.fds, kind)
}

func (n *interrupts) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for kind := range n.fds {
		n.drop(kind)
	}
}

// raise signals vector i of a kind. n.mu is held.
func (n *interrupts) raise(kind pci.IRQ, i int) {
	if fds := n.fds[kind]; i < len(fds) && fds[i] >= 0 {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		// That fails only with a counter at its limit, and then the driver is notified
		// already.
		_, _ = unix.Write(fds[i], one[:])
		n.raised++
	}
}

// msixEnabled reports whether MSI-X is enabled. n.mu is held.
func (n *interrupts) msixEnabled() bool { return n.fds[pci.MSIX] != nil }

// Masked implements [vdev.Interrupts].
func (n *interrupts) Masked(q int) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, mapped := n.vectors[q]
	return n.msixEnabled() && !mapped
}

// Queue implements [vdev.Interrupts].
func (n *interrupts) Queue(q int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	v, mapped := n.vectors[q]
	n.signal(v, mapped, isrQueue)
}

// Config implements [vdev.Interrupts].
func (n *interrupts) Config() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.signal(n.config, n.config != virtio.NoVector, isrConfig)
}

func (n *interrupts) signal(vector uint16, mapped bool, bit uint8) {
	switch {
	case !n.msixEnabled():
		n.isr |= bit
		n.raise(pci.INTx, 0)
	case mapped:
		n.raise(pci.MSIX, int(vector))
	}
}

func (n *interrupts) removalRequest() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.raise(pci.Removal, 0)
}

func (n *interrupts) clearVectors() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.config, n.vectors, n.isr = virtio.NoVector, make(map[int]uint16), 0
}

func (n *interrupts) configVector() uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.config
}

func (n *interrupts) setConfigVector(v uint16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.config = v
}

func (n *interrupts) queueVector(q int) uint16 {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v, ok := n.vectors[q]; ok {
		return v
	}
	return virtio.NoVector
}

func (n *interrupts) setQueueVector(q int, v uint16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if v == virtio.NoVector {
		delete(n.vectors, q)
		return
	}
	n.vectors[q] = v
}

// readISR reads and clears the ISR status (4.1.4.5).
func (f *Function) readISR() uint32 {
	f.irq.mu.Lock()
	defer f.irq.mu.Unlock()
	if f.irq.msixEnabled() {
		f.dev.Violate("pci/isr/1", -1, "ISR status read although MSI-X is on")
	}
	v := f.irq.isr
	f.irq.isr = 0
	return uint32(v)
}
