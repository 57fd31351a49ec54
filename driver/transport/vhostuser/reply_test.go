package vhostuser_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// A refusal is no reason to end the connection.
func TestRefusals(t *testing.T) {
	for _, id := range []uint32{2, 5, 8, 9, 10, 12, 13, 14, 18, 39} {
		t.Run(names[id], func(t *testing.T) {
			b := newBackend(t)
			b.answer = func(p *peer, m msg) bool {
				if m.id == id {
					p.acknowledge(m, 7)
				}
				return m.id == id
			}
			b.listen()
			d := open(t, b, vhostuser.Options{})
			var err error
			for _, step := range newSteps(t, d, 1).list() {
				if err = step(); err != nil {
					break
				}
			}
			if !isRefused(err) || as(err).Value != uint64(7) ||
				!strings.HasPrefix(as(err).Op, names[id]) {
				t.Errorf("%T %v", err, err)
			}
			if _, err := d.DeviceFeatures(); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// DPDK refuses and closes the connection: the error is the refusal.
func TestRefusalAndEnd(t *testing.T) {
	for range 20 {
		b := newBackend(t)
		b.answer = func(p *peer, m msg) bool {
			if m.id == 2 {
				p.acknowledge(m, 1)
				_ = p.conn.Close()
			}
			return m.id == 2
		}
		if err := use(t, b, long); !isRefused(err) {
			t.Fatalf("%T %v", err, err)
		}
		b.stop()
	}
}

// A message that was not requested ends the connection at any time.
func TestUnexpectedMessage(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 2).run(t)
	b.mu.Lock()
	b.peers[0].send(40, 5, 8, u64(0), 0, 0)
	b.mu.Unlock()
	await(t, d, transport.Disconnected)
}

// Invalid values of the right form.
func TestInvalidReplies(t *testing.T) {
	for _, c := range []struct {
		id    uint32
		value []byte
		is    func(error) bool
	}{
		{40, u64(0x100 | 15), isProtocol},  // a device status of 9 bits
		{11, u64(5), isProtocol},           // another ring than that of the request
		{36, u64(0), isRegions},            // no memory slot at all
		{24, make([]byte, 12), isProtocol}, // the configuration, cut off
	} {
		t.Run(fmt.Sprint(names[c.id]), func(t *testing.T) {
			b := full(t)
			b.answer = func(p *peer, m msg) bool {
				if m.id == c.id {
					p.reply(m.id, c.value)
				}
				return m.id == c.id
			}
			if err := use(t, b, long); !c.is(err) {
				t.Errorf("%T %v", err, err)
			}
		})
	}
}

// A status that never becomes 0 delays a reset until its context ends, and ends the
// connection.
func TestResetThatNeverEnds(t *testing.T) {
	b := newBackend(t)
	b.answer = func(p *peer, m msg) bool {
		if m.id == 39 && m.number() == 0 {
			p.acknowledge(m, 0)
			return true // and stay as it is
		}
		return false
	}
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 1).run(t)
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	if err := d.Reset(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took < short || took > long {
		t.Errorf("it took %v", took)
	}
	if err := d.SetStatus(virtio.StatusAcknowledge); !errors.Is(err, transport.ErrDisconnected) ||
		!errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%T %v", err, err)
	}
}

// Open returns when its context ends.
func TestOpenGivesUp(t *testing.T) {
	b := newBackend(t)
	b.answer = func(p *peer, m msg) bool { return true }
	b.listen()
	ctx, cancel := context.WithTimeout(context.Background(), short)
	defer cancel()
	_, err := vhostuser.Open(ctx, b.path, vhostuser.Options{})
	if !isTimeout(err) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%T %v", err, err)
	}
	if _, err := os.Stat(b.path); err != nil {
		t.Errorf("the back end's socket: %v", err)
	}
}
