package driver

import (
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
)

// statSums are the counters that add up to others: the sum over those that match of on the
// one side is that of the others. They are written here a second time, by hand.
var statSums = []struct{ whole, parts string }{
	{`rx_good_packets`, `rx_q\d+_packets`}, {`rx_good_packets`, `rx_q\d+_good_packets`},
	{`rx_good_bytes`, `rx_q\d+_bytes`}, {`rx_good_bytes`, `rx_q\d+_good_bytes`},
	{`rx_errors`, `rx_q\d+_errors`}, {`rx_q\d+_errors`, `rx_q\d+_(length|header|offload)_errors`},
	{`rx_mbuf_allocation_errors`, `rx_q\d+_refill_failures`},
	{`tx_good_packets|tx_device_drops`, `tx_q\d+_packets`}, {`tx_q\d+_packets`, `tx_q\d+_good_packets`},
	{`tx_q\d+_bytes`, `tx_q\d+_good_bytes`},
	{`tx_dropped`, `tx_device_drops|tx_q\d+_length_drops`},
	{`tx_errors`, `tx_q\d+_(chain|pool|owner|offload)_drops`},
	{`tx_lost`, `tx_q\d+_lost`},
	{`polls`, `rx_q\d+_polls`}, {`empty_polls`, `rx_q\d+_empty_polls`},
	{`kicks`, `[rt]x_q\d+_kicks`}, {`kicks_suppressed`, `[rt]x_q\d+_kicks_suppressed`},
	{`waits`, `rx_q\d+_waits`}, {`interrupts`, `rx_q\d+_interrupts`},
	{`faults`, `fault_.*`},
}

// checkStatSums checks that what a port counts adds up.
func checkStatSums(t *testing.T, s Stats) map[string]uint64 {
	t.Helper()
	values := map[string]uint64{}
	list := s.Extended()
	for _, c := range list {
		if _, twice := values[c.Name]; twice || c.Help == "" {
			t.Errorf("%s is there twice, or without help", c.Name)
		}
		values[c.Name] = c.Value
	}
	sum := func(pattern string) (n uint64) {
		re := regexp.MustCompile("^(" + pattern + ")$")
		found := false
		for _, c := range list {
			if re.MatchString(c.Name) {
				n, found = n+c.Value, true
			}
		}
		if !found {
			t.Errorf("nothing is named %s", pattern)
		}
		return n
	}
	for _, c := range statSums {
		if whole, parts := sum(c.whole), sum(c.parts); whole != parts {
			t.Errorf("%s is %d, but %s is %d", c.whole, whole, c.parts, parts)
		}
	}
	return values
}

// TestExtendedStats: packets of every kind, on two queue pairs, to a device that drops some
// and has to be reset: all that was handed in and received is counted once, and the sums
// hold at any time.
func TestExtendedStats(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	strange := newPool(t, mbuf.Config{Count: 64})
	var r *rig
	r = newRig(t, pcifn.Config{Device: vdev.Config{Pairs: 2}}, Config{Queues: 2, Recovery: eager,
		DeviceDrops: func() (uint64, uint64) {
			if r == nil {
				return 0, 0
			}
			return r.dev.TxDrops()
		}})
	var handed, received, refused uint64
	for round := range 300 {
		pair := random.IntN(2)
		in := make([]*mbuf.Buf, random.IntN(40))
		r.port.Pool().Get(in)
		for i, b := range in {
			switch random.IntN(20) {
			case 0:
				b.Free()
				in[i] = nil
			case 1:
				b.Append(5)
			case 2:
				b.Free()
				in[i] = strange.GetOne()
				in[i].Append(60)
			default:
				b.Append(60 + random.IntN(1000))
			}
		}
		r.dev.SetLink(random.IntN(5) > 0)
		n := r.port.TxQueue(pair).Burst(in)
		handed += uint64(n)
		refused += uint64(len(in) - n)
		mbuf.Free(in[n:])
		r.dev.Poll()
		r.wire.deliver(pair, make([]byte, 60), make([]byte, 100))
		received += uint64(len(r.receive(pair)))
		if round%100 == 99 {
			r.dev.SetLink(true)
			r.dev.Start() // it has a command to answer
			r.dev.NeedReset()
			r.recovered(uint64(round/100 + 1))
			r.dev.Stop()
			r.wire.deliver(pair, make([]byte, 60))
		}
		checkStatSums(t, r.port.Stats())
	}
	v := checkStatSums(t, r.port.Stats())
	if got := v["tx_good_packets"] + v["tx_dropped"] + v["tx_errors"]; got != handed {
		t.Errorf("%d packets were handed in, counted are %d", handed, got)
	}
	if v["rx_good_packets"] != received {
		t.Errorf("%d packets were received, counted are %d", received, v["rx_good_packets"])
	}
	for _, name := range []string{"tx_device_drops", "tx_q0_length_drops", "tx_q1_pool_drops", "tx_q0_owner_drops", "kicks"} {
		if v[name] == 0 {
			t.Errorf("%s is 0: the test does not test it", name)
		}
	}
	if v["fault_needs_reset"] != 3 || v["faults"] != 3 || v["resets"] != 3 {
		t.Errorf("3 resets are counted as %d, of %d faults", v["fault_needs_reset"], v["faults"])
	}
}

// TestExtendedStatsWhilePolled: the sums hold in what one call returns, whatever the pollers
// count meanwhile: the packets that they drop, above all.
func TestExtendedStatsWhilePolled(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		bufs := make([]*mbuf.Buf, 32)
		for {
			select {
			case <-stop:
				return
			default:
			}
			n := r.port.Pool().Get(bufs)
			for _, b := range bufs[:n] {
				b.Append(5)
			}
			mbuf.Free(bufs[r.port.TxQueue(0).Burst(bufs[:n]):n])
		}
	}()
	await(t, "packets are dropped", func() bool { return r.port.Stats().TxDropped > 0 })
	for range 5 {
		checkStatSums(t, r.port.Stats())
	}
	for range 3000 {
		if s := r.port.Stats(); s.TxErrors != 0 {
			t.Fatalf("%d errors of packets that are too short", s.TxErrors)
		}
	}
	close(stop)
	<-done
}

// TestExtendedStatsOrder: the counters that DPDK has come first, in its order.
func TestExtendedStatsOrder(t *testing.T) {
	var names []string
	for _, c := range (Stats{Queues: make([]QueueStats, 2)}).Extended() {
		names = append(names, c.Name)
	}
	want := "rx_good_packets tx_good_packets rx_good_bytes tx_good_bytes rx_missed_errors rx_errors tx_errors " +
		"rx_mbuf_allocation_errors rx_q0_packets rx_q0_bytes rx_q0_errors "
	if got := strings.Join(names, " "); !strings.HasPrefix(got, want) || !strings.Contains(got, " tx_q1_good_bytes rx_filtered ") {
		t.Errorf("%s", got)
	}
}

// TestExtendedStatsAreComplete: each counter that there is has a name.
func TestExtendedStatsAreComplete(t *testing.T) {
	s := Stats{Queues: make([]QueueStats, 1)}
	next := uint64(1000)
	want := map[uint64]string{}
	fill := func(path string, v reflect.Value) {
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Uint64 {
				next++
				f.SetUint(next)
				want[next] = path + v.Type().Field(i).Name
			}
		}
	}
	fill("Stats.", reflect.ValueOf(&s).Elem())
	fill("FaultStats.", reflect.ValueOf(&s.Faults).Elem())
	fill("RxQueueStats.", reflect.ValueOf(&s.Queues[0].Rx).Elem())
	fill("TxQueueStats.", reflect.ValueOf(&s.Queues[0].Tx).Elem())
	delete(want, s.Queues[0].Tx.Dropped) // its parts have names, and two sums
	for _, c := range s.Extended() {
		delete(want, c.Value)
	}
	for _, name := range want {
		t.Errorf("%s has no name among the extended statistics", name)
	}
}

// TestFaultsByKind: each fault is counted once, by its kind.
func TestFaultsByKind(t *testing.T) {
	t.Parallel()
	r := newRig(t, pcifn.Config{}, Config{Recovery: eager})
	r.breakRing(0)
	await(t, "the broken queue is recovered", func() bool {
		r.port.RxQueue(0).Burst(make([]*mbuf.Buf, 8)) // finds it
		return r.port.Stats().Resets == 1
	})
	r.dev.NeedReset()
	r.recovered(2)
	r.dev.Reset() // behind the driver's back
	r.recovered(3)
	if f := r.port.Stats().Faults; f != (FaultStats{BrokenQueue: 1, NeedsReset: 1, LostStatus: 1}) {
		t.Errorf("%+v", f)
	}
	r.fn.Unplug()
	if err := finished(t, r.port); err == nil {
		t.Error("the port goes on")
	}
	v := checkStatSums(t, r.port.Stats())
	if v["fault_removed"] != 1 || v["faults"] != 4 || v["resets"] != 3 {
		t.Errorf("%v", v)
	}
}
