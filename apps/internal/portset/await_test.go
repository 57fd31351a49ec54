package portset

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// interrupted opens ports until it says that it waits, and is interrupted then.
func interrupted(t *testing.T, c Config) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c.Burst, c.Pollers, c.NoHuge = 32, 1, true
	c.Waiting = func(what string) { said = what; cancel() }
	done := make(chan error, 1)
	go func() {
		_, err := Open(ctx, c)
		done <- err
	}()
	select {
	case err = <-done:
		return said, err
	case <-time.After(30 * time.Second):
		t.Fatal("opening is not interrupted")
		return "", nil
	}
}

// TestInterruptServer: what is awaited is said, an interruption ends the waiting and is
// called that, and the ports before are closed.
func TestInterruptServer(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	first := filepath.Join(t.TempDir(), "first")
	said, err := interrupted(t, Config{Specs: specs(t, "emu:vhost="+first, "vhost-user:"+socket+",server=1")})
	if want := "port vhost-user:" + socket + ",server=1: waiting for a back end to connect to " + socket; said != want {
		t.Errorf("said %q, want %q", said, want)
	}
	var e *InterruptedError
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) ||
		!strings.Contains(err.Error(), "interrupted while waiting for a back end to connect to "+socket) {
		t.Errorf("%v, want an *InterruptedError", err)
	}
	for _, path := range []string{socket, first} {
		if _, err := filepath.EvalSymlinks(path); err == nil {
			t.Errorf("the socket %s is still there", path)
		}
	}
}

// TestInterruptAnything: a step that does not heed the interruption is left behind, and
// what comes of it is closed.
func TestInterruptAnything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release, closed := make(chan struct{}), make(chan struct{})
	said := ""
	tell := func(what string) { said = what; cancel() }
	s := step{port: "p", waiting: "nothing", notice: time.Millisecond}
	v, left, err := await(ctx, s, tell, func() (int, error) { <-release; return 7, nil }, func(v int) {
		if v == 7 {
			close(closed)
		}
	})
	var e *InterruptedError
	if v != 0 || !left || !errors.As(err, &e) || e.Waiting != "nothing" || said != "port p: waiting for nothing" {
		t.Errorf("%d, %t, %v, said %q", v, left, err, said)
	}
	close(release)
	<-closed
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
	var e *InterruptedError
	if !errors.As(err, &e) {
		t.Errorf("%v, want an *InterruptedError", err)
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
	var e *InterruptedError
	if s, err := Open(ctx, Config{Specs: specs(t, "emu:gen"), Burst: 32, Pollers: 1}); !errors.As(err, &e) {
		t.Errorf("%v, %v; want an *InterruptedError", s, err)
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
	if errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("%v is taken for a back end that ended", err)
	}
}
