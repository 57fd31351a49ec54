package vhostback

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

// RawConfig asks for a back end that costs next to nothing, for measuring the
// driver at the other side of it: no frames come from or go to anywhere. For
// every receive buffer that is available the 12 bytes of header and a frame,
// always the same one, are written, and of every transmitted packet the header
// and 64 bytes of the frame are read; then the buffer is used. That is all: no
// strictness beyond what keeps the loop inside the peer's memory, no
// notifications asked for, and no interrupts given, so that it serves drivers
// that poll. Every buffer gets a used entry of its own, except transmitted ones
// with IN_ORDER, where one stands for a batch.
type RawConfig struct {
	// Generate fills receive buffers; without it they are left alone.
	Generate bool
	// Size is the length of the generated frames in bytes, without the checksum
	// that a wire adds: 60 to 65535; 0: 64.
	Size int
	// Refuse is taken out of the features that are offered.
	Refuse virtio.Features
}

const (
	rawBurst   = 64 // buffers of one ring in one turn
	rawTurns   = 64 // turns between two looks at who else wants something
	rawMinSize = 60
	rawTouched = headerLen + 64 // bytes read of a transmitted packet
	headerLen  = virtio.NetHeaderLen
)

// raw is the engine of raw mode. The goroutine that polls holds mu while it
// does, for some turns at once.
type raw struct {
	failed func()
	// wanted counts those who wait for mu: the goroutine that polls makes way.
	wanted atomic.Int32

	mu      sync.Mutex
	cfg     RawConfig
	rings   []rawRing
	memory  []window
	packet  []byte // header and frame
	running bool
	cause   error // what stopped it
}

// window is a region of memory by guest addresses.
type window struct {
	first uint64
	mem   []byte
}

func newRaw(cfg RawConfig, pairs int, failed func()) (*raw, error) {
	if cfg.Size == 0 {
		cfg.Size = 64
	}
	if cfg.Size < rawMinSize || cfg.Size > math.MaxUint16 {
		return nil, &vdev.ConfigError{Field: "Size", Value: cfg.Size, Reason: fmt.Sprintf("give %d to %d", rawMinSize, math.MaxUint16)}
	}
	r := &raw{failed: failed, cfg: cfg, rings: make([]rawRing, 2*pairs), packet: rawPacket(cfg.Size)}
	for i := range r.rings {
		r.rings[i].init(r, i)
	}
	return r, nil
}

// rawPacket is a header without offloads that says one buffer, and a frame of
// UDP that its receiver discards: addresses for benchmarks, no checksum.
func rawPacket(size int) []byte {
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

// poll makes some turns. It tells whether any buffer was used in them.
func (r *raw) poll() (busy bool) {
	if !r.mu.TryLock() {
		return false
	}
	defer r.mu.Unlock()
	defer r.faulted()
	for range rawTurns {
		if !r.running || r.wanted.Load() != 0 {
			break
		}
		n := 0
		for i := range r.rings {
			if q := &r.rings[i]; q.works {
				n += q.turn()
			}
		}
		if n == 0 {
			break // and what it takes to come back keeps the driver's lines in peace for a moment
		}
		busy = true
	}
	return busy
}

// faulted makes a fault in the peer's memory the peer's failure. r.mu is held.
func (r *raw) faulted() {
	switch p := recover().(type) {
	case nil:
	case interface{ Addr() uintptr }:
		r.fail(&RingError{Ring: -1, Rule: "x/memory/fault", Reason: fmt.Sprintf("memory of the peer is gone (fault at %#x)", p.Addr())})
	default:
		r.fail(&RingError{Ring: -1, Rule: "x/device/panic", Reason: fmt.Sprintf("the device itself is broken: %v", p)})
	}
}

// fail stops all rings. r.mu is held.
func (r *raw) fail(err error) {
	r.running, r.cause = false, err
	r.failed()
}

// lock takes mu from the goroutine that polls.
func (r *raw) lock() {
	r.wanted.Add(1)
	r.mu.Lock()
	r.wanted.Add(-1)
}

func (r *raw) offers() virtio.Features {
	f := virtio.FeatureSet(virtio.Version1, virtio.NetMAC, virtio.NetStatus, virtio.NetMrgRxbuf, virtio.RingIndirectDesc,
		virtio.RingPacked, virtio.InOrder)
	if len(r.rings) > 2 {
		f = f.With(virtio.NetMQ)
	}
	return f.Minus(r.cfg.Refuse)
}

func (r *raw) pairs() int { return len(r.rings) / 2 }

func (r *raw) begin(f virtio.Features) {
	r.lock()
	defer r.mu.Unlock()
	for i := range r.rings {
		r.rings[i].configure(f.Has(virtio.RingPacked), f.Has(virtio.InOrder))
	}
	r.running, r.cause = true, nil
}

func (r *raw) end() {
	r.lock()
	defer r.mu.Unlock()
	r.running = false
	for i := range r.rings {
		r.rings[i].close()
	}
}

func (r *raw) remap(t table, areas map[int][3][]byte) error {
	r.lock()
	defer r.mu.Unlock()
	r.memory = nil
	for _, m := range t {
		r.memory = append(r.memory, window{m.guest, m.mem})
	}
	for i := range r.rings {
		q := &r.rings[i]
		q.forget()
		if mem, ok := areas[i]; ok && q.alive {
			q.place(mem)
		}
	}
	return nil
}

func (r *raw) start(i int, v vdev.Vring) error {
	r.lock()
	defer r.mu.Unlock()
	q := &r.rings[i]
	for a, mem := range v.Areas {
		if !alignedTo(mem, vdev.AreaAlign(q.packed, vdev.Area(a))) {
			return &RingError{Ring: i, Reason: fmt.Sprintf("%v is not at a multiple of %d", vdev.Area(a), vdev.AreaAlign(q.packed, vdev.Area(a)))}
		}
	}
	if q.packed && int(v.Position&0x7fff) >= v.Size {
		return &RingError{Ring: i, Reason: fmt.Sprintf("position %#x in a ring of %d descriptors", v.Position, v.Size)}
	}
	func() {
		defer r.faulted()
		q.open(v)
	}()
	return r.cause
}

func (r *raw) stop(i int) uint16 {
	r.lock()
	defer r.mu.Unlock()
	at := r.rings[i].position()
	r.rings[i].close()
	return at
}

func (r *raw) enable(i int, on bool) {
	r.lock()
	defer r.mu.Unlock()
	r.rings[i].enable(on)
}

func (r *raw) kicked(int)    {}
func (r *raw) restless(bool) {}
func (r *raw) mtu() int      { return math.MaxUint16 }
func (r *raw) close() error  { return nil }

func (r *raw) config() []byte {
	b := make([]byte, virtio.NetConfigSpeed)
	copy(b, []byte{2, 0, 0, 0, 0, 1})
	b[virtio.NetConfigStatus] = virtio.NetStatusLinkUp
	binary.LittleEndian.PutUint16(b[virtio.NetConfigMaxPairs:], uint16(r.pairs()))
	return b
}

func (r *raw) failure() error {
	r.lock()
	defer r.mu.Unlock()
	return r.cause
}

// at returns n bytes of guest memory, nil if they are not all in one region.
func (r *raw) at(addr, n uint64) []byte {
	for _, w := range r.memory {
		if off := addr - w.first; off < uint64(len(w.mem)) && n <= uint64(len(w.mem))-off {
			return w.mem[off : off+n : off+n]
		}
	}
	return nil
}

// rawCounters are written by the goroutine that polls and read by others. They
// have cache lines of their own.
type rawCounters struct {
	_              [64]byte
	packets, bytes stat.Counter
	_              [64]byte
}
