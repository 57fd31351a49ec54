package vhostback

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// vring is what the peer said about a ring. It starts when all of it is known,
// SET_VRING_KICK came and the device may run.
type vring struct {
	size    int
	areas   [3]uint64 // user addresses, by vdev.Area
	placed  bool      // SET_VRING_ADDR came
	base    uint32
	based   bool // SET_VRING_BASE came
	kicked  bool // SET_VRING_KICK came
	polled  bool // ... without an eventfd
	enabled bool
	started bool
}

// ring returns the ring that a message is about.
func (s *session) ring(m *message, index uint32) (*vring, error) {
	if index >= uint32(len(s.rings)) {
		return nil, m.wrong("ring", uint64(index), "less than %d", len(s.rings))
	}
	return &s.rings[index], nil
}

// idle is ring for messages that must not come while the ring runs.
func (s *session) idle(m *message, index uint32) (*vring, error) {
	r, err := s.ring(m, index)
	if err == nil && r.started {
		return nil, m.wrong("ring", uint64(index), "one that was stopped by GET_VRING_BASE")
	}
	return r, err
}

func (s *session) setVringNum(m *message) ([]byte, error) {
	index, n := m.state()
	r, err := s.idle(m, index)
	if err != nil {
		return nil, err
	}
	if n == 0 || n > virtio.MaxQueueSize {
		return nil, m.wrong("ring size", uint64(n), "1 to %d", virtio.MaxQueueSize)
	}
	r.size = int(n)
	return nil, s.settle()
}

func (s *session) setVringAddr(m *message) ([]byte, error) {
	a := m.ringAddress()
	r, err := s.idle(m, a.index)
	if err != nil {
		return nil, err
	}
	if a.flags != 0 {
		return nil, m.wrong("flags", uint64(a.flags), "0: this back end keeps no log")
	}
	r.areas[vdev.DescArea], r.areas[vdev.DriverArea], r.areas[vdev.DeviceArea] = a.desc, a.avail, a.used
	r.placed = true
	return nil, s.settle()
}

func (s *session) setVringBase(m *message) ([]byte, error) {
	index, base := m.state()
	r, err := s.idle(m, index)
	if err != nil {
		return nil, err
	}
	r.base, r.based = base, true
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
			r.base |= r.base << 16 // nothing is under way: both positions are the same
		}
	}
	r.started, r.kicked, r.placed = false, false, false
	_ = s.kicks.set(int(index), -1)
	s.calls.set(int(index), -1)
	s.rest()
	s.report()
	return stateBytes(index, r.base), nil
}

// rest ends the engine's work when the last ring was stopped.
func (s *session) rest() {
	for i := range s.rings {
		if s.rings[i].started {
			return
		}
	}
	if s.live {
		s.engine.End()
		s.live = false
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
	// A write must not wait, and nothing is ever read.
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
	r.kicked, r.polled = true, fd < 0
	if r.started {
		s.engine.Notify(index)
	}
	return nil, s.settle()
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
	case s.settled && s.features>>protocolBit&1 == 0:
		return nil, m.wrong("request", uint64(m.request), "none: bit %d was not accepted", protocolBit)
	}
	r.enabled = on == 1
	if s.live {
		s.engine.EnableRing(int(index), r.enabled)
	}
	s.report()
	return nil, nil
}

// enabled tells whether ring i may move packets. Without bit 30 all may.
func (s *session) enabled(i int) bool {
	return s.rings[i].enabled || s.settled && s.features>>protocolBit&1 == 0
}

// settle starts the rings that can be started now.
func (s *session) settle() error {
	if !s.settled || s.has(protoStatus) && !s.status.Has(virtio.StatusDriverOK) {
		return nil
	}
	restless := false
	for i := range s.rings {
		r := &s.rings[i]
		if !r.started && r.kicked && r.placed && r.size != 0 {
			if err := s.start(i, r); err != nil {
				return err
			}
		}
		restless = restless || r.started && r.polled
	}
	s.engine.SetNoKick(restless)
	s.report()
	return nil
}

func (s *session) start(i int, r *vring) error {
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
	if !s.live {
		s.engine.Begin(s.device())
		s.live = true
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
	return nil
}

// position is where the device takes the ring up. What a packed ring's base
// says is available and was not used is looked at again; the base of a split
// ring says nothing about that, its memory does.
func (r *vring) position(i int, packed bool) (uint16, error) {
	switch {
	case packed && !r.based:
		return 1 << 15, nil
	case packed && r.base>>16 == 0:
		// A front end that only knows of the available position, as DPDK's does.
		return uint16(r.base), nil
	case packed:
		return uint16(r.base >> 16), nil
	case r.base > 0xffff:
		return 0, &RingError{Ring: i, Reason: "the base of a split ring does not fit 16 bits"}
	}
	return uint16(r.base), nil
}

// areas looks up where a ring is.
func (s *session) areas(i int, r *vring, t table) ([3][]byte, error) {
	var mem [3][]byte
	packed := s.device().Has(virtio.RingPacked)
	for a := range mem {
		n := vdev.AreaSize(packed, vdev.Area(a), r.size)
		if mem[a] = t.at(r.areas[a], n); mem[a] == nil {
			return mem, &Error{Device: thePeer, Op: opMemory, Field: "user address", Value: r.areas[a],
				Reason: fmt.Sprintf("%d bytes of %v of a ring are not in memory that is shared", n, vdev.Area(a))}
		}
	}
	return mem, nil
}
