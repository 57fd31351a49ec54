package driver

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// tightCable is one end of a cable that holds few frames for each queue pair and loses
// none: a transmit queue stands still while the receive queue at the other end has no
// buffers.
type tightCable struct {
	depth   int
	out, in map[int][][]byte
}

func newTightCable(depth int) (a, b *tightCable) {
	x, y := make(map[int][][]byte), make(map[int][][]byte)
	return &tightCable{depth, x, y}, &tightCable{depth, y, x}
}

func (*tightCable) Attach(func()) error { return nil }
func (*tightCable) Traits() vdev.Traits { return vdev.Traits{PerPair: true, Lossless: true} }
func (*tightCable) Close() error        { return nil }

func (c *tightCable) Transmit(pair int, frames [][]byte) int {
	n := min(len(frames), c.depth-len(c.out[pair]))
	for _, f := range frames[:n] {
		c.out[pair] = append(c.out[pair], slices.Clone(f))
	}
	return n
}

func (c *tightCable) Receive(pair int, frames [][]byte) int {
	n := copy(frames, c.in[pair])
	c.in[pair] = c.in[pair][n:]
	return n
}

// starve is what TestEveryAcceptedPoolKeepsEveryQueueMoving varies.
type starve struct {
	pairs, rx, tx  int // of both ports
	pollers, burst int
	cache          int // size of a poller's cache, 0 for those of the queues
	txCache        bool
	depth          int // of the cable
	spare          int // buffers more than the pool must have
	pools          int
	refuse         virtio.Features
}

func drawStarve(r *rapid.T) starve {
	sizes := rapid.SampledFrom([]int{4, 8, 32, 128})
	s := starve{
		pairs: rapid.IntRange(1, 3).Draw(r, "pairs"),
		rx:    sizes.Draw(r, "rx ring"), tx: sizes.Draw(r, "tx ring"),
		pollers: rapid.IntRange(1, 2).Draw(r, "pollers"),
		burst:   rapid.SampledFrom([]int{1, 5, 32, 64}).Draw(r, "burst"),
		cache:   rapid.SampledFrom([]int{0, 1, 32, 256}).Draw(r, "cache"),
		txCache: rapid.Bool().Draw(r, "tx queues have the cache"),
		depth:   rapid.SampledFrom([]int{1, 16, 200}).Draw(r, "depth of the cable"),
		spare:   rapid.SampledFrom([]int{0, 0, 1, 50}).Draw(r, "spare"),
		pools:   rapid.IntRange(1, 2).Draw(r, "pools"),
	}
	if rapid.Bool().Draw(r, "split") {
		s.refuse = virtio.FeatureSet(virtio.RingPacked)
	}
	return s
}

// starveRig is two ports on a cable.
type starveRig struct {
	starve
	fns   []*pcifn.Function
	ports []*Port
	pools []*mbuf.Pool
}

// Every pool that is accepted keeps every queue moving, and one that is refused is
// accepted with as many buffers as the error asks for. Frames go round and round between
// two ports, and new ones are sent where none come.
func TestEveryAcceptedPoolKeepsEveryQueueMoving(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawStarve(r)
		size := 1
		for refused := 0; ; refused++ {
			rig, need, err := s.open(size)
			if err == nil {
				if s.spare > 0 && refused > 0 {
					size += s.spare
					s.spare = 0
					rig.close(r)
					continue
				}
				rig.run(r)
				rig.close(r)
				return
			}
			if need <= size || refused > 4 {
				r.Fatalf("%d buffers are refused, and %d asked for: %v", size, need, err)
			}
			size = need
		}
	})
}

// open opens both ports with pools of a size. need is how many buffers it takes if these
// are too few.
func (s starve) open(size int) (rig *starveRig, need int, err error) {
	rig = &starveRig{starve: s}
	for range s.pools {
		pool, err := mbuf.NewPool(mbuf.Config{Count: size, Memory: smallPages})
		if err != nil {
			return nil, 0, err
		}
		rig.pools = append(rig.pools, pool)
	}
	a, b := newTightCable(s.depth)
	for i, end := range []*tightCable{a, b} {
		fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{
			Backend: end, QueueSize: 128, Pairs: s.pairs, Hold: true}})
		if err != nil {
			return nil, 0, err
		}
		rig.fns = append(rig.fns, fn)
		fn.Device().Start() // it answers the command for more pairs
		port, err := openPort(fn, Config{Pool: rig.pools[i%s.pools], Queues: s.pairs,
			RxQueueSize: s.rx, TxQueueSize: s.tx, Refuse: s.refuse})
		fn.Device().Stop()
		if err == nil {
			rig.ports = append(rig.ports, port)
		}
		if err == nil && i == 1 && s.pools == 2 {
			err = errorsOf(port.Attach(rig.pools[0]), rig.ports[0].Attach(rig.pools[1]))
		}
		if err != nil {
			var small *PoolError
			if errors.As(err, &small) {
				need = small.Need
			}
			return nil, need, errorsOf(err, rig.release())
		}
	}
	return rig, 0, nil
}

// lane is a receive queue and the transmit queue that its frames leave by.
type lane struct {
	rx   *RxQueue
	tx   *TxQueue
	from interface{ Get([]*mbuf.Buf) int }
}

// run polls until every receive queue has received more frames than there are buffers.
func (rig *starveRig) run(r *rapid.T) {
	var lanes []lane
	var caches []*mbuf.Cache
	for poller := range rig.pollers {
		for i, port := range rig.ports {
			pool, to := port.Pool(), rig.ports[1-i]
			var cache *mbuf.Cache
			if rig.cache > 0 {
				cache = pool.NewCache(rig.cache)
				caches = append(caches, cache)
			}
			for q := poller; q < rig.pairs; q += rig.pollers {
				l := lane{port.RxQueue(q), to.TxQueue(q), pool}
				if cache != nil {
					l.from = cache
					must(r, l.rx.SetCache(cache))
				}
				if cache != nil && rig.txCache {
					must(r, l.tx.SetCache(cache))
				}
				lanes = append(lanes, l)
			}
		}
	}
	got := make([]int, len(lanes))
	target := rig.pools[0].Size() + 100
	bufs := make([]*mbuf.Buf, rig.burst)
	for idle := 0; slices.Min(got) < target; idle++ {
		before := slices.Min(got)
		for i, l := range lanes {
			n := l.rx.Burst(bufs)
			got[i] += n
			if n == 0 {
				n = l.from.Get(bufs)
				for _, b := range bufs[:n] {
					b.Append(60)
				}
			}
			mbuf.Free(bufs[l.tx.Burst(bufs[:n]):n])
		}
		for _, fn := range rig.fns {
			fn.Device().Poll()
		}
		if slices.Min(got) > before {
			idle = 0
		}
		if idle == 2000 {
			r.Fatalf("a queue stands still: received %v, pool %d of %d free, %+v, %+v", got,
				rig.pools[0].Free(), rig.pools[0].Size(), rig.ports[0].Stats(), rig.ports[1].Stats())
		}
	}
	for _, l := range lanes {
		must(r, errorsOf(l.rx.SetCache(nil), l.tx.SetCache(nil)))
	}
	for _, c := range caches {
		c.Close()
	}
}

func must(r *rapid.T, err error) {
	if err != nil {
		r.Fatal(err)
	}
}

// close closes the ports, of which the pools have everything back then.
func (rig *starveRig) close(r *rapid.T) {
	for i, p := range rig.ports {
		must(r, p.Close())
		rig.ports[i] = nil
	}
	for _, pool := range rig.pools {
		if free := pool.Free(); free != pool.Size() || pool.DoubleFrees() != 0 {
			r.Fatalf("%d of %d buffers are back", free, pool.Size())
		}
	}
	for _, fn := range rig.fns {
		if v := fn.Device().Violations(); len(v) != 0 {
			r.Fatalf("the driver broke a rule: %v", v)
		}
	}
	must(r, rig.release())
}

// release gives everything back.
func (rig *starveRig) release() error {
	var errs []error
	for _, p := range rig.ports {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	for _, fn := range rig.fns {
		errs = append(errs, fn.Close())
	}
	for _, pool := range rig.pools {
		errs = append(errs, pool.Release())
	}
	return errors.Join(errs...)
}
