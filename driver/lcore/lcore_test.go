package lcore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// usable returns the CPUs that this test may run on.
func usable(t *testing.T) []int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	return list(&set)
}

func TestRunsOnTheCPUAskedFor(t *testing.T) {
	for _, cpu := range usable(t) {
		seen := make(chan []int, 1)
		c, err := Start(cpu, func() bool {
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil {
				t.Error(err)
			}
			select {
			case seen <- list(&set):
			default:
			}
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := <-seen; len(got) != 1 || got[0] != cpu || c.CPU() != cpu {
			t.Errorf("core for CPU %d runs on %v and says %d", cpu, got, c.CPU())
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// The scheduler must not reuse the thread of a core, which has its affinity.
func TestAffinityDoesNotOutliveTheCore(t *testing.T) {
	before := usable(t)
	for range 8 {
		c, err := Start(before[0], func() bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	results := make(chan []int)
	for range 4 * runtime.NumCPU() {
		go func() {
			runtime.LockOSThread() // a thread of its own, perhaps a new one
			var set unix.CPUSet
			if err := unix.SchedGetaffinity(0, &set); err != nil {
				t.Error(err)
			}
			results <- list(&set)
		}()
	}
	for range 4 * runtime.NumCPU() {
		if got := <-results; len(got) != len(before) {
			t.Errorf("a thread may run on %v only, not on %v", got, before)
		}
	}
}

func TestCountsBusyAndIdlePolls(t *testing.T) {
	var polls atomic.Uint64
	enough := make(chan struct{})
	c, err := Start(AnyCPU, func() bool {
		n := polls.Add(1)
		if n == 3000 {
			close(enough)
		}
		return n%3 == 0
	})
	if err != nil {
		t.Fatal(err)
	}
	<-enough
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	busy, idle := c.Polls()
	if total := polls.Load(); busy != total/3 || idle != total-total/3 {
		t.Errorf("%d polls: %d busy, %d idle", total, busy, idle)
	}
	if err := c.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
	if polls.Load() != busy+idle {
		t.Error("polled after Stop")
	}
}

func TestStopWaitsForThePoll(t *testing.T) {
	inside, release := make(chan struct{}), make(chan struct{})
	var returned atomic.Bool
	first := true
	c, err := Start(AnyCPU, func() bool {
		if first {
			first = false
			close(inside)
			<-release
			returned.Store(true)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	<-inside
	go close(release)
	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if !returned.Load() {
		t.Error("Stop returned while a poll was running")
	}
	select {
	case <-c.Done():
	default:
		t.Error("Done is open after Stop")
	}
}

func TestCPUThatDoesNotExist(t *testing.T) {
	for _, cpu := range []int{-2, 1000, 1 << 20} {
		c, err := Start(cpu, func() bool { t.Error("polled"); return false })
		var bad *Error
		if c != nil || !errors.As(err, &bad) || bad.Op != "start" {
			t.Fatalf("CPU %d: %v, %v", cpu, c, err)
		}
		if usable, ok := bad.Value.([]int); bad.CPU != cpu || !ok || len(usable) == 0 ||
			!strings.Contains(err.Error(), "choose one of them") {
			t.Errorf("CPU %d: error says %v", cpu, bad)
		}
	}
}

// truncated returns a mapping whose file was truncated: an access is a fault, as one to the
// registers of a removed device.
func truncated(t *testing.T) []byte {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "removed"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page := os.Getpagesize()
	if err := file.Truncate(int64(page)); err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(int(file.Fd()), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestFaultEndsTheCoreWithAnError(t *testing.T) {
	mem := truncated(t)
	c, err := Start(AnyCPU, func() bool { mem[8]++; return true })
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	var fault *Error
	if err := c.Err(); !errors.As(err, &fault) || fault.Op != "poll" || fault.Value == uint64(0) ||
		!strings.Contains(err.Error(), "close its port") {
		t.Errorf("core ended with %v", err)
	}
	if err := c.Stop(); !errors.As(err, &fault) {
		t.Errorf("Stop returns %v", err)
	}
}

// A fault that abandon has dealt with does not end the core; one that it does not know and any
// other panic do, after abandon was called.
func TestAbandon(t *testing.T) {
	mem := truncated(t)
	for _, c := range []struct {
		name    string
		handles bool
		fail    func()
		ends    bool
	}{
		{"handled", true, func() { mem[8]++ }, false},
		{"not handled", false, func() { mem[8]++ }, true},
		{"another panic", true, func() { panic("x") }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			failed := false
			var causes atomic.Int32
			abandon := func(cause error) bool {
				if cause == nil {
					t.Error("there is no cause")
				}
				causes.Add(1)
				return c.handles
			}
			core, err := Start(AnyCPU, func() bool {
				if !failed {
					failed = true
					c.fail()
				}
				return true
			}, func(error) bool { return false }, abandon)
			if err != nil {
				t.Fatal(err)
			}
			if c.ends {
				<-core.Done()
			} else {
				for busy, _ := core.Polls(); busy < 1000; busy, _ = core.Polls() {
					time.Sleep(time.Millisecond)
				}
			}
			if err := core.Stop(); (err != nil) != c.ends {
				t.Errorf("the core ended with %v", err)
			}
			if n := causes.Load(); n != 1 {
				t.Errorf("abandon was called %d times", n)
			}
		})
	}
}

func TestPanicEndsTheCoreWithAnError(t *testing.T) {
	var table map[string]int
	c, err := Start(AnyCPU, func() bool { table["x"] = 1; return true })
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	var bad *PanicError
	if !errors.As(c.Err(), &bad) || !bytes.Contains(bad.Stack, []byte("lcore_test.go")) {
		t.Errorf("core ended with %v", c.Err())
	}
}

// TestGroupWarns: the logger of a group is told once when its cores take all of
// GOMAXPROCS, and once when they take all CPUs; cores that have ended do not count.
func TestGroupWarns(t *testing.T) {
	var out bytes.Buffer
	cpus := len(usable(t))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus + 2))
	g := &Group{Logger: slog.New(slog.NewTextHandler(&out, nil))}
	warned := func() (procs, all int) {
		return strings.Count(out.String(), "GOMAXPROCS="), strings.Count(out.String(), "all CPUs")
	}
	var cores []*Core
	start := func() {
		c, err := g.Start(AnyCPU, func() bool { runtime.Gosched(); return false })
		if err != nil {
			t.Fatal(err)
		}
		cores = append(cores, c)
	}
	for n := 1; n <= cpus+3; n++ {
		start()
		procs, all := warned()
		if want := n >= cpus+2; (procs == 1) != want || procs > 1 {
			t.Errorf("%d cores, GOMAXPROCS %d: %d warnings", n, cpus+2, procs)
		}
		if want := n >= cpus; (all == 1) != want || all > 1 {
			t.Errorf("%d cores, %d CPUs: %d warnings", n, cpus, all)
		}
	}
	if want := fmt.Sprintf("enough=%d", cpus+3); !strings.Contains(out.String(), want) {
		t.Errorf("the warning does not say %s: %s", want, &out)
	}
	for _, c := range cores {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	out.Reset()
	fresh := &Group{Logger: g.Logger}
	for range cpus + 3 { // one after the other
		c, err := fresh.Start(AnyCPU, func() bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}
	if procs, all := warned(); procs != 0 || cpus > 1 && all != 0 {
		t.Errorf("warned of cores that have ended: %s", &out)
	}
}

// TestTimes: a core reports the time that was spent in polls that found work, however
// few of its polls these are and however they are spread, and not that of other polls, but
// for the one that ends a long streak. The polls measure both as well.
func TestTimes(t *testing.T) {
	const work, rounds = 20000, 2000 // cycles of a poll; polls
	for name, c := range map[string]struct{ idle, streak int }{
		"never": {1, 0}, "always": {0, 1}, "one of 100": {99, 1}, "every other": {1, 1},
		"long streaks": {10, 1000}, "streaks": {3, 20},
	} {
		polls, enough := 0, make(chan struct{})
		var spent, idle uint64
		core, err := Start(AnyCPU, func() bool {
			i := polls % (c.idle + c.streak)
			if polls++; polls == rounds {
				close(enough)
			}
			start := Cycles()
			for Cycles()-start < work {
			}
			switch took := Cycles() - start; {
			case i >= c.idle:
				spent += took
				return true
			case i > 0 || c.streak <= exactPolls:
				idle += took
			}
			return false
		})
		if err != nil {
			t.Fatal(err)
		}
		<-enough
		before, _ := core.Times()
		if err := core.Stop(); err != nil {
			t.Error(err)
		}
		busy, total := core.Times()
		counted, all := core.times.busy.Load(), core.times.end.cycles-core.times.start.cycles
		if counted < spent || counted > all-idle || counted > 0 != (c.streak > 0) {
			t.Errorf("%s: %d cycles are reported; %d were spent with work and %d without, of %d",
				name, counted, spent, idle, all)
		}
		share := float64(counted) / float64(all)
		if got := busy.Seconds() / total.Seconds(); math.Abs(got-share) > 0.01 {
			t.Errorf("%s: busy for %v of %v, not for %.3f of it", name, busy, total, share)
		}
		if before > busy+time.Millisecond {
			t.Errorf("%s: busy time went from %v back to %v", name, before, busy)
		}
		if again, end := core.Times(); again != busy || end != total {
			t.Errorf("%s: the times of a stopped core changed", name)
		}
	}
}

// BenchmarkLoop is what a core costs beside its poll: one that always finds work, and
// one that never does.
func BenchmarkLoop(b *testing.B) {
	for _, busy := range []bool{true, false} {
		b.Run(fmt.Sprintf("busy=%t", busy), func(b *testing.B) {
			left, done := b.N, make(chan struct{})
			c, err := Start(AnyCPU, func() bool {
				if left--; left == 0 {
					close(done)
				}
				return busy
			})
			if err != nil {
				b.Fatal(err)
			}
			<-done
			if err := c.Stop(); err != nil {
				b.Error(err)
			}
		})
	}
}
