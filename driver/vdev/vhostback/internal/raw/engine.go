// Package raw is an engine for package vhostback that costs next to nothing, for
// measuring the driver at the other side of it: no frames come from or go to
// anywhere. Into every receive buffer that is available it writes the 12 bytes of
// header and a frame, always the same one; of every transmitted packet it reads
// the header and 64 bytes of the frame; then it uses the buffer. It checks only
// what keeps it inside the peer's memory, asks for no notifications and gives no
// interrupts, so that it serves drivers that poll. Every buffer gets a used entry
// of its own, except transmitted ones with IN_ORDER, where one stands for a batch.
package raw

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/stat"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Config says what an Engine does.
type Config struct {
	Generate bool            // fill receive buffers; without it they are left alone
	Size     int             // bytes of a generated frame, 60 to 65535; 0: 64
	Offloads virtio.Features // of transmitOffloads, those that are offered
	Refuse   virtio.Features // taken out of the features that are offered
}

const (
	maxBurst     = 64 // buffers of one ring in one turn
	turnsPerPoll = 64
	minSize      = 60
	headerLen    = virtio.NetHeaderLen
	touched      = headerLen + 64 // bytes read of a transmitted packet
)

// transmitOffloads returns the offloads of a packet that can be taken without looking at its
// header: it goes nowhere, whatever is left to be done on it.
func transmitOffloads() virtio.Features {
	return virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostECN,
		virtio.NetHostUSO, virtio.NetGuestHdrLen)
}

// Engine is a network device that moves no frames. Poll holds mu for some turns
// at once; the other methods take it from it.
type Engine struct {
	failed func()
	// waiting counts the goroutines that wait for mu: Poll releases it then.
	waiting atomic.Int32

	mu      sync.Mutex
	cfg     Config
	rings   []ring
	memory  []vdev.Mapping
	packet  []byte // header and frame
	running bool
	failure vdev.Violation // what stopped it; Count is 0 if nothing did
}

// New makes an Engine with a number of queue pairs. It calls failed, with a lock
// held, when it stops because of something that the driver did.
func New(cfg Config, pairs int, failed func()) (*Engine, error) {
	if cfg.Size == 0 {
		cfg.Size = 64
	}
	if cfg.Size < minSize || cfg.Size > math.MaxUint16 {
		return nil, &vdev.Error{Op: "raw engine", Field: "Size", Value: cfg.Size, Reason: "out of range",
			Remedy: fmt.Sprintf("give %d to %d", minSize, math.MaxUint16)}
	}
	if other := cfg.Offloads.Minus(transmitOffloads()); !other.Empty() {
		return nil, &vdev.Error{Op: "raw engine", Field: "Offloads", Value: other,
			Reason: "no offload of packets that are transmitted",
			Remedy: fmt.Sprintf("give some of %v", transmitOffloads())}
	}
	e := &Engine{failed: failed, cfg: cfg, rings: make([]ring, 2*pairs), packet: newPacket(cfg.Size)}
	for i := range e.rings {
		e.rings[i].init(e, i)
	}
	return e, nil
}

// newPacket returns a header without offloads that says one buffer, and a UDP
// frame to the discard port: addresses set aside for benchmarks, no checksum.
func newPacket(size int) []byte {
	b := make([]byte, headerLen+size)
	b[virtio.NetHeaderNumBuffers] = 1
	f := b[headerLen:]
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0xaa, 8, 0})
	copy(f[14:], []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1})
	binary.BigEndian.PutUint16(f[16:], uint16(min(size-14, math.MaxUint16)))
	var sum uint32
	for i := 14; i < 34; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(f[34:], 1024)
	binary.BigEndian.PutUint16(f[36:], 9)
	binary.BigEndian.PutUint16(f[38:], uint16(min(size-34, math.MaxUint16)))
	return b
}

// Poll makes some turns and returns how many buffers it used. It is for one
// goroutine, which should have called debug.SetPanicOnFault.
func (e *Engine) Poll() (used int) {
	if !e.mu.TryLock() {
		return 0
	}
	defer e.mu.Unlock()
	defer e.faulted()
	for range turnsPerPoll {
		if !e.running || e.waiting.Load() != 0 {
			break
		}
		n := 0
		for i := range e.rings {
			if q := &e.rings[i]; q.active {
				n += q.turn()
			}
		}
		if n == 0 {
			break // until the next call the driver has its cache lines to itself
		}
		used += n
	}
	return used
}

// faulted makes a fault in the peer's memory the engine's failure. e.mu is held.
func (e *Engine) faulted() {
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		e.fail(-1, "x/memory/fault", "memory of the peer is gone (fault at %#x)", p.Addr())
	default:
		e.fail(-1, "x/device/panic", "the device itself is broken: %v", p)
	}
}

// fail stops all rings. e.mu is held.
func (e *Engine) fail(queue int, rule, format string, args ...any) {
	e.running = false
	e.failure = vdev.Violation{Rule: rule, Queue: queue, Text: fmt.Sprintf(format, args...), Count: 1}
	e.failed()
}

// lock takes mu from the goroutine that polls.
func (e *Engine) lock() {
	e.waiting.Add(1)
	e.mu.Lock()
	e.waiting.Add(-1)
}

// Offered returns the features that a driver may accept.
func (e *Engine) Offered() virtio.Features {
	f := virtio.FeatureSet(virtio.Version1, virtio.NetMAC, virtio.NetStatus, virtio.NetMrgRxbuf,
		virtio.RingIndirectDesc, virtio.RingPacked, virtio.InOrder)
	if len(e.rings) > 2 {
		f = f.With(virtio.NetMQ)
	}
	return f.Or(e.cfg.Offloads).Minus(e.cfg.Refuse)
}

// Pairs returns how many queue pairs there are.
func (e *Engine) Pairs() int { return len(e.rings) / 2 }

// Begin settles the features; rings may be started from now on.
func (e *Engine) Begin(f virtio.Features) {
	e.lock()
	defer e.mu.Unlock()
	for i := range e.rings {
		e.rings[i].configure(f.Has(virtio.RingPacked), f.Has(virtio.InOrder))
	}
	e.running, e.failure = true, vdev.Violation{}
}

// End stops all rings and forgets the features.
func (e *Engine) End() {
	e.lock()
	defer e.mu.Unlock()
	e.running = false
	for i := range e.rings {
		e.rings[i].close()
	}
}

// Remap replaces all memory, and the areas of those rings that are started.
func (e *Engine) Remap(all []vdev.Mapping, areas map[int][3][]byte) error {
	e.lock()
	defer e.mu.Unlock()
	e.memory = all
	for i := range e.rings {
		q := &e.rings[i]
		q.forgetRegion()
		if mem, ok := areas[i]; ok && q.alive {
			q.setAreas(mem)
		}
	}
	return nil
}

// StartRing starts a ring, disabled or as EnableRing last said.
func (e *Engine) StartRing(i int, v vdev.Ring) error {
	e.lock()
	defer e.mu.Unlock()
	q := &e.rings[i]
	for a, mem := range v.Areas {
		if align := vdev.AreaAlign(q.packed, vdev.Area(a)); !aligned(mem, align) {
			return fmt.Errorf("%v is not at a multiple of %d", vdev.Area(a), align)
		}
	}
	if q.packed && int(v.Position&0x7fff) >= v.Size {
		return fmt.Errorf("position %#x in a ring of %d descriptors", v.Position, v.Size)
	}
	func() {
		defer e.faulted()
		q.start(v)
	}()
	if !e.running {
		return fmt.Errorf("the engine does not run")
	}
	return nil
}

// StopRing stops a ring and returns where it would go on.
func (e *Engine) StopRing(i int) uint16 {
	e.lock()
	defer e.mu.Unlock()
	at := e.rings[i].position()
	e.rings[i].close()
	return at
}

// EnableRing enables or disables a ring, started or not.
func (e *Engine) EnableRing(i int, on bool) {
	e.lock()
	defer e.mu.Unlock()
	e.rings[i].enable(on)
}

// Notify does nothing: Poll looks at all rings.
func (e *Engine) Notify(int) {}

// SetNoKick does nothing, as Notify.
func (e *Engine) SetNoKick(bool) {}

// MTU returns the largest MTU that a driver may announce.
func (e *Engine) MTU() int { return math.MaxUint16 }

// Config returns the device configuration.
func (e *Engine) Config() []byte {
	b := make([]byte, virtio.NetConfigSpeed)
	copy(b, []byte{2, 0, 0, 0, 0, 1})
	b[virtio.NetConfigStatus] = virtio.NetStatusLinkUp
	binary.LittleEndian.PutUint16(b[virtio.NetConfigMaxPairs:], uint16(e.Pairs()))
	return b
}

// Failure returns what made the engine stop since Begin, false if nothing did.
func (e *Engine) Failure() (vdev.Violation, bool) {
	e.lock()
	defer e.mu.Unlock()
	return e.failure, e.failure.Count > 0
}

// Stats returns the counters, without taking the lock that Poll holds.
func (e *Engine) Stats() (s vdev.Stats) {
	for i := range e.rings {
		q := &e.rings[i]
		if q.receives {
			s.RxFrames += q.count.packets.Load()
			s.RxBytes += q.count.bytes.Load()
		} else {
			s.TxFrames += q.count.packets.Load()
			s.TxBytes += q.count.bytes.Load()
		}
	}
	return s
}

// Close does nothing: there is nothing behind the engine.
func (e *Engine) Close() error { return nil }

// at returns n bytes of guest memory, nil if they are not all in one region.
func (e *Engine) at(addr, n uint64) []byte {
	for _, m := range e.memory {
		if off := addr - m.Address; off < uint64(len(m.Memory)) && n <= uint64(len(m.Memory))-off {
			return m.Memory[off : off+n : off+n]
		}
	}
	return nil
}

// counters are written by the goroutine that polls and read by others. They have
// cache lines of their own.
type counters struct {
	_              [64]byte
	packets, bytes stat.Counter
	_              [64]byte
}
