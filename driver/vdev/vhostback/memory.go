package vhostback

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// region is memory that the peer shares. It has two addresses: descriptors name
// guest addresses, SET_VRING_ADDR names user addresses.
type region struct {
	regionInfo
	mem    []byte // size bytes, mapped
	mapped []byte // what mem is a part of, whole pages
	start  uint64 // of mem in mapped
	dev    uint64 // dev and ino identify the file
	ino    uint64
}

// table is all that a peer shares.
type table []region

// at returns the n bytes at a user address, nil if they are not all in one region.
func (t table) at(user uint64, n int) []byte {
	for i := range t {
		r := &t[i]
		if off := user - r.user; off < r.size && uint64(n) <= r.size-off {
			return r.mem[off : off+uint64(n) : off+uint64(n)]
		}
	}
	return nil
}

// file returns what identifies the file of a user address.
func (t table) file(user uint64) (dev, ino uint64) {
	for i := range t {
		if user-t[i].user < t[i].size {
			return t[i].dev, t[i].ino
		}
	}
	return 0, 0
}

// populate makes the n bytes at a user address present, which are in one region.
func (t table) populate(user uint64, n int) {
	for i := range t {
		if off := user - t[i].user; off < t[i].size {
			t[i].populate(off, uint64(n))
		}
	}
}

// mappings returns the table as the engine has it, by guest addresses. u is the unit of
// the engine.
func (t table) mappings(u *unit) []vdev.Mapping {
	all := make([]vdev.Mapping, len(t))
	for i := range t {
		r := t[i]
		all[i] = vdev.Mapping{Address: r.guest, Memory: r.mem,
			Populate: func(off, n uint64) error {
				return u.wait(&u.moving, func() error { r.populate(off, n); return nil })
			}}
	}
	return all
}

// check checks the addresses and the size of a region, and that it does not overlap
// another one.
func (t table) check(r regionInfo) error {
	switch {
	case r.size == 0:
		return r.invalid("no bytes", nil)
	case r.guest+r.size-1 < r.guest, r.user+r.size-1 < r.user:
		return r.invalid("the addresses wrap around", nil)
	case r.offset+r.size < r.offset || r.offset+r.size > math.MaxInt64:
		return r.invalid("the offset in the file and the size wrap around", nil)
	}
	for _, o := range t {
		if r.guest <= o.guest+o.size-1 && o.guest <= r.guest+r.size-1 {
			return r.invalid("its guest addresses are in another region as well", nil)
		}
		if r.user <= o.user+o.size-1 && o.user <= r.user+r.size-1 {
			return r.invalid("its user addresses are in another region as well", nil)
		}
	}
	return nil
}

func (r regionInfo) invalid(reason string, err error) error {
	return &Error{Device: thePeer, Op: opMemory, Field: "user address", Value: r.user, Err: err,
		Reason: fmt.Sprintf("%d bytes at guest address %#x, file offset %#x: %s", r.size, r.guest, r.offset, reason)}
}

// share maps a region of a file. The file stays the caller's.
func (r regionInfo) share(fd int) (region, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return region{}, r.invalid("fstat of its file failed", err)
	}
	// Only a regular file has a size, and an access after its end is a fault.
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return region{}, r.invalid("the descriptor is not that of a file in memory", nil)
	}
	if uint64(st.Size) < r.offset+r.size {
		return region{}, r.invalid("its file is too short", nil)
	}
	page := uint64(pageOf(int64(st.Blksize)))
	first := r.offset &^ (page - 1)
	length := (r.offset + r.size - first + page - 1) &^ (page - 1)
	if length > math.MaxInt64 {
		return region{}, r.invalid("too large", nil)
	}
	mapped, err := unix.Mmap(fd, int64(first), int(length), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return region{}, r.invalid("its file cannot be mapped", err)
	}
	// A core dump of the device must not contain the memory of the guest.
	_ = unix.Madvise(mapped, unix.MADV_DONTDUMP)
	off := r.offset - first
	return region{regionInfo: r, mem: mapped[off : off+r.size : off+r.size], mapped: mapped, start: off,
		dev: st.Dev, ino: st.Ino}, nil
}

// pageOf is the page size of a file system, which for hugetlbfs is that of the
// hugepages: mappings begin and end at a multiple of it.
func pageOf(block int64) int64 {
	if block < 4096 || block > 1<<30 || block&(block-1) != 0 {
		return 4096
	}
	return block
}

// release unmaps all regions. The engine does not use them any more.
func (t table) release() {
	for _, r := range t {
		_ = unix.Munmap(r.mapped)
	}
}

// add checks and maps a region.
func (t *table) add(r regionInfo, fd int) error {
	if err := t.check(r); err != nil {
		return err
	}
	shared, err := r.share(fd)
	if err != nil {
		return err
	}
	*t = append(*t, shared)
	return nil
}
