package generator

import (
	"context"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// counter is a Source of frames that are numbered from 0.
type counter struct {
	length int
	next   uint64
}

func (c *counter) Fill(bufs []*mbuf.Buf, now int64) int {
	for _, b := range bufs {
		frame := b.Append(c.length)
		clear(frame[:14])
		binary.BigEndian.PutUint64(frame[14:], c.next)
		binary.BigEndian.PutUint64(frame[22:], uint64(now))
		c.next++
	}
	return len(bufs) * c.length
}

// readCounter returns what a counter wrote.
func readCounter(b *mbuf.Buf) (number uint64, at int64) {
	frame := b.Data()
	return binary.BigEndian.Uint64(frame[14:]), int64(binary.BigEndian.Uint64(frame[22:]))
}

// checker is a Receiver that expects the frames of a counter, in order and complete.
type checker struct {
	next    uint64
	wrong   int
	maxTime int64 // between the stamp and when it was received
}

func (c *checker) Receive(bufs []*mbuf.Buf, now int64) {
	for _, b := range bufs {
		number, at := readCounter(b)
		if number != c.next {
			c.wrong++
		}
		c.next++
		c.maxTime = max(c.maxTime, now-at)
	}
}

// rig is two ports that a cable joins, and what polls them.
type rig struct {
	*Generator
	config Config
	cores  []*lcore.Core
	pool   *mbuf.Pool
}

// newRig opens ports of these names in one set of cables. The devices are polled by the
// pollers. edit completes the Config.
func newRig(t testing.TB, pollers int, names []string, edit func(*Config)) *rig {
	t.Helper()
	pool, err := mbuf.NewPool(mbuf.Config{Count: 8192, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{pool: pool}
	var cables devargs.Cables
	for _, name := range names {
		var poll func() int
		port, err := devargs.Open(context.Background(), name, devargs.Options{Pool: pool, Cables: &cables, EmuPoll: &poll})
		if err != nil {
			t.Fatal(err)
		}
		r.config.Ports = append(r.config.Ports, Port{Name: name, Port: port, Device: poll})
	}
	for range pollers {
		r.config.Caches = append(r.config.Caches, pool.NewCache(256))
	}
	edit(&r.config)
	if r.Generator, err = New(r.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.close(t) })
	return r
}

// start has the pollers polled.
func (r *rig) start(t testing.TB) {
	t.Helper()
	if enough := len(r.Pollers()) + 2; runtime.GOMAXPROCS(0) < enough {
		runtime.GOMAXPROCS(enough)
	}
	for _, p := range r.Pollers() {
		core, err := lcore.Start(lcore.AnyCPU, p.Poll, p.Abandon)
		if err != nil {
			t.Fatal(err)
		}
		r.cores = append(r.cores, core)
	}
}

// stop ends polling, so that the test may look at what belongs to the pollers.
func (r *rig) stop(t testing.TB) {
	t.Helper()
	for _, core := range r.cores {
		if err := core.Stop(); err != nil {
			t.Error(err)
		}
	}
	r.cores = nil
}

// close finds every buffer back in the pool.
func (r *rig) close(t testing.TB) {
	r.stop(t)
	for _, p := range r.config.Ports {
		if err := p.Port.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range r.config.Caches {
		c.Close()
	}
	if err := r.pool.Release(); err != nil {
		t.Error(err)
	}
}
