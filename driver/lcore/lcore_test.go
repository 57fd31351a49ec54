package lcore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

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

// A poll that accesses a mapping whose file was truncated fails as one that accesses the registers
// of a removed device.
func TestFaultEndsTheCoreWithAnError(t *testing.T) {
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
	defer func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	}()
	if err := file.Truncate(0); err != nil {
		t.Fatal(err)
	}
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
