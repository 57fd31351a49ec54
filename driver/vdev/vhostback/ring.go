package vhostback

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/eventfd"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// ring is what the peer sent about a ring. It starts when all of it is known,
// SET_VRING_KICK came and the device may run.
type ring struct {
	size    int
	areas   [3]uint64 // user addresses, by vdev.Area
	hasAddr bool      // SET_VRING_ADDR came
	base    uint32
	hasBase bool // SET_VRING_BASE came
	hasKick bool // SET_VRING_KICK came
	polled  bool // ... without an eventfd
	enabled bool
	started bool
}

// ring returns the ring of a message.
func (s *session) ring(m *message, index uint32) (*ring, error) {
	if index >= uint32(len(s.rings)) {
		return nil, m.wrong("ring", uint64(index), "less than %d", len(s.rings))
	}
	return &s.rings[index], nil
}

// stoppedRing is ring for messages that must not come while the ring runs.
func (s *session) stoppedRing(m *message, index uint32) (*ring, error) {
	r, err := s.ring(m, index)
	if err == nil && r.started {
		return nil, m.wrong("ring", uint64(index), "one that was stopped by GET_VRING_BASE")
	}
	return r, err
}

func (s *session) setVringNum(m *message) ([]byte, error) {
	index, n := m.state()
	r, err := s.stoppedRing(m, index)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > virtio.MaxQueueSize {
		return nil, m.wrong("ring size", uint64(n), "1 to %d", virtio.MaxQueueSize)
	}
	r.size = int(n)
	return nil, s.startRings()
}

func (s *session) setVringAddr(m *message) ([]byte, error) {
	a := m.ringAddress()
	r, err := s.stoppedRing(m, a.index)
	if err != nil {
		return nil, err
	}
	if a.flags != 0 {
		return nil, m.wrong("flags", uint64(a.flags), "0: this back end has no dirty log")
	}
	r.areas[vdev.DescArea], r.areas[vdev.DriverArea], r.areas[vdev.DeviceArea] = a.desc, a.avail, a.used
	r.hasAddr = true
	return nil, s.startRings()
}

func (s *session) setVringBase(m *message) ([]byte, error) {
	index, base := m.state()
	r, err := s.stoppedRing(m, index)
	if err != nil {
		return nil, err
	}
	r.base, r.hasBase = base, true
	return nil, nil
}

func (s *session) getVringBase(m *message) ([]byte, error) {
	index, _ := m.state()
	r, err := s.ring(m, index)
	if err != nil {
		return nil, err
	}
	if r.started {
		r.base = uint32(s.engine.StopRing(int(index)))
		if s.device().Has(virtio.RingPacked) {
			r.base |= r.base << 16 // all taken buffers are used: both positions are equal
		}
	}
	if s.state != nil { // the peer knows it from now on
		_ = s.state.forget(int(index)) // an error would come of a full disk, and this is no new block
	}
	r.started, r.hasKick, r.hasAddr = false, false, false
	_ = s.kicks.set(int(index), -1)
	s.calls.set(int(index), -1)
	s.endIfIdle()
	s.report()
	return stateBytes(index, r.base), nil
}

// endIfIdle ends the engine's work when the last ring was stopped.
func (s *session) endIfIdle() {
	for i := range s.rings {
		if s.rings[i].started {
			return
		}
	}
	if s.begun {
		s.engine.End()
		s.begun = false
	}
}

// eventfd takes the descriptor out of KICK, CALL or ERR; -1 if there is none.
func (s *session) eventfd(m *message) (index int, fd int, err error) {
	v := m.number()
	if v&^(0xff|noFD) != 0 {
		return 0, -1, m.wrong("ring and flags", v, "a ring up to 255 and bit 8")
	}
	index = int(v & 0xff)
	if _, err := s.ring(m, uint32(index)); err != nil {
		return 0, -1, err
	}
	want := 1
	if v&noFD != 0 {
		want = 0
	}
	if len(m.fds) != want {
		return 0, -1, m.wrong("number of descriptors", uint64(len(m.fds)), "%d, as bit 8 says", want)
	}
	if want == 0 {
		return index, -1, nil
	}
	if !canNotify(m.fds[0], m.request != reqSetVringKick) {
		return 0, -1, m.wrong("descriptor", uint64(m.fds[0]), "an eventfd")
	}
	if isPipe(m.fds[0]) {
		// The peer has the flags of this descriptor too: a write could wait.
		own, err := eventfd.OpenPipe(m.fds[0])
		if err != nil && m.request == reqSetVringErr { // of another user: do without
			s.log.Warn("vhost-user failures are not reported to the driver", "ring", index, "err", err)
			return index, -1, nil
		}
		if err != nil {
			return 0, -1, peerError(m.request.String(), err)
		}
		return index, own, nil
	}
	// A write must not wait, for which eventfds has a guard; kicks are never read.
	if err := unix.SetNonblock(m.fds[0], true); err != nil {
		return 0, -1, peerError(m.request.String(), err)
	}
	return index, m.takeFD(0), nil
}

func (s *session) setVringKick(m *message) ([]byte, error) {
	index, fd, err := s.eventfd(m)
	if err != nil {
		return nil, err
	}
	if err := s.kicks.set(index, fd); err != nil {
		return nil, peerError(m.request.String(), err)
	}
	r := &s.rings[index]
	r.hasKick, r.polled = true, fd < 0
	if r.started {
		s.engine.Notify(index)
	}
	return nil, s.startRings()
}

func (s *session) setVringCall(m *message) ([]byte, error) {
	index, fd, err := s.eventfd(m)
	if err != nil {
		return nil, err
	}
	s.calls.set(index, fd)
	return nil, nil
}

func (s *session) setVringErr(m *message) ([]byte, error) {
	index, fd, err := s.eventfd(m)
	if err != nil {
		return nil, err
	}
	s.faults.set(index, fd)
	return nil, nil
}

func (s *session) setVringEnable(m *message) ([]byte, error) {
	index, on := m.state()
	r, err := s.ring(m, index)
	switch {
	case err != nil:
		return nil, err
	case on > 1:
		return nil, m.wrong("enable", uint64(on), "0 or 1")
	case s.negotiated && s.features>>protocolBit&1 == 0:
		return nil, m.wrong("request", uint64(m.request), "none: bit %d was not accepted", protocolBit)
	}
	r.enabled = on == 1
	if s.begun {
		s.engine.EnableRing(int(index), r.enabled)
	}
	s.report()
	return nil, nil
}

// enabled reports whether ring i may move packets. Without bit 30 all may.
func (s *session) enabled(i int) bool {
	return s.rings[i].enabled || s.negotiated && s.features>>protocolBit&1 == 0
}

// startRings starts the rings that can be started now.
func (s *session) startRings() error {
	if !s.negotiated || s.has(protoStatus) && !s.status.Has(virtio.StatusDriverOK) {
		return nil
	}
	noKick := false
	for i := range s.rings {
		r := &s.rings[i]
		if !r.started && r.hasKick && r.hasAddr && r.size != 0 {
			if err := s.start(i, r); err != nil {
				return err
			}
		}
		noKick = noKick || r.started && r.polled
	}
	s.engine.SetNoKick(noKick)
	s.report()
	return nil
}

func (s *session) start(i int, r *ring) error {
	packed := s.device().Has(virtio.RingPacked)
	if !packed && r.size&(r.size-1) != 0 {
		return &RingError{Ring: i, Rule: "pci/common/3", Reason: "the size of a split ring is no power of two"}
	}
	v := vdev.Ring{Size: r.size}
	var err error
	if v.Areas, err = s.areas(i, r, s.memory); err != nil {
		return err
	}
	if v.Position, err = r.position(i, packed); err != nil {
		return err
	}
	if err := s.addRecord(i, r, packed, &v); err != nil {
		return err
	}
	if !s.begun {
		s.engine.Begin(s.device())
		s.begun = true
		for j := range s.rings {
			s.engine.EnableRing(j, s.enabled(j))
		}
	}
	if err := s.engine.StartRing(i, v); err != nil {
		if failed := failure(s.engine); failed != nil {
			return failed
		}
		return &RingError{Ring: i, Reason: err.Error()}
	}
	r.started = true
	if v.Kept {
		if err := s.state.began(i, v.Position, s.identify(r)); err != nil {
			s.log.Warn("the position in a ring is not kept", "file", s.state.file.Name(), "ring", i, "err", err)
		}
	}
	return nil
}

// position returns where the device goes on. In a packed ring that is where the
// base says that buffers were not used; in a split ring the index of the used ring,
// which the engine reads, decides.
func (r *ring) position(i int, packed bool) (uint16, error) {
	switch {
	case packed && !r.hasBase:
		return 1 << 15, nil
	case packed && r.base>>16 == 0:
		// DPDK's front end knows only the available position.
		return uint16(r.base), nil
	case packed:
		return uint16(r.base >> 16), nil
	case r.base > 0xffff:
		return 0, &RingError{Ring: i, Reason: "the base of a split ring does not fit 16 bits"}
	}
	return uint16(r.base), nil
}

// areas looks up the areas of a ring.
func (s *session) areas(i int, r *ring, t table) ([3][]byte, error) {
	var mem [3][]byte
	packed := s.device().Has(virtio.RingPacked)
	for a := range mem {
		n := vdev.AreaSize(packed, vdev.Area(a), r.size)
		if mem[a] = t.at(r.areas[a], n); mem[a] == nil {
			return mem, &Error{Device: thePeer, Op: opMemory, Field: "user address", Value: r.areas[a],
				Reason: fmt.Sprintf("%d bytes of %v of a ring are not in memory that is shared", n, vdev.Area(a))}
		}
		if err := s.wait(func() error { t.populate(r.areas[a], n); return nil }); err != nil {
			return mem, err
		}
	}
	return mem, nil
}
