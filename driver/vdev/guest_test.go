package vdev_test

import (
	"encoding/binary"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// guest is a driver at the level of words in memory, written for these tests
// from the specification: it shares nothing with package virtq.
type guest struct {
	t    testing.TB
	d    *vdev.Device      // nil if v is not
	v    *vdev.VhostDevice // nil if d is not
	irq  *lines
	mem  []byte
	base uint64
	brk  int
	f    virtio.Features
	qs   map[int]vq
}

// lines counts interrupts.
type lines struct {
	queue  [64]atomic.Int64
	config atomic.Int64
}

func (l *lines) Masked(int) bool { return false }
func (l *lines) Queue(q int)     { l.queue[q].Add(1) }
func (l *lines) Config()         { l.config.Add(1) }

const guestBase = 0x7_0000_0000

// newGuest makes a Device and maps memory for it.
func newGuest(t testing.TB, cfg vdev.Config, memory int) *guest {
	t.Helper()
	g := &guest{t: t, irq: new(lines), base: guestBase, qs: make(map[int]vq)}
	d, err := vdev.New(cfg, g.irq)
	if err != nil {
		t.Fatal(err)
	}
	g.d = d
	g.mapMemory(d.Close, memory)
	if err := d.MapMemory(guestBase, g.mem); err != nil {
		t.Fatal(err)
	}
	return g
}

// newVhostGuest makes a VhostDevice and maps memory for it.
func newVhostGuest(t testing.TB, cfg vdev.Config, memory int) *guest {
	t.Helper()
	g := &guest{t: t, irq: new(lines), base: guestBase, qs: make(map[int]vq)}
	d, err := vdev.NewVhost(cfg, g.irq)
	if err != nil {
		t.Fatal(err)
	}
	g.v = d
	g.mapMemory(d.Close, memory)
	if err := d.Remap([]vdev.Mapping{{Address: guestBase, Memory: g.mem}}, nil); err != nil {
		t.Fatal(err)
	}
	return g
}

// mapMemory gets memory that is unmapped after the device was closed.
func (g *guest) mapMemory(closeDevice func() error, memory int) {
	g.t.Helper()
	mem, err := unix.Mmap(-1, 0, memory, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		g.t.Fatal(err)
	}
	g.mem = mem
	g.t.Cleanup(func() {
		if err := closeDevice(); err != nil {
			g.t.Errorf("closing the device: %v", err)
		}
		_ = unix.Munmap(mem)
	})
}

// alloc returns zeroed guest memory.
func (g *guest) alloc(n, align int) (uint64, []byte) {
	g.t.Helper()
	g.brk = (g.brk + align - 1) &^ (align - 1)
	if g.brk+n > len(g.mem) {
		g.t.Fatalf("guest memory is used up")
	}
	b := g.mem[g.brk : g.brk+n : g.brk+n]
	addr := g.base + uint64(g.brk)
	g.brk += n
	clear(b)
	return addr, b
}

// negotiate takes the device up to FEATURES_OK, accepting what of f is offered.
func (g *guest) negotiate(f virtio.Features) {
	g.t.Helper()
	d := g.d
	d.SetStatus(0)
	if s := d.Status(); s != 0 {
		g.t.Fatalf("status %v after a reset", s)
	}
	status := virtio.StatusAcknowledge
	d.SetStatus(status)
	status |= virtio.StatusDriver
	d.SetStatus(status)
	g.f = f.And(d.Offered())
	d.SetAccepted(g.f)
	status |= virtio.StatusFeaturesOK
	d.SetStatus(status)
	if s := d.Status(); s != status {
		g.t.Fatalf("status %v after FEATURES_OK: %v", s, d.Violations())
	}
}

// driverOK ends the set-up.
func (g *guest) driverOK() { g.d.SetStatus(g.d.Status() | virtio.StatusDriverOK) }

// addQueue gives a ring to the device and enables it.
func (g *guest) addQueue(i, size int) vq {
	g.t.Helper()
	q := g.newRing(i, size)
	a := q.areas()
	g.d.SetQueueSize(i, size)
	for area, addr := range a {
		g.d.SetQueueAddress(i, vdev.Area(area), ^uint64(0), addr)
	}
	g.d.SetQueueEnabled(i, 1)
	if !g.d.QueueEnabled(i) {
		g.t.Fatalf("queue %d not enabled: %v", i, g.d.Violations())
	}
	g.qs[i] = q
	return q
}

func (g *guest) newRing(i, size int) vq {
	if g.f.Has(virtio.RingPacked) {
		return newPackedVQ(g, i, size)
	}
	return newSplitVQ(g, i, size)
}

// up brings a device up with one pair of queues.
func (g *guest) up(f virtio.Features, size int) (rx, tx vq) {
	g.t.Helper()
	g.negotiate(f)
	rx, tx = g.addQueue(0, size), g.addQueue(1, size)
	g.driverOK()
	return rx, tx
}

// ring rings the doorbell of a queue if the device asked for it.
func (g *guest) ring(i int, q vq) {
	if !q.kickWanted() {
		return
	}
	if g.v != nil {
		g.v.Notify(i)
		return
	}
	var position uint16
	if g.f.Has(virtio.NotificationData) {
		position = q.position()
	}
	g.d.Notify(i, position)
}

// clean fails the test if the device recorded anything.
func (g *guest) clean() {
	g.t.Helper()
	for _, v := range g.violations() {
		g.t.Errorf("the device recorded %v", v)
	}
}

func (g *guest) violations() []vdev.Violation {
	if g.v != nil {
		return g.v.Violations()
	}
	return g.d.Violations()
}

// piece is one stretch of guest memory for a descriptor.
type piece struct {
	addr  uint64
	len   int
	write bool
}

// vq is the driver side of a ring.
type vq interface {
	areas() [3]uint64
	// add makes a buffer ready and returns what the device will call it by;
	// publish shows everything added since to the device.
	add(indirect bool, pieces ...piece) (id uint16, ok bool)
	publish()
	kickWanted() bool
	position() uint16
	// take returns the next used buffer. With IN_ORDER and a batch it returns
	// the buffers one by one.
	take() (id uint16, length uint32, ok bool)
	// wantInterrupt asks for an interrupt for the next used buffer; noInterrupt
	// for none.
	wantInterrupt()
	noInterrupt()
}

// header puts a virtio_net_hdr without offloads before a frame.
func packet(frame []byte) []byte { return append(make([]byte, virtio.NetHeaderLen), frame...) }

func numBuffers(header []byte) int {
	return int(binary.LittleEndian.Uint16(header[virtio.NetHeaderNumBuffers:]))
}
