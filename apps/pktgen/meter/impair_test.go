package meter

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// impairment is an end of a cable that impairs what comes out of it: it drops every
// 100th frame; of the others, every 500th changes places with the next one; and of these,
// in their new order, every 1,000th comes twice. Each is delayed by what delay returns,
// after the one before it has left. Its time is that of the test.
type impairment struct {
	*wire.End
	now   int64
	delay func() int64

	arrived, kept, left uint64
	held                *delayed // changes places with the next
	waiting             []delayed
	lent                int // of waiting, by the last Receive

	dropped, swapped, duplicated uint64
	latencies                    exact // of those that have left, without second ones
}

// delayed is a frame and when it arrived and leaves.
type delayed struct {
	frame       []byte
	sent, leave int64
}

// Receive implements [vdev.Backend].
func (w *impairment) Receive(pair int, frames [][]byte) int {
	w.waiting = w.waiting[w.lent:]
	in := make([][]byte, 64)
	for n := w.End.Receive(pair, in); n > 0; n = w.End.Receive(pair, in) {
		for _, f := range in[:n] {
			w.arrive(f)
		}
	}
	n := 0
	for n < len(frames) && n < len(w.waiting) && w.waiting[n].leave <= w.now {
		frames[n] = w.waiting[n].frame
		n++
	}
	w.lent = n
	return n
}

func (w *impairment) arrive(frame []byte) {
	if w.arrived++; w.arrived%100 == 0 {
		w.dropped++
		return
	}
	f := delayed{frame: append([]byte(nil), frame...), sent: w.now}
	if w.kept++; w.kept%500 == 0 {
		w.held = &f
		return
	}
	w.depart(f)
	if w.held != nil {
		w.swapped++
		w.depart(*w.held)
		w.held = nil
	}
}

func (w *impairment) depart(f delayed) {
	f.leave = w.now + w.delay()
	if n := len(w.waiting); n > 0 {
		f.leave = max(f.leave, w.waiting[n-1].leave)
	}
	w.latencies = append(w.latencies, f.leave-f.sent)
	w.waiting = append(w.waiting, f)
	if w.left++; w.left%1000 == 0 {
		w.duplicated++
		w.waiting = append(w.waiting, f)
	}
}

// next returns when the next frame leaves, and false if none waits.
func (w *impairment) next() (leave int64, ok bool) {
	if w.lent < len(w.waiting) {
		return w.waiting[w.lent].leave, true
	}
	return 0, false
}

// bench is two emulated devices at the ends of an impaired cable and their ports, all
// of which the test itself polls, in a time of its own.
type bench struct {
	*testing.T
	wire     *impairment
	from, to *driver.Port
	devices  []*vdev.Device
	now      int64
}

func newBench(t *testing.T, delay func() int64) *bench {
	t.Helper()
	a, b := wire.Cable()
	r := &bench{T: t, wire: &impairment{End: b, delay: delay}}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Release(); err != nil {
			t.Error(err)
		}
	})
	r.from, r.to = r.open(a, pool), r.open(r.wire, pool)
	return r
}

// open opens a port on a device with this back end.
func (r *bench) open(w vdev.Backend, pool *mbuf.Pool) *driver.Port {
	r.Helper()
	fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{Backend: w, Hold: true}})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := fn.Close(); err != nil {
			r.Error(err)
		}
	})
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		r.Fatal(err)
	}
	port, err := driver.OpenContext(context.Background(), dev, driver.Config{Pool: pool})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := port.Close(); err != nil {
			r.Error(err)
		}
	})
	r.devices = append(r.devices, fn.Device())
	return port
}

// send sends n packets of a program.
func (r *bench) send(p *traffic.Program, n int) {
	bufs := make([]*mbuf.Buf, n)
	if got := r.from.Pool().Get(bufs); got != n {
		r.Fatalf("%d of %d buffers", got, n)
	}
	p.Fill(bufs, r.now)
	if got := r.from.TxQueue(0).Burst(bufs); got != n {
		r.Fatalf("%d of %d packets sent", got, n)
	}
	for r.devices[0].Poll() > 0 {
	}
}

// receive gives a receiver what arrives until nothing does.
func (r *bench) receive(to *Receiver) {
	bufs := make([]*mbuf.Buf, 32)
	r.wire.now = r.now
	for {
		moved := r.devices[1].Poll()
		n := r.to.RxQueue(0).Burst(bufs)
		to.Receive(bufs[:n], r.now)
		mbuf.Free(bufs[:n])
		if n == 0 && moved == 0 {
			return
		}
	}
}

// check compares what was received with what the wire has done.
func (r *bench) check(got Snapshot, sent uint64) {
	r.Helper()
	s := got.Streams[0]
	w := r.wire
	if w.dropped != sent/100 || w.swapped != (sent-w.dropped)/500 || w.duplicated != (sent-w.dropped)/1000 {
		r.Errorf("the wire dropped %d, swapped %d, duplicated %d", w.dropped, w.swapped, w.duplicated)
	}
	if s.Lost(sent) != w.dropped || s.Reordered != w.swapped || s.Duplicate != w.duplicated ||
		s.ExtentSum != w.swapped || s.ExtentMax != 1 {
		r.Errorf("lost %d of %d, %+v; want %d lost, %d reordered, %d duplicate",
			s.Lost(sent), sent, s.Counts, w.dropped, w.swapped, w.duplicated)
	}
	if s.Late+s.Stale+s.Corrupt.Packets()+got.Unknown.Packets+got.Invalid.Packets > 0 {
		r.Errorf("packets of other kinds: %+v", got)
	}
	if rx := r.to.Stats(); rx.RxPackets != got.Packets() || rx.RxBytes != got.Bytes() || rx.RxPackets != sent-w.dropped+w.duplicated {
		r.Errorf("the port received %d packets, %d bytes; the meter %d, %d",
			rx.RxPackets, rx.RxBytes, got.Packets(), got.Bytes())
	}
}

// impaired is how many packets are sent: the last one is neither dropped nor held.
const impaired = 25_055

// TestImpairedWire sends bursts over a wire that drops, swaps and duplicates.
func TestImpairedWire(t *testing.T) {
	r := newBench(t, func() int64 { return 0 })
	p, err := traffic.Flows(60, 1000).Compile(traffic.Options{ID: 9})
	if err != nil {
		t.Fatal(err)
	}
	m := newReceiver(t, Config{
		Streams: []Stream{StreamOf(p)}, Verify: Verify{Lengths: true, Checksums: true, Payload: true},
	})
	for left := impaired; left > 0; left -= 32 {
		r.send(p, min(left, 32))
		r.receive(m)
	}
	r.check(m.Snapshot(), impaired)
}

// TestLatencyOfADelayingWire sends a packet a millisecond over a wire that also delays, by
// 20 µs and a logarithmic normal distribution on top of them. In the time of the test,
// nothing else delays.
func TestLatencyOfADelayingWire(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	// quantile is that of the distribution at z standard deviations.
	quantile := func(z float64) float64 { return 20e3 + 50e3*math.Exp(0.5*z) }
	r := newBench(t, func() int64 { return int64(min(quantile(random.NormFloat64()), 990e3)) })
	s := traffic.Flows(60, 1)
	s.Latency = true
	p, err := s.Compile(traffic.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m := newReceiver(t, Config{Streams: []Stream{StreamOf(p)}})
	for i := range int64(impaired) {
		r.now = i * 1e6
		r.send(p, 1)
		r.receive(m)
		for leave, ok := r.wire.next(); ok; leave, ok = r.wire.next() {
			r.now = leave
			r.receive(m)
		}
	}
	got := m.Snapshot()
	r.check(got, impaired)
	l := got.Streams[0].Latency
	checkLatency(t, l, r.wire.latencies)
	for _, p := range []float64{1, 10, 50, 90, 99} {
		// One of 500 changes places and is a millisecond late, which is not of the
		// distribution.
		z := math.Sqrt2 * math.Erfinv(2*p/99.8-1)
		if want := quantile(z); !near(float64(l.Percentile(p)), want, 0.02) {
			t.Errorf("percentile %v is %d, that of the distribution %.0f", p, l.Percentile(p), want)
		}
	}
	t.Logf("mean %.0f, deviation %.0f, jitter %.0f; 50 %%: %d, 99 %%: %d, 99.99 %%: %d",
		l.Mean(), l.StdDev(), l.Jitter(), l.Percentile(50), l.Percentile(99), l.Percentile(99.99))
}
