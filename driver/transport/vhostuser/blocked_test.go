package vhostuser_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

// A back end clears O_NONBLOCK on the eventfd by which it is notified and fills the
// counter, before a burst or while bursts go on. The burst returns, also if the
// connection ends meanwhile, and the port goes on with the next connection.
func TestBlockedDoorbell(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(t *testing.T, b *backend, p *driver.Port) // while the burst is blocked
	}{
		{"the back end stays", func(*testing.T, *backend, *driver.Port) {}},
		{"the connection ends", func(_ *testing.T, b *backend, _ *driver.Port) { b.drop() }},
		{"the port is closed", func(t *testing.T, _ *backend, p *driver.Port) {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBackend(t).listen()
			p := openPort(t, b)
			b.mu.Lock()
			kick := b.peers[0].kicks[1]
			b.mu.Unlock()
			kept, err := unix.Dup(kick)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(kept)
			fill(t, kept)
			sent := make(chan int, 1)
			go func() { sent <- send(p) }()
			time.Sleep(2 * time.Millisecond) // the burst comes to its doorbell
			c.end(t, b, p)
			select {
			case <-sent:
			case <-time.After(long):
				t.Fatal("the burst hangs in its doorbell")
			}
			if c.name != "the port is closed" {
				until(t, "the port uses the next connection", func() bool {
					return p.Stats().Resets == 1 && p.Link().Up
				})
				if n := send(p); n != 1 {
					t.Errorf("%d packets are sent afterwards", n)
				}
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The error of the connection names the ring whose doorbell was blocked.
func TestBlockedDoorbellIsAnError(t *testing.T) {
	b := newBackend(t)
	b.once = true
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 2).run(t)
	b.mu.Lock()
	kick := b.peers[0].kicks[1]
	b.mu.Unlock()
	fill(t, kick)
	await(t, d, transport.Disconnected)
	_, err := d.Status()
	var e *vhostuser.Error
	if !errors.As(err, &e) || e.Op != "kick" || e.Value != uint64(1) ||
		!errors.Is(err, transport.ErrDisconnected) {
		t.Errorf("%T %v", err, err)
	}
}

// fill fills the counter of an eventfd and has writes wait for room.
func fill(t *testing.T, fd int) {
	t.Helper()
	_, _ = unix.Read(fd, make([]byte, 8))
	if _, err := unix.Write(fd, u64(1<<64-2)); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// send sends a packet, and returns how many were taken.
func send(p *driver.Port) int {
	bufs := make([]*mbuf.Buf, 1)
	p.Pool().Get(bufs)
	bufs[0].Append(60)
	n := p.TxQueue(0).Burst(bufs)
	mbuf.Free(bufs[n:])
	return n
}
