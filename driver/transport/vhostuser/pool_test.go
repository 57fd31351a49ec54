package vhostuser_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Two ports, each with the pool of the other attached. Closing one takes nothing from
// the other, which gets over a restart of its back end, and can have the pool that
// follows.
func TestPoolOutlivesItsPort(t *testing.T) {
	first, second := newBackend(t).listen(), newBackend(t).listen()
	a, b := openPort(t, first), openPort(t, second)
	if err := errors.Join(b.Attach(a.Pool()), a.Attach(b.Pool())); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error("closing A:", err)
	}
	second.drop()
	until(t, "B is up again", func() bool { return b.Stats().Resets >= 1 && b.Link().Up })
	if err := b.Attach(a.Pool()); err != nil {
		t.Error("attaching again what is attached:", err)
	}
	if err := b.Detach(a.Pool()); err != nil {
		t.Error(err)
	}
	if err := b.Attach(a.Pool()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("attaching a released pool: %v", err)
	}
	next := openPort(t, first)
	if err := b.Attach(next.Pool()); err != nil {
		t.Error(err)
	}
	if err := errors.Join(b.Close(), next.Close()); err != nil {
		t.Error(err)
	}
	memory := (*mbuf.DriverPool)(a.Pool()).Memory()
	if memory.FD() != -1 {
		t.Error("the memory of A's pool is still there")
	}
}

// Memory that is gone behind the driver's back, which cannot be sent to the next back
// end, ends the port, and is not said to be the back end's fault.
func TestLocalErrorEndsThePort(t *testing.T) {
	back := newBackend(t).listen()
	p := openPort(t, back)
	pool, err := mbuf.NewPool(mbuf.Config{Count: 64, Memory: hugepages.Options{PageSize: os.Getpagesize()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Attach(pool); err != nil {
		t.Fatal(err)
	}
	back.stop()
	until(t, "the back end is gone", func() bool { return p.Stats().Disconnects == 1 })
	if err := (*mbuf.DriverPool)(pool).Memory().Release(); err != nil {
		t.Fatal(err)
	}
	// The port's lock orders the release before what the port does next.
	if err := p.Attach(pool); err == nil {
		t.Fatal("a pool without memory is attached")
	}
	back.listen()
	until(t, "the port ends", func() bool { return p.Err() != nil })
	err = p.Err()
	var local *transport.Error
	if !errors.As(err, &local) || !errors.Is(err, transport.ErrLocal) || !errors.Is(err, unix.EBADF) ||
		errors.Is(err, transport.ErrDisconnected) || strings.Contains(err.Error(), "back end") {
		t.Errorf("the port ended with %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
