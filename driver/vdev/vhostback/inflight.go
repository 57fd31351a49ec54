package vhostback

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// A front end that tracks buffers in flight asks for memory by GET_INFLIGHT_FD, keeps it,
// and gives it by SET_INFLIGHT_FD to each back end before the rings start, so that one
// that takes the place of another goes on where that one ended. The device keeps the
// record: see vdev.Ring.

const (
	// inflightSize is the length of the payload of both requests; front ends that send
	// their structure as the compiler lays it out add four bytes.
	inflightSize   = 20
	inflightPadded = 24
	// maxRecord bounds the memory of a record: 256 rings of the largest size.
	maxRecord = 1 << 30
)

// inflightRequest is the payload.
type inflightRequest struct {
	size, offset uint64
	rings, queue int
}

func (s *session) inflightRequest(m *message) (r inflightRequest, err error) {
	b := m.payload
	if len(b) != inflightSize && len(b) != inflightPadded {
		return r, m.wrong("payload size", uint64(len(b)), "%d or %d", inflightSize, inflightPadded)
	}
	r = inflightRequest{native.Uint64(b), native.Uint64(b[8:]), int(native.Uint16(b[16:])), int(native.Uint16(b[18:]))}
	switch {
	case r.rings < 1 || r.rings > len(s.rings):
		return r, m.wrong("num_queues", uint64(r.rings), "1 to %d", len(s.rings))
	case r.queue < 1 || r.queue > virtio.MaxQueueSize:
		return r, m.wrong("queue_size", uint64(r.queue), "1 to %d", virtio.MaxQueueSize)
	}
	return r, nil
}

// recordSize is how many bytes hold the records of n rings.
func (s *session) recordSize(n, queue int) int {
	return n * vdev.InflightSize(s.device().Has(virtio.RingPacked), queue)
}

// getInflight makes the memory. It is zero, which says that nothing was recorded.
func (s *session) getInflight(m *message) ([]byte, error) {
	r, err := s.inflightRequest(m)
	if err != nil {
		return nil, err
	}
	size := s.recordSize(r.rings, r.queue)
	if !s.negotiated { // the format is not known yet: that of packed rings takes more
		size = r.rings * vdev.InflightSize(true, r.queue)
	}
	fd, err := sealed("vhost-inflight", int64(size))
	if err != nil {
		return nil, descriptorError("memory for buffers in flight", err)
	}
	s.attached = fd
	answer := append([]byte(nil), m.payload...)
	native.PutUint64(answer, uint64(size))
	native.PutUint64(answer[8:], 0)
	return answer, nil
}

// sealed makes a file in memory whose size no process can change.
func sealed(name string, size int64) (int, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return -1, err
	}
	if err = unix.Ftruncate(fd, size); err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (s *session) setInflight(m *message) ([]byte, error) {
	r, err := s.inflightRequest(m)
	if err != nil {
		return nil, err
	}
	for i := range s.rings {
		if s.rings[i].started {
			return nil, m.wrong("request", uint64(m.request), "none while rings run")
		}
	}
	if want := r.rings * vdev.InflightSize(false, r.queue); r.size < uint64(want) || r.size > maxRecord {
		return nil, m.wrong("mmap_size", r.size, "%d to %d", want, maxRecord)
	}
	if r.offset%8 != 0 {
		return nil, m.wrong("mmap_offset", r.offset, "a multiple of 8")
	}
	var record region
	if err := s.wait(func() error {
		var err error
		if record, err = (regionInfo{size: r.size, offset: r.offset}).share(m.fds[0]); err == nil {
			record.populate(0, record.size)
		}
		return err
	}); err != nil {
		return nil, err
	}
	s.dropInflight()
	s.inflight, s.queueSize = record, r.queue
	return nil, nil
}

// dropInflight unmaps the record of the peer. No ring uses it.
func (s *session) dropInflight() {
	if s.queueSize > 0 {
		table{s.inflight}.release()
		s.inflight, s.queueSize = region{}, 0
	}
}

// addRecord adds the record of ring i to its description: that of the peer, or else the
// one that is kept in a file.
func (s *session) addRecord(i int, r *ring, packed bool, v *vdev.Ring) error {
	if s.queueSize == 0 {
		if s.state != nil && packed {
			s.state.record(i, s.identify(r), v, s.log)
		}
		return nil
	}
	stride, n := vdev.InflightSize(packed, s.queueSize), vdev.InflightSize(packed, r.size)
	if r.size > s.queueSize || i*stride+n > len(s.inflight.mem) {
		return &RingError{Ring: i, Reason: fmt.Sprintf(
			"the memory for buffers in flight, %d bytes for rings of %d, has no room for %d more of one of %d",
			len(s.inflight.mem), s.queueSize, n, r.size)}
	}
	v.Inflight = s.inflight.mem[i*stride : i*stride+n : i*stride+n]
	return nil
}

// forget forgets what is kept of all rings: they start anew.
func (s *session) forget() {
	if s.state != nil {
		for i := range s.rings {
			_ = s.state.forget(i)
		}
	}
}

// identify returns what tells the ring of a peer from another.
func (s *session) identify(r *ring) identity {
	dev, ino := s.memory.file(r.areas[vdev.DescArea])
	return identity{uint64(r.size), r.areas[0], r.areas[1], r.areas[2], dev, ino, s.features}
}
