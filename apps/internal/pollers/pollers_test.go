package pollers

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// start starts pollers that count their polls.
func start(t *testing.T, cpus []int) (*Group, []atomic.Int64) {
	t.Helper()
	polled := make([]atomic.Int64, Count(cpus))
	var list []Poller
	for i := range polled {
		list = append(list, Poller{Poll: func() bool { return polled[i].Add(1)%2 == 0 }})
	}
	g, err := Start(cpus, list, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	return g, polled
}

func TestStop(t *testing.T) {
	g, polled := start(t, nil)
	for polled[0].Load() < 1000 {
	}
	g.Stop()
	n := polled[0].Load()
	g.Stop()
	if polled[0].Load() != n {
		t.Error("a poller polls after Stop")
	}
	if text := g.Load()(); !strings.HasPrefix(text, "poller ") || !strings.HasSuffix(text, " % busy") {
		t.Errorf("load: %q", text)
	}
}

// TestStartFails: a CPU that is not there is named, and the pollers before it
// are stopped.
func TestStartFails(t *testing.T) {
	var polled atomic.Int64
	poll := Poller{Poll: func() bool { polled.Add(1); return true }}
	g, err := Start([]int{0, 1023}, []Poller{poll, poll}, nil)
	var cpu *lcore.Error
	if !errors.As(err, &cpu) || cpu.CPU != 1023 || g != nil {
		t.Fatalf("%v, %v; want a *lcore.Error", g, err)
	}
	n := polled.Load()
	for range 1000 {
		if polled.Load() != n {
			t.Fatal("the first poller is still polling")
		}
	}
}

// TestProcessors: the scheduler has processors for the pollers and for what else runs,
// also if it had one.
func TestProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	g, err := Start(nil, []Poller{{Poll: func() bool { return false }}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Stop()
	if n := runtime.GOMAXPROCS(0); n < 2 {
		t.Errorf("GOMAXPROCS is %d with one poller", n)
	}
}
