package vfio

import (
	"errors"
	"fmt"
	"math"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// irqIndex returns VFIO's number for a kind of interrupt.
func irqIndex(kind pci.IRQ) (uint32, bool) {
	switch kind {
	case pci.INTx:
		return intxIndex, true
	case pci.MSIX:
		return msixIndex, true
	case pci.Removal:
		return removalIndex, true
	}
	return 0, false
}

// Vectors returns how many vectors of a kind the function has, 0 if it does not have the kind.
func (f *Function) Vectors(kind pci.IRQ) (int, error) {
	index, known := irqIndex(kind)
	if !known || int(index) >= f.irqs {
		return 0, nil
	}
	info := irqInfo{Index: index}
	if err := exchange(f.device, getIRQInfo, &info); err != nil {
		return 0, err
	}
	if info.Flags&irqEventfd == 0 || info.Count > math.MaxInt32 {
		return 0, nil
	}
	return int(info.Count), nil
}

// SetIRQ connects vector i to the eventfd fds[i]; -1 leaves a vector alone, nil disables the kind.
// INTx and MSI-X exclude each other: one has to be disabled before the other is set. Kernels before
// 6.5 may refuse more MSI-X vectors than in the first call until the kind was disabled.
//
// The kernel masks INTx when it signals it. Setting it again, also to the same descriptor, unmasks
// it.
func (f *Function) SetIRQ(kind pci.IRQ, fds []int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fds == nil {
		return f.disable(kind)
	}
	index, known := irqIndex(kind)
	if !known {
		return irqError(kind, len(fds), 0, "VFIO has no such kind", nil)
	}
	vectors, err := f.Vectors(kind)
	if err != nil {
		return err
	}
	fail := func(reason string, err error) error {
		return irqError(kind, len(fds), vectors, reason, err)
	}
	if len(fds) == 0 || len(fds) > vectors {
		return fail("the function does not have as many vectors", nil)
	}
	for _, r := range runs(fds, !f.enabled[kind]) {
		// A positive result is the number of vectors that are available instead.
		n, err := f.trigger(index, r.start, fds[r.start:r.end])
		if err != nil {
			return fail("the kernel refused them; is another kind in use?", err)
		}
		if n > 0 {
			vectors = n
			return fail("the kernel has no more vectors left", nil)
		}
		f.enabled[kind] = true
	}
	if kind == pci.INTx {
		return f.unmask(index)
	}
	return nil
}

// run is a range of vectors, end excluded.
type run struct{ start, end int }

// runs returns the ranges to set in one request each: all vectors the first time, because that
// determines how many are allocated; later only the vectors that have a descriptor, because -1
// would disconnect the others.
func runs(fds []int, first bool) []run {
	if first {
		return []run{{0, len(fds)}}
	}
	var list []run
	for i := 0; i < len(fds); i++ {
		if fds[i] < 0 {
			continue
		}
		start := i
		for i < len(fds) && fds[i] >= 0 {
			i++
		}
		list = append(list, run{start, i})
	}
	return list
}

// trigger connects a range of vectors to descriptors.
func (f *Function) trigger(index uint32, start int, fds []int) (int, error) {
	set := irqSet{Flags: irqDataEventfd | irqActionTrigger, Index: index, Start: uint32(start),
		Count: uint32(len(fds))}
	var data []byte
	for _, fd := range fds {
		data = append(data, encode(int32(max(fd, -1)))...)
	}
	return ioctlBytes(f.device, setIRQs, argument(set, data...))
}

// unmask enables the line interrupt after the kernel masked it.
func (f *Function) unmask(index uint32) error {
	set := irqSet{Flags: irqDataNone | irqActionUnmask, Index: index, Count: 1}
	_, err := ioctlBytes(f.device, setIRQs, argument(set))
	return err
}

// disable disables a kind of interrupt if it is enabled. f.mu is held.
func (f *Function) disable(kind pci.IRQ) error {
	if !f.enabled[kind] {
		return nil
	}
	index, _ := irqIndex(kind)
	set := irqSet{Flags: irqDataNone | irqActionTrigger, Index: index}
	if _, err := ioctlBytes(f.device, setIRQs, argument(set)); err != nil {
		return &Error{Op: fmt.Sprintf("disable %s interrupts", kind), Err: errors.Unwrap(err)}
	}
	delete(f.enabled, kind)
	return nil
}
