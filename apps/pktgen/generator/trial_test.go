package generator

import (
	"context"
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// anyRate is the tolerance of trials on a machine that may be busy with other tests: what is
// due is exact, how much of it the machine finds the time for is not.
const anyRate = 1

func TestTrialOverACable(t *testing.T) {
	source, sink := &counter{length: 60}, &checker{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Name: "s", Source: source, PPS: 1e5, MeanLen: 60}}
		c.Ports[1].Receiver = sink
	})
	r.start(t)
	got, err := r.Trial(context.Background(), Run{
		Duration: 300 * time.Millisecond, Interval: 50 * time.Millisecond, Tolerance: anyRate})
	if err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	if got.Sent+got.Unsent != 30000 || got.Lost != got.Unsent || got.Sent < 1000 {
		t.Errorf("sent %d, unsent %d, lost %d", got.Sent, got.Unsent, got.Lost)
	}
	if sink.wrong > 0 || sink.next != got.Sent {
		t.Errorf("%d frames arrived, %d in the wrong place", sink.next, sink.wrong)
	}
	in, out, s := got.Ports[1], got.Ports[0], got.Streams[0]
	if in.RxPackets != got.Sent || in.RxBytes != 60*got.Sent || out.TxPackets != got.Sent ||
		out.TxBytes != 60*got.Sent || out.TxUnsent != got.Unsent || out.RxPackets != 0 {
		t.Errorf("ports: %+v", got.Ports)
	}
	if s.Name != "s" || s.TxPackets != got.Sent || s.TxBytes != 60*got.Sent || s.TxUnsent != got.Unsent {
		t.Errorf("stream: %+v", s)
	}
	if got.MeanBurst < 1 || got.MeanBurst > 32 || got.MaxLate <= 0 || out.TxDropped != 0 {
		t.Errorf("%v packets a burst, up to %d ns late, %d dropped", got.MeanBurst, got.MaxLate, out.TxDropped)
	}
	if got.Intended.PPS != 1e5 || math.Abs(got.Intended.L2BPS/51.2e6-1) > 1e-12 || got.Achieved.PPS > 1e5 ||
		got.Duration != 3e8 || got.EffectiveDuration < 3e8 || got.Quantum != 1 {
		t.Errorf("%+v intended, %+v achieved in %d ns, %d in all", got.Intended, got.Achieved, got.Duration, got.EffectiveDuration)
	}
	checkIntervals(t, got.Intervals, got.Sent)
}

// TestManyTrials runs trials one after the other over the same ports, as a search does.
// Nothing of one counts in the next.
func TestManyTrials(t *testing.T) {
	source, sink := &counter{length: 60}, &checker{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: source, PPS: 1e5},
			{Source: silent{}, PPS: 1e3, Constant: true}}
		c.Ports[1].Receiver = sink
	})
	r.start(t)
	for i := range 100 {
		scale := float64(i%10 + 1)
		got, err := r.Trial(context.Background(), Run{Duration: 2 * time.Millisecond, Scale: scale, Tolerance: anyRate})
		if err != nil {
			t.Fatal(err)
		}
		load, probe := got.Streams[0], got.Streams[1]
		if load.TxPackets+load.TxUnsent != uint64(200*scale) || probe.TxPackets+probe.TxUnsent != 2 {
			t.Fatalf("trial %d at scale %v: load %+v, probe %+v", i, scale, load, probe)
		}
		if got.Lost != got.Unsent {
			t.Fatalf("trial %d: %d lost, %d of them unsent", i, got.Lost, got.Unsent)
		}
	}
	r.stop(t)
	if sent, _ := r.Sent(0, 0); sink.next == 0 || r.Received(1) != sent+r.packets(1) {
		t.Errorf("%d packets sent, %d received", sent+r.packets(1), r.Received(1))
	}
}

// silent is a Source of empty frames, of another length than those of counter.
type silent struct{}

func (silent) Fill(bufs []*mbuf.Buf, _ int64) int {
	for _, b := range bufs {
		clear(b.Append(64))
	}
	return 64 * len(bufs)
}

// TestShortTrial has a device that takes nothing: the trial fails, and says what was
// intended and what was achieved.
func TestShortTrial(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e6}}
		c.Ports[0].Device = nil
	})
	r.start(t)
	got, err := r.Trial(context.Background(), Run{Duration: 20 * time.Millisecond, Silence: time.Millisecond})
	var short *ShortError
	if !errors.As(err, &short) {
		t.Fatal(err)
	}
	if got.Sent != 256 || got.Unsent != 20000-256 || got.Lost != 20000 || got.LossRatio != 1 {
		t.Errorf("sent %d, unsent %d, lost %d", got.Sent, got.Unsent, got.Lost)
	}
	if short.Intended != got.Intended || short.Achieved != got.Achieved || short.Unsent != got.Unsent ||
		short.Intended.PPS != 1e6 || short.Achieved.PPS > 256/0.02 {
		t.Errorf("%v", err)
	}
	if free := r.pool.Free(); free < 8192-512-256 {
		t.Errorf("%d buffers are free: those that were not sent are not", free)
	}
}

// TestDriverDrops has a stream whose frames are too short for the driver: they were sent, as
// far as the generator can tell, and are lost.
func TestDriverDrops(t *testing.T) {
	r := newRig(t, 1, []string{"emu:loop"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e4}, {Source: short{}, PPS: 1e4}}
	})
	r.start(t)
	got, err := r.Trial(context.Background(), Run{Duration: 10 * time.Millisecond, Silence: 5 * time.Millisecond, Tolerance: anyRate})
	if err != nil {
		t.Fatal(err)
	}
	dropped := got.Streams[1].TxPackets
	if dropped == 0 || got.Ports[0].TxDropped != dropped || got.Ports[0].RxPackets != got.Streams[0].TxPackets ||
		got.Lost != dropped+got.Unsent {
		t.Errorf("%+v", got)
	}
}

// short is a Source of frames without an Ethernet header.
type short struct{}

func (short) Fill(bufs []*mbuf.Buf, _ int64) int {
	for _, b := range bufs {
		b.Append(8)
	}
	return 8 * len(bufs)
}

// TestSettle waits for packets that do not come for no longer than it is told to, and for
// those that come until the last.
func TestSettle(t *testing.T) {
	var arrived atomic.Uint64
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e5}}
	})
	r.start(t)
	run := Run{Duration: 5 * time.Millisecond, Silence: 10 * time.Millisecond, Settle: time.Hour, Tolerance: anyRate}
	got, err := r.Trial(context.Background(), run)
	if err != nil {
		t.Fatal(err)
	}
	if got.EffectiveDuration < int64(15*time.Millisecond) || got.Lost != 500 {
		t.Errorf("waited until %d ns after the start; %d lost", got.EffectiveDuration, got.Lost)
	}
	// One packet is counted whenever it is asked for, so that it never is silent.
	run.Received = func() uint64 { return arrived.Add(1) }
	if got, err = r.Trial(context.Background(), run); err != nil {
		t.Fatal(err)
	}
	if n := arrived.Load(); n < got.Sent || n > got.Sent+3 {
		t.Errorf("looked %d times for %d packets", n, got.Sent)
	}
	// One packet is counted whenever it is asked for, and it is not asked often enough.
	run.Settle = 20 * time.Millisecond
	for enough := false; !enough; enough = got.Sent > 100 {
		arrived.Store(0)
		if got, err = r.Trial(context.Background(), run); err != nil {
			t.Fatal(err)
		}
	}
	if n := arrived.Load(); n < 2 || n > 25 || got.EffectiveDuration < int64(25*time.Millisecond) {
		t.Errorf("looked %d times in 20 ms, until %d ns after the start", n, got.EffectiveDuration)
	}
}

// TestTrialIsCutShort ends trials with their context: one of a duration with its error,
// one without duration as it is meant to.
func TestTrialIsCutShort(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e5}}
	})
	r.start(t)
	why := errors.New("enough")
	for _, d := range []time.Duration{time.Hour, 0} {
		ctx, cancel := context.WithCancelCause(context.Background())
		before := r.packets(0)
		go func() {
			for r.packets(0) < before+1000 {
				runtime.Gosched()
			}
			cancel(why)
		}()
		got, err := r.Trial(ctx, Run{Duration: d, Silence: time.Millisecond, Tolerance: anyRate})
		if d == 0 && err != nil || d > 0 && !errors.Is(err, why) {
			t.Fatalf("duration %v: %v", d, err)
		}
		if got.Duration < int64(9*time.Millisecond) || got.Duration > int64(time.Minute) { // 1000 are due in 10 ms
			t.Errorf("it is said to have lasted %d ns", got.Duration)
		}
		// As many as were due in the time that it was, and no more than that.
		due := float64(got.Duration) * 1e5 / 1e9
		if n := float64(got.Sent + got.Unsent); n < due-1 || n > due+200 || r.packets(0)-before != got.Sent {
			t.Errorf("%v packets, when %v were due", n, due)
		}
	}
}

// TestSetScaleChangesTheRate waits for the packets that only the higher rate brings.
func TestSetScaleChangesTheRate(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1}}
	})
	if err := r.SetScale(2); err != nil {
		t.Errorf("without a trial: %v", err)
	}
	r.start(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := r.Trial(ctx, Run{Silence: time.Millisecond, Tolerance: anyRate})
		done <- err
	}()
	for r.packets(0) == 0 { // the first is due at the start
		runtime.Gosched()
	}
	if err := r.SetScale(1e5); err != nil {
		t.Fatal(err)
	}
	for r.packets(0) < 1000 {
		runtime.Gosched()
	}
	var bad *ConfigError
	if err := r.SetScale(1e20); !errors.As(err, &bad) {
		t.Errorf("1e20 packets a second: %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestStuckTrial has no goroutine that polls, then one: it is not confused by the trial
// that was given up.
func TestStuckTrial(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e5}}
	})
	r.stuckAfter = time.Millisecond
	run := Run{Duration: time.Millisecond, Silence: time.Millisecond, Tolerance: anyRate}
	_, err := r.Trial(context.Background(), run)
	var stuck *StuckError
	if !errors.As(err, &stuck) || stuck.Queues != 1 {
		t.Fatal(err)
	}
	r.stuckAfter = stuckAfter
	r.start(t)
	if got, err := r.Trial(context.Background(), run); err != nil || got.Sent+got.Unsent != 100 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestCollectionsAreCounted has the garbage collector run during a trial.
func TestCollectionsAreCounted(t *testing.T) {
	r := newRig(t, 1, []string{"emu:null"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Source: &counter{length: 60}, PPS: 1e3}}
	})
	r.start(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for r.packets(0) == 0 { // the trial has begun
			runtime.Gosched()
		}
		runtime.GC()
		runtime.GC()
		cancel()
	}()
	got, err := r.Trial(ctx, Run{Silence: time.Millisecond, Tolerance: anyRate})
	<-done
	if err != nil || got.GC.Cycles < 2 || got.GC.PauseMax <= 0 || got.GC.PauseTotal < got.GC.PauseMax {
		t.Errorf("%+v, %v", got.GC, err)
	}
}

// TestReceiveOnly runs a trial without streams, for as long as it is to last.
func TestReceiveOnly(t *testing.T) {
	r := newRig(t, 1, []string{"emu:gen"}, func(*Config) {})
	r.start(t)
	got, err := r.Trial(context.Background(), Run{Duration: 20 * time.Millisecond, Interval: 10 * time.Millisecond})
	if err != nil || got.Ports[0].RxPackets == 0 || got.Sent != 0 || got.Duration != int64(20*time.Millisecond) {
		t.Errorf("%+v, %v", got, err)
	}
}

// checkIntervals finds intervals that follow each other and hold all packets.
func checkIntervals(t *testing.T, intervals []result.Interval, sent uint64) {
	t.Helper()
	at, sum := int64(0), 0.0
	for _, i := range intervals {
		if i.Start != at || i.Duration <= 0 {
			t.Errorf("an interval of %d ns begins at %d, not at %d", i.Duration, i.Start, at)
		}
		at += i.Duration
		sum += i.TxPPS * float64(i.Duration) / 1e9
	}
	if len(intervals) == 0 || math.Abs(sum-float64(sent)) > 0.01 {
		t.Errorf("%d intervals have %v packets of %d", len(intervals), sum, sent)
	}
}
