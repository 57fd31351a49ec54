package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// TestWatch: it ends for each of its four reasons, and says so.
func TestWatch(t *testing.T) {
	broken, none := errors.New("broken"), make(chan error)
	t.Run("signal", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		screens := awaited{until: "app", then: cancel}
		r := &report.Report{App: "app", Start: time.Now()}
		if err := Watch(ctx, r, command.Options{StatsPeriod: time.Millisecond}, &screens, nil, none, none); err != nil {
			t.Error(err)
		}
		if !strings.HasPrefix(screens.String(), "app") {
			t.Errorf("screens: %q", screens.String())
		}
	})
	t.Run("time", func(t *testing.T) {
		began := time.Now()
		if err := Watch(t.Context(), &report.Report{}, command.Options{Duration: 30 * time.Millisecond}, nil, nil, none, nil); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took < 30*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("port", func(t *testing.T) {
		ports := make(chan error, 1)
		ports <- broken
		if err := Watch(t.Context(), &report.Report{}, command.Options{}, nil, nil, ports, none); !errors.Is(err, broken) {
			t.Errorf("%v, want %v", err, broken)
		}
	})
	t.Run("poller", func(t *testing.T) {
		g, err := pollers.Start(nil, []pollers.Poller{{Poll: func() bool { panic(broken) }}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Stop)
		var e *lcore.PanicError
		if err := Watch(t.Context(), &report.Report{}, command.Options{}, nil, nil, none, g.Failed()); !errors.As(err, &e) {
			t.Errorf("%v, want a *lcore.PanicError", err)
		}
	})
}
