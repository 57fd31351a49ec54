package driver

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/flowtest"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// queueModel is what a port's queues should be like, and the port.
type queueModel struct {
	*rig
	rss     bool
	pairs   int
	sizes   [8]int  // by virtqueue
	stopped [8]bool // likewise
	resets  uint64
}

// promise/1: whatever is done to queues in whatever order, with packets in their rings and
// with recoveries between, every buffer is back in the end, the device has nothing to
// complain about, and queues that are in use carry packets.
func TestQueuesInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var failure any // of rt, in the goroutine of the subtest
		ok := t.Run("", func(t *testing.T) {
			defer func() { failure = recover() }()
			m := newQueueModel(t, rt)
			actions := []func(*rapid.T){m.stopOrStart, m.resize, m.setPairs, m.setRSS, m.recover, m.traffic, m.traffic}
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(actions)-1), 1, 12).Draw(rt, "actions") {
				actions[i](rt)
				m.check(rt)
			}
			m.carryAll()
		})
		if failure != nil {
			panic(failure)
		}
		if !ok {
			rt.FailNow()
		}
	})
}

func newQueueModel(t *testing.T, rt *rapid.T) *queueModel {
	c := Config{Queues: 4, RxQueueSize: 64, TxQueueSize: 64, Recovery: eager, Pool: newPool(t, mbuf.Config{Count: 1600})}
	if rapid.Bool().Draw(rt, "split") {
		c.Refuse = virtio.FeatureSet(virtio.RingPacked)
	}
	m := &queueModel{pairs: 4, rss: rapid.Bool().Draw(rt, "RSS")}
	if m.rss {
		c.Require = rssFeatures
	}
	m.rig = newRig(t, functionWith(vdev.Config{Pairs: 4, QueueSize: 256}), c)
	m.dev.Start()
	t.Cleanup(m.dev.Stop)
	for q := range m.sizes {
		m.sizes[q] = 64
	}
	return m
}

// virtqueue draws one, and returns what can be done to it.
func (m *queueModel) virtqueue(rt *rapid.T) (q int, how resizer) {
	q = rapid.IntRange(0, 7).Draw(rt, "virtqueue")
	return q, resizers[q%2]
}

func (m *queueModel) stopOrStart(rt *rapid.T) {
	q, how := m.virtqueue(rt)
	do := how.stop
	if m.stopped[q] {
		do = how.start
	}
	if err := do(m.port, m.t.Context(), q/2); err != nil {
		rt.Fatal(err)
	}
	m.stopped[q] = !m.stopped[q]
}

func (m *queueModel) resize(rt *rapid.T) {
	q, how := m.virtqueue(rt)
	size := rapid.SampledFrom([]int{16, 64, 128, 256}).Draw(rt, "size")
	if err := how.resize(m.port, m.t.Context(), q/2, size); err != nil {
		rt.Fatal(err)
	}
	m.sizes[q] = size
}

// whole reports whether none of the first pairs has a stopped queue.
func (m *queueModel) whole(pairs int) bool { return !slices.Contains(m.stopped[:2*pairs], true) }

func (m *queueModel) setPairs(rt *rapid.T) {
	pairs := rapid.IntRange(1, 4).Draw(rt, "pairs")
	err := m.port.SetQueuePairs(m.t.Context(), pairs)
	if ok := pairs == m.pairs || m.whole(pairs); ok != (err == nil) {
		rt.Fatalf("%d pairs: %v", pairs, err)
	}
	if err == nil {
		m.pairs = pairs
	}
}

func (m *queueModel) setRSS(rt *rapid.T) {
	table := make([]uint16, 1<<rapid.IntRange(0, 7).Draw(rt, "bits of the table"))
	for i := range table {
		table[i] = uint16(rapid.IntRange(0, 3).Draw(rt, "entry"))
	}
	err := m.port.SetRSS(m.t.Context(), RSS{Table: table})
	if ok := m.rss && m.whole(m.pairs) && int(slices.Max(table)) < m.pairs; ok != (err == nil) {
		rt.Fatalf("a table of %v with %d pairs: %v", table, m.pairs, err)
	}
}

func (m *queueModel) recover(*rapid.T) {
	m.dev.NeedReset()
	m.resets++
	m.recovered(m.resets)
}

// traffic leaves packets in rings and takes some out of them.
func (m *queueModel) traffic(rt *rapid.T) {
	flows := flowtest.Series(16)
	for range rapid.IntRange(1, 20).Draw(rt, "packets") {
		m.wire.deliver(0, flows[rapid.IntRange(0, 15).Draw(rt, "flow")].Frame([6]byte(m.port.MAC()), 0))
	}
	bufs := make([]*mbuf.Buf, 16)
	for pair := range 4 {
		n := m.port.Pool().Get(bufs[:rapid.IntRange(0, 16).Draw(rt, "burst")])
		for _, b := range bufs[:n] {
			frametest.Fill(m.t, b, frametest.Seq(pair, 60))
		}
		sent := m.port.TxQueue(pair).Burst(bufs[:n])
		if sent > 0 && (pair >= m.pairs || m.stopped[2*pair+1]) {
			rt.Fatalf("transmit queue %d took packets", pair)
		}
		mbuf.Free(bufs[sent:n])
		n = m.port.RxQueue(pair).Burst(bufs)
		if n > 0 && m.stopped[2*pair] {
			rt.Fatalf("receive queue %d has packets", pair)
		}
		mbuf.Free(bufs[:n])
	}
}

// check compares the port and the device with the model.
func (m *queueModel) check(rt *rapid.T) {
	if m.port.ActivePairs() != m.pairs {
		rt.Fatalf("%d pairs are active, want %d", m.port.ActivePairs(), m.pairs)
	}
	stats := m.port.Stats()
	for q, size := range m.sizes {
		if m.dev.QueueEnabled(q) == m.stopped[q] || !m.stopped[q] && m.dev.QueueSize(q) != size {
			rt.Fatalf("virtqueue %d: enabled is %v, with %d descriptors, want %v and %d",
				q, m.dev.QueueEnabled(q), m.dev.QueueSize(q), !m.stopped[q], size)
		}
		posted := []int{stats.Queues[q/2].Rx.Posted, stats.Queues[q/2].Tx.Posted}[q%2]
		if posted > size || m.stopped[q] && posted != 0 {
			rt.Fatalf("virtqueue %d: %d buffers are posted", q, posted)
		}
	}
	if stats.Resets != m.resets {
		rt.Fatalf("%d recoveries, want %d", stats.Resets, m.resets)
	}
}

// carryAll has every transmit queue that is in use send a packet.
func (m *queueModel) carryAll() {
	for pair := range m.pairs {
		if m.stopped[2*pair+1] {
			continue
		}
		before := m.dev.QueueStats(2*pair + 1).Chains
		await(m.t, "the queue sends", func() bool {
			bufs := []*mbuf.Buf{newFrame(m.t, m.port.Pool())}
			mbuf.Free(bufs[m.port.TxQueue(pair).Burst(bufs):])
			return m.dev.QueueStats(2*pair+1).Chains > before
		})
	}
}
