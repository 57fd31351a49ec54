package pollers

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// start starts pollers that count their polls.
func start(t *testing.T, cpus []int) (*Group, []atomic.Int64) {
	t.Helper()
	polled := make([]atomic.Int64, Count(cpus))
	var polls []func() bool
	for i := range polled {
		polls = append(polls, func() bool { return polled[i].Add(1)%2 == 0 })
	}
	g, err := Start(cpus, polls)
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
		t.Error("somebody polls after Stop")
	}
	if text := g.Load()(); !strings.HasPrefix(text, "poller ") || !strings.Contains(text, "50 % busy") {
		t.Errorf("load of one that found something every other time: %q", text)
	}
	(*Group)(nil).Stop()
}

// TestStartFails: a CPU that is not there is named, and the pollers before it
// are stopped.
func TestStartFails(t *testing.T) {
	var polled atomic.Int64
	poll := func() bool { polled.Add(1); return true }
	g, err := Start([]int{0, 1023}, []func() bool{poll, poll})
	var cpu *lcore.CPUError
	if !errors.As(err, &cpu) || cpu.CPU != 1023 || g != nil {
		t.Fatalf("%v, %v; want a *lcore.CPUError", g, err)
	}
	n := polled.Load()
	for range 1000 {
		if polled.Load() != n {
			t.Fatal("the first poller goes on")
		}
	}
}

// TestWatch: it ends for each of its four reasons, and says so.
func TestWatch(t *testing.T) {
	broken, none := errors.New("broken"), make(chan error)
	t.Run("signal", func(t *testing.T) {
		g, _ := start(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		var screens bytes.Buffer
		if err := g.Watch(ctx, &report.Session{App: "app", Start: time.Now()}, time.Millisecond, none, &screens); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(screens.String(), "app") {
			t.Errorf("screens: %q", screens.String())
		}
	})
	t.Run("time", func(t *testing.T) {
		g, _ := start(t, nil)
		began := time.Now()
		if err := g.Watch(t.Context(), &report.Session{Planned: 30 * time.Millisecond}, 0, none, nil); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 30*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("port", func(t *testing.T) {
		g, _ := start(t, nil)
		ports := make(chan error, 1)
		ports <- broken
		if err := g.Watch(t.Context(), &report.Session{}, 0, ports, nil); !errors.Is(err, broken) {
			t.Errorf("%v, want %v", err, broken)
		}
	})
	t.Run("poller", func(t *testing.T) {
		g, err := Start(nil, []func() bool{func() bool { panic(broken) }})
		if err != nil {
			t.Fatal(err)
		}
		var e *lcore.PanicError
		if err := g.Watch(t.Context(), &report.Session{}, 0, none, nil); !errors.As(err, &e) {
			t.Errorf("%v, want a *lcore.PanicError", err)
		}
	})
}
