package vfio

import (
	"errors"
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

// Vectors returns how many vectors of a kind the function has, 0 if it lacks
// the kind.
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

// SetIRQ has vector i signal the eventfd fds[i]; -1 leaves a vector alone, nil
// turns the kind off. INTx and MSI-X exclude each other: one has to be turned
// off before the other is set. More MSI-X vectors than at first may be refused
// by kernels before 6.5 until the kind was turned off.
//
// The kernel masks INTx when it signals it. Setting it again, to the same
// descriptor too, unmasks it.
func (f *Function) SetIRQ(kind pci.IRQ, fds []int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fds == nil {
		return f.turnOff(kind)
	}
	index, known := irqIndex(kind)
	if !known {
		return &IRQError{Kind: kind, Wanted: len(fds), Reason: "VFIO has no such kind"}
	}
	vectors, err := f.Vectors(kind)
	if err != nil {
		return err
	}
	fail := func(reason string, err error) error {
		return &IRQError{Kind: kind, Wanted: len(fds), Vectors: vectors, Reason: reason, Err: err}
	}
	if len(fds) == 0 || len(fds) > vectors {
		return fail("the function does not have as many vectors", nil)
	}
	for _, r := range runs(fds, !f.enabled[kind]) {
		// A positive answer is how many vectors the kernel could get instead.
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

// run is a stretch of vectors, end excluded.
type run struct{ start, end int }

// runs returns what is to be set in one request each: everything for the first
// time, because that settles how many vectors there are; later on only the
// vectors that have a descriptor, because -1 would disconnect the others.
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

// trigger connects a stretch of vectors to descriptors.
func (f *Function) trigger(index uint32, start int, fds []int) (int, error) {
	set := irqSet{Flags: irqDataEventfd | irqActionTrigger, Index: index, Start: uint32(start), Count: uint32(len(fds))}
	var data []byte
	for _, fd := range fds {
		data = append(data, encode(int32(max(fd, -1)))...)
	}
	return ioctlBytes(f.device, setIRQs, argument(set, data...))
}

// unmask lets the line interrupt be raised again.
func (f *Function) unmask(index uint32) error {
	set := irqSet{Flags: irqDataNone | irqActionUnmask, Index: index, Count: 1}
	_, err := ioctlBytes(f.device, setIRQs, argument(set))
	return err
}

// turnOff turns a kind off if it is on. f.mu is held.
func (f *Function) turnOff(kind pci.IRQ) error {
	if !f.enabled[kind] {
		return nil
	}
	index, _ := irqIndex(kind)
	set := irqSet{Flags: irqDataNone | irqActionTrigger, Index: index}
	if _, err := ioctlBytes(f.device, setIRQs, argument(set)); err != nil {
		return &IRQError{Kind: kind, Reason: "they cannot be turned off", Err: errors.Unwrap(err)}
	}
	delete(f.enabled, kind)
	return nil
}
