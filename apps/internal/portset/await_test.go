package portset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/await"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// TestInterruptServer: an interruption ends the waiting for a back end and is called that,
// and the ports before are closed.
func TestInterruptServer(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	socket := filepath.Join(t.TempDir(), "s")
	first := filepath.Join(t.TempDir(), "first")
	c := Config{Specs: specs(t, "emu:vhost="+first, "vhost-user:"+socket+",server=1"), Burst: 32, Pollers: 1, NoHuge: true}
	done := make(chan error, 1)
	go func() {
		_, err := Open(ctx, c)
		done <- err
	}()
	exists := func(path string) bool { _, err := os.Lstat(path); return err == nil }
	for deadline := time.Now().Add(time.Minute); !exists(socket); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is no socket")
		}
	}
	cancel()
	var err error
	select {
	case err = <-done:
	case <-time.After(time.Minute):
		t.Fatal("opening is not interrupted")
	}
	var e *await.InterruptedError
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) || e.For != "a back end to connect to "+socket ||
		!strings.HasPrefix(err.Error(), "port vhost-user:"+socket+",server=1: interrupted") {
		t.Errorf("%v, want an *await.InterruptedError", err)
	}
	if exists(socket) || exists(first) {
		t.Error("a socket is still there")
	}
}

// TestInterruptPort: the pool of a port that is left behind is not released, as the port
// may use it.
func TestInterruptPort(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release, opened := make(chan struct{}), make(chan error, 1)
	_, err := Open(ctx, Config{Specs: specs(t, "emu:gen"), Burst: 32, Pollers: 1,
		Open: func(s devargs.Spec, o devargs.Options) (*driver.Port, error) {
			cancel()
			<-release
			p, err := s.Open(t.Context(), o)
			opened <- err
			return p, err
		}})
	var e *await.InterruptedError
	if !errors.As(err, &e) {
		t.Errorf("%v, want an *await.InterruptedError", err)
	}
	close(release)
	if err := <-opened; err != nil {
		t.Errorf("the port that was left behind: %v", err)
	}
}

// TestInterruptedBefore: nothing is opened when the end comes first.
func TestInterruptedBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var e *await.InterruptedError
	if s, err := Open(ctx, Config{Specs: specs(t, "emu:gen"), Burst: 32, Pollers: 1}); !errors.As(err, &e) {
		t.Errorf("%v, %v; want an *await.InterruptedError", s, err)
	}
}

// TestMissingSocketFirst: memory that is not there does not hide that a socket is not.
func TestMissingSocketFirst(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "missing")
	c := Config{Specs: specs(t, "emu:gen", "vhost-user:"+socket), Burst: 32, Pollers: 1, PoolSize: 1 << 24}
	_, err := Open(t.Context(), c)
	if err == nil || errors.Is(err, hugepages.ErrNoHugepages) || !strings.Contains(err.Error(), "there is no such socket") {
		t.Errorf("%v, want that there is no such socket", err)
	}
	c.Specs, c.PoolSize, c.NoHuge = specs(t, "emu:vhost="+socket, "vhost-user:"+socket), 0, true
	set, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("a socket that another port makes: %v", err)
	}
	if err := set.Close(); err != nil {
		t.Error(err)
	}
}
