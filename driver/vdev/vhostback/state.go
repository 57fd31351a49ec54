package vhostback

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// state is the file of Config.StateFile: records of packed rings that outlive the process,
// for front ends that keep none. QEMU's for network devices is one of them. Such a front
// end, when it connects to the next back end, sends the position again at which the last
// one started, so that only a file can say where that one ended.
//
// A record is used if the ring is the same: in the same file of memory, at the same
// addresses, of the same size, and with the same features. That is not enough if the driver
// has started anew while no back end was there; then the contents of the ring say so, see
// vdev.Ring. What the peer knows itself is forgotten: when it asks for the position, and
// when it resets the device.
//
// Page 0 has the magic. At identityAt are position and identity of each ring, at recordsAt
// the records, stateStride bytes apart.
type state struct {
	file *os.File
	mem  []byte
}

const (
	stateMagic   = "virtio-pmd rings 1\n"
	identityAt   = 4096
	identitySize = 64
	maxRings     = 2 * maxPairs
	recordsAt    = identityAt + maxRings*identitySize
	// stateStride is a multiple of the size of a page that holds any record.
	stateStride = (32 + 32*virtio.MaxQueueSize + 4095) &^ 4095
)

// identity is what a ring has to have in common with one of which a record was kept:
// size, the three areas, device and inode of the file of memory, features.
type identity [7]uint64

// openState opens or makes the file for a number of rings, for this process alone.
func openState(path string, rings int) (*state, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, stateError(path, "", err)
	}
	s := &state{file: file}
	if err := s.open(rings); err != nil {
		_ = file.Close()
		return nil, stateError(path, "", err)
	}
	return s, nil
}

func (b *Backend) openState(u *unit) (*state, error) {
	if u.device == nil {
		return nil, stateError(b.cfg.StateFile, "raw mode keeps no positions", nil)
	}
	return openState(b.cfg.StateFile, 2*u.engine.Pairs())
}

func stateError(path, reason string, err error) error {
	return &Error{Device: fmt.Sprintf("state file %q", path), Op: "open", Reason: reason, Err: err}
}

func (s *state) open(rings int) error {
	err := unix.Flock(int(s.file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("another back end uses it; each needs a file of its own")
	}
	if err != nil {
		return err
	}
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	head := make([]byte, len(stateMagic))
	if info.Size() > 0 {
		if _, err := s.file.ReadAt(head, 0); err != nil || string(head) != stateMagic {
			return errors.New("it is not a state file, and is left alone; give another name")
		}
	}
	size := recordsAt + rings*stateStride
	if info.Size() < int64(size) {
		if err := s.file.Truncate(int64(size)); err != nil {
			return err
		}
	}
	if _, err := s.file.WriteAt([]byte(stateMagic), 0); err != nil {
		return err
	}
	// Without room on the disk a store would be a fault.
	if err := unix.Fallocate(int(s.file.Fd()), 0, 0, recordsAt); err != nil {
		return err
	}
	s.mem, err = unix.Mmap(int(s.file.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

// record adds the record of ring i to its description, if the file has room. When the ring
// has started, began follows.
func (s *state) record(i int, ring identity, v *vdev.Ring, log *slog.Logger) {
	at, n := recordsAt+i*stateStride, vdev.InflightSize(true, v.Size)
	v.Began = v.Position
	err := unix.Fallocate(int(s.file.Fd()), 0, int64(at), int64(n))
	if old, position := s.identity(i); err == nil && old == ring {
		v.Began = position
	} else if err == nil {
		// A record that is there is not about this ring. It is forgotten first, so that it
		// never has the new identity.
		if err = s.forget(i); err == nil {
			err = s.began(i, v.Position, ring)
		}
	}
	if err != nil {
		log.Warn("the position in a ring is not kept", "file", s.file.Name(), "ring", i, "err", err)
		return
	}
	v.Inflight, v.Kept = s.mem[at:at+n:at+n], true
}

// began stores the identity of ring i, and the position at which the peer has started it.
func (s *state) began(i int, position uint16, ring identity) error {
	b := native.AppendUint64(nil, uint64(position))
	for _, v := range ring {
		b = native.AppendUint64(b, v)
	}
	_, err := s.file.WriteAt(b, identityAt+identitySize*int64(i))
	return err
}

func (s *state) identity(i int) (id identity, position uint16) {
	var b [identitySize]byte
	if _, err := s.file.ReadAt(b[:], identityAt+identitySize*int64(i)); err != nil {
		return identity{}, 0
	}
	for j := range id {
		id[j] = native.Uint64(b[8+8*j:])
	}
	return id, uint16(native.Uint64(b[:]))
}

// forget has the record of ring i, which does not run, say that there is none. Only the
// device goes by the mapping, which faults if the file was truncated.
func (s *state) forget(i int) error {
	_, err := s.file.WriteAt(make([]byte, 8), int64(recordsAt+i*stateStride+8)) // with the version
	return err
}

// close ends the use of the file, which stays. used says that a device may still write to
// it.
func (s *state) close(used bool) error {
	if s == nil {
		return nil
	}
	var err error
	if !used {
		err = unix.Munmap(s.mem)
	}
	return errors.Join(err, s.file.Close())
}
