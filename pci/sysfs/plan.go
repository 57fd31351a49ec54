package sysfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Write is one value for one file, as the shell writes it with
//
//	echo VALUE > PATH
//
// A line feed follows the value; an empty value is a line feed alone.
type Write struct {
	Path  string `json:"path"` // absolute, without the root directory
	Value string `json:"value"`

	// undo undoes the write; nil if there is nothing to undo.
	undo *Write
	// optional means that a file that does not exist is no failure.
	optional bool
}

// KernelChoice stands for the driver that the kernel chooses for a function.
const KernelChoice = "(the kernel's choice)"

// Change is how the driver of one function changes.
type Change struct {
	Address pci.Address
	From    string // driver before, "" for none
	To      string // driver after, "" for none, or KernelChoice
	Writes  []Write

	// lateGroup means that the function must have an IOMMU group once it is bound.
	lateGroup bool
}

// LateGroup reports whether the function has no IOMMU group yet and must get one when it is bound.
func (c Change) LateGroup() bool { return c.lateGroup }

// Plan is the changes to some functions, in order. A [Change] without writes is a function that has
// the wanted driver already.
type Plan []Change

// Writes returns all writes of the plan in order.
func (p Plan) Writes() []Write {
	var all []Write
	for _, c := range p {
		all = append(all, c.Writes...)
	}
	return all
}

// Apply carries a plan out and verifies after each function that the driver is the wanted one. When
// a write or a check fails, or ctx ends between two writes, the earlier writes are undone in
// reverse order, for all functions, and the error is an [Error] or that of ctx. If undoing fails as
// well the error is a [RollbackError].
//
// A write can take long: the kernel waits for the processes that use the function.
func (s FS) Apply(ctx context.Context, p Plan) error {
	var undo []Write
	for _, c := range p {
		for _, w := range c.Writes {
			if err := ctx.Err(); err != nil {
				return s.rollback(undo, err)
			}
			if err := s.write(w); err != nil {
				return s.rollback(undo, s.explain(c, err))
			}
			if w.undo != nil {
				undo = append(undo, *w.undo)
			}
		}
		if err := s.verify(c); err != nil {
			return s.rollback(undo, err)
		}
	}
	return nil
}

// verify compares the driver of a changed function with the wanted one: the kernel does not report
// every refusal.
func (s FS) verify(c Change) error {
	if len(c.Writes) == 0 {
		return nil
	}
	got, err := s.link(functionDir(c.Address) + "/driver")
	if err != nil {
		return err
	}
	chosen := c.To == KernelChoice && got != "" && !userDriver(got)
	if got != c.To && !chosen {
		return verifyError(c.Address, c.To, got)
	}
	if c.lateGroup {
		return s.verifyGroup(c.Address)
	}
	return nil
}

// verifyGroup returns an error for a function that has no IOMMU group.
func (s FS) verifyGroup(a pci.Address) error {
	group, err := s.link(functionDir(a) + "/iommu_group")
	if err != nil || group != "" {
		return err
	}
	mode, err := s.noIOMMUMode()
	if err != nil {
		return err
	}
	return noIOMMUError(a, mode)
}

// explain returns why a write failed: vfio-pci answers EINVAL for a function whose IOMMU group did
// not appear.
func (s FS) explain(c Change, err error) error {
	if !c.lateGroup || !errors.Is(err, syscall.EINVAL) {
		return err
	}
	if missing := s.verifyGroup(c.Address); missing != nil {
		return missing
	}
	return err
}

// rollback undoes writes and returns cause, or a [RollbackError].
func (s FS) rollback(undo []Write, cause error) error {
	var failed []error
	for i := len(undo) - 1; i >= 0; i-- {
		if err := s.write(undo[i]); err != nil {
			failed = append(failed, err)
		}
	}
	if failed == nil {
		return cause
	}
	return &RollbackError{Cause: cause, Undo: errors.Join(failed...)}
}

func (s FS) write(w Write) error {
	put := s.WriteFile
	if put == nil {
		put = s.put
	}
	err := put(w.Path, w.Value)
	if err == nil || w.optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return writeError(w, err)
}

// put creates no file, and writes the value with one system call, which an attribute of sysfs takes
// as one value.
func (s FS) put(path, value string) error {
	f, err := os.OpenFile(s.file(path), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return bare(err)
	}
	_, err = f.Write([]byte(value + "\n"))
	return bare(errors.Join(err, f.Close()))
}

// bare returns the error number without the path, which the [Error] names.
func bare(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}
