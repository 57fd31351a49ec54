package virtq

import (
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// Device addresses of the test: far from virtual addresses, so that one is not
// taken for the other.
const (
	ringAddress = 0x7_0000_0000
	pageAddress = 0x5_0000_0000
)

// bell remembers what was rung.
type bell struct{ rings []uint32 }

func (b *bell) Ring(v uint32) { b.rings = append(b.rings, v) }

// setup says what rig to build.
type setup struct {
	packed   bool
	size     int
	features []virtio.Feature
	bufs     int // buffers in the pool, 0: three rings and some
	dataRoom int
	headroom int
	segments int
	maxFrame int
	start    uint16 // first index of a split ring
	base     uint64 // moves all device addresses
}

func (s setup) has(f virtio.Feature) bool {
	for _, g := range s.features {
		if f == g {
			return true
		}
	}
	return false
}

func (s setup) String() string {
	kind := "split"
	if s.packed {
		kind = "packed"
	}
	text := fmt.Sprintf("%s/%d", kind, s.size)
	for _, f := range s.features {
		text += "/" + f.String()
	}
	return text
}

// rig is a queue, its device and the buffers they exchange.
type rig struct {
	t       testing.TB
	setup   setup
	pool    *mbuf.Pool
	cache   *mbuf.Cache
	mem     *busMemory
	ring    []byte // ring memory, for tests that scribble
	bell    bell
	dev     ringDevice
	rx      *Rx
	tx      *Tx
	control *Control
}

// newPool makes a pool whose pages lie at shuffled device addresses.
func newPool(t testing.TB, mem *busMemory, base uint64, cfg mbuf.Config) *mbuf.Pool {
	t.Helper()
	cfg.Memory = smallPages
	pool, err := mbuf.NewPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = (*mbuf.DriverPool)(pool).Memory().Release() })
	b := (*mbuf.DriverPool)(pool).Memory().Bytes()
	pages := make([]uint64, len(b)/4096)
	for i := range pages {
		pages[i] = base + uint64(i^1)*8192 // not in order, with gaps
		if cfg.DataRoom > 3000 {           // a buffer is larger than a page
			pages[i] = base + uint64(i)*4096
			continue
		}
		mem.add(pages[i], b[i*4096:(i+1)*4096])
	}
	if cfg.DataRoom > 3000 {
		mem.add(base, b)
	}
	if err := (*mbuf.DriverPool)(pool).Bind(pages); err != nil {
		t.Fatal(err)
	}
	return pool
}

// newRig builds everything but the queue.
func newRig(t testing.TB, s setup) (*rig, Config) {
	t.Helper()
	if s.bufs == 0 {
		s.bufs = 3*s.size + 64
	}
	r := &rig{t: t, setup: s, mem: &busMemory{}}
	r.pool = newPool(t, r.mem, s.base+pageAddress,
		mbuf.Config{Count: s.bufs, DataRoom: s.dataRoom, Headroom: s.headroom})
	r.cache = r.pool.NewCache(64)
	cfg := Config{Index: 3, Size: s.size, Address: s.base + ringAddress, IndirectSize: s.segments,
		MaxFrame: s.maxFrame}
	cfg.Features = virtio.FeatureSet(append(s.features, virtio.Version1)...)
	if s.packed {
		cfg.Features = cfg.Features.With(virtio.RingPacked)
	}
	layout, err := cfg.Layout()
	if err != nil {
		t.Fatal(err)
	}
	memory, err := ordinaryMemory(layout.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = memory.Release() })
	cfg.Memory = memory.Bytes()
	for i := range cfg.Memory { // as an allocator may return it
		cfg.Memory[i] = 0xa5
	}
	r.ring = cfg.Memory
	r.mem.add(s.base+ringAddress, cfg.Memory)
	return r, cfg
}

// connect makes the device of a queue.
func (r *rig) connect(q interface {
	Areas() (uint64, uint64, uint64)
}) {
	r.t.Helper()
	rules := rules{mem: r.mem, size: r.setup.size, indirect: r.setup.has(virtio.RingIndirectDesc),
		inOrder: r.setup.has(virtio.InOrder), eventIdx: r.setup.has(virtio.RingEventIdx)}
	desc, driver, device := q.Areas()
	if r.setup.packed {
		d, err := newPackedDevice(rules, desc, driver, device)
		if err != nil {
			r.t.Fatal(err)
		}
		r.dev = d
		return
	}
	d, err := newSplitDevice(rules, desc, driver, device)
	if err != nil {
		r.t.Fatal(err)
	}
	d.lastAvail, d.usedIdx, d.flushed = r.setup.start, r.setup.start, r.setup.start
	d.putUsedWord()
	r.dev = d
}

// seek makes the indices of a split ring start where the setup says.
func (r *rig) seek(q *ring) {
	if !q.packed {
		q.seek(r.setup.start)
	}
}

func newRxRig(t testing.TB, s setup) *rig {
	t.Helper()
	r, cfg := newRig(t, s)
	r.rx = newRx(t, cfg, r.cache)
	r.seek(&r.rx.ring)
	r.connect(r.rx)
	r.rx.Refill()
	r.rx.Start(&r.bell, 3)
	return r
}

func newTxRig(t testing.TB, s setup) *rig {
	t.Helper()
	s.base = 0x100_0000_0000 // a test may join it to a receive queue
	r, cfg := newRig(t, s)
	r.tx = newTx(t, cfg, r.cache)
	r.seek(&r.tx.ring)
	r.connect(r.tx)
	r.tx.Start(&r.bell, 3)
	return r
}

// ok fails the test if the driver broke a rule or the queue broke.
func (r *rig) ok() {
	r.t.Helper()
	if err := r.dev.violation(); err != nil {
		r.t.Fatalf("the driver broke a rule: %v", err)
	}
	if err := r.broken(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) broken() error {
	switch {
	case r.rx != nil:
		return r.rx.Broken()
	case r.tx != nil:
		return r.tx.Broken()
	}
	return r.control.Broken()
}

// conserved checks that no buffer is lost or there twice; the test holds held.
func (r *rig) conserved(held int) {
	r.t.Helper()
	posted := 0
	if r.rx != nil {
		posted += r.rx.Posted()
	}
	if r.tx != nil {
		posted += r.tx.Posted()
	}
	if free := r.pool.Free(); free+posted+held != r.pool.Size() {
		r.t.Fatalf("%d free + %d posted + %d held is not %d", free, posted, held, r.pool.Size())
	}
}

// deliver writes a packet into the list the device took and marks it used.
func (r *rig) deliver(l list, frame []byte) {
	n := r.device().write(l, append(netHeader(1), frame...))
	r.dev.push(l.id, uint32(n), l.slots)
}

func (r *rig) device() *rules {
	if d, ok := r.dev.(*splitDevice); ok {
		return &d.rules
	}
	return &r.dev.(*packedDevice).rules
}

// netHeader is a virtio_net_hdr for a packet of n buffers.
func netHeader(n uint16) []byte {
	h := make([]byte, 12)
	le.PutUint16(h[10:], n)
	return h
}

// kinds runs a test on both ring formats.
func kinds(t *testing.T, f func(t *testing.T, packed bool)) {
	t.Run("split", func(t *testing.T) { f(t, false) })
	t.Run("packed", func(t *testing.T) { f(t, true) })
}

// packets takes n packets of so many bytes from the cache.
func (r *rig) packets(n, bytes int) []*mbuf.Buf {
	r.t.Helper()
	bufs := make([]*mbuf.Buf, n)
	if got := r.cache.Get(bufs); got != n {
		r.t.Fatalf("%d of %d buffers", got, n)
	}
	for i, b := range bufs {
		copy(b.Append(bytes), frametest.Seq(i, bytes))
	}
	return bufs
}

// send transmits n packets of 64 bytes, all of which must be taken.
func (r *rig) send(n int) {
	r.t.Helper()
	if took := r.tx.Burst(r.packets(n, 64)); took != n {
		r.t.Fatalf("%d of %d packets were taken", took, n)
	}
}

// popAll takes everything that is available.
func (r *rig) popAll() []list {
	var all []list
	for l, ok := r.dev.pop(); ok; l, ok = r.dev.pop() {
		all = append(all, l)
	}
	return all
}

// useAll marks everything that is available used, having written the same
// frame to each.
func (r *rig) useAll(frame []byte) int {
	all := r.popAll()
	for _, l := range all {
		if r.rx != nil {
			r.deliver(l, frame)
		} else {
			r.dev.push(l.id, 0, l.slots)
		}
	}
	r.dev.flush()
	return len(all)
}

// chained makes a packet of segments of these lengths.
func (r *rig) chained(lengths ...int) *mbuf.Buf {
	r.t.Helper()
	segs := make([]*mbuf.Buf, len(lengths))
	if r.cache.Get(segs) != len(segs) {
		r.t.Fatal("too few buffers")
	}
	for i, b := range segs {
		copy(b.Append(lengths[i]), frametest.Seq(i, frametest.MinLen+lengths[i])[frametest.MinLen:])
		if i > 0 {
			segs[i-1].SetNext(b)
		}
	}
	return segs[0]
}

// newControlRig makes a control queue.
func newControlRig(t testing.TB, s setup) *rig {
	t.Helper()
	r, cfg := newRig(t, s)
	c, err := NewControl(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.control = c
	r.connect(c)
	c.Start(&r.bell, 3)
	return r
}

// segment returns a piece of the memory of b, which is the test's.
func (r *rig) segment(b *mbuf.Buf, n int) Segment {
	b.Append(n - b.Len())
	return Segment{Address: mbuf.Driver(b).IOVA(), Len: uint32(n)}
}
