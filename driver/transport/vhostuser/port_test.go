package vhostuser_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

// The order of messages of a port with two queue pairs: the driver's steps
// and the transport's together.
func TestOrderOfAPort(t *testing.T) {
	b := newBackend(t).listen()
	d, err := tryOpen(b.path, vhostuser.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.Open(d, driver.Config{Queues: 2,
		Memory: hugepages.Options{PageSize: os.Getpagesize()}})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, b.messages(), `
		SET_OWNER
		GET_FEATURES
		GET_PROTOCOL_FEATURES
		SET_PROTOCOL_FEATURES 0x10009
		GET_QUEUE_NUM
		SET_STATUS 1
		SET_STATUS 3
		SET_FEATURES 0x540400000
		SET_STATUS 11
		GET_STATUS
		SET_MEM_TABLE 2 regions
		SET_VRING_NUM 0 0x400
		SET_VRING_BASE 0 0x80008000
		SET_VRING_ADDR 0
		SET_VRING_CALL 0
		SET_VRING_ERR 0
		SET_VRING_KICK 0
		SET_VRING_ENABLE 0 0x1
		SET_VRING_NUM 1 0x400
		SET_VRING_BASE 1 0x80008000
		SET_VRING_ADDR 1
		SET_VRING_CALL 1
		SET_VRING_ERR 1
		SET_VRING_KICK 1
		SET_VRING_ENABLE 1 0x1
		SET_VRING_NUM 2 0x400
		SET_VRING_BASE 2 0x80008000
		SET_VRING_ADDR 2
		SET_VRING_CALL 2
		SET_VRING_ERR 2
		SET_VRING_KICK 2
		SET_VRING_NUM 3 0x400
		SET_VRING_BASE 3 0x80008000
		SET_VRING_ADDR 3
		SET_VRING_CALL 3
		SET_VRING_ERR 3
		SET_VRING_KICK 3
		SET_STATUS 15
		SET_VRING_ENABLE 2 0x1
		SET_VRING_ENABLE 3 0x1`)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	log := b.messages()
	for len(log) > 0 && log[0] == "GET_STATUS" { // the driver checks once a second
		log = log[1:]
	}
	compare(t, log, `
		SET_VRING_ENABLE 0 0x0
		SET_VRING_ENABLE 1 0x0
		SET_VRING_ENABLE 2 0x0
		SET_VRING_ENABLE 3 0x0
		GET_VRING_BASE 0 0x0
		GET_VRING_BASE 1 0x0
		GET_VRING_BASE 2 0x0
		GET_VRING_BASE 3 0x0
		SET_STATUS 0
		GET_STATUS`)
}

// A back end that reconnects before it is ready is waited for, as long as it does not
// refuse the set-up as often as Recovery allows; then the port ends and says what was
// refused.
func TestReconnectWithABackEndThatRefuses(t *testing.T) {
	b := newBackend(t)
	var refusals atomic.Int32
	b.answer = func(p *peer, m msg) bool {
		if m.id != 2 || refusals.Add(-1) < 0 {
			return false
		}
		p.acknowledge(m, 1)
		return true
	}
	b.listen()
	d, err := tryOpen(b.path, vhostuser.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.Open(d, driver.Config{Memory: hugepages.Options{PageSize: os.Getpagesize()},
		Recovery: driver.Recovery{MaxResets: 3, MaxBackoff: 10 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(2) {
		refusals.Store(2)
		b.drop()
		until(t, "the link is up again",
			func() bool { return p.Stats().Resets == n+1 && p.Link().Up })
		if s := p.Stats(); s.Refusals != 2*(n+1) || s.Disconnects != 3*(n+1) {
			t.Errorf("%+v", s)
		}
	}
	refusals.Store(1 << 30)
	b.drop()
	until(t, "the port ends", func() bool { return p.Err() != nil })
	var given *driver.RecoveryError
	var refused *vhostuser.Error
	if !errors.As(p.Err(), &given) || !errors.As(given.Err, &refused) || given.Resets != 3 ||
		!strings.HasPrefix(refused.Op, "SET_FEATURES ") || p.Stats().Refusals != 7 {
		t.Errorf("%v, %+v", p.Err(), p.Stats())
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// openPort opens a port on a back end, which the test closes.
func openPort(t *testing.T, b *backend) *driver.Port {
	t.Helper()
	d, err := tryOpen(b.path, vhostuser.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return portOn(t, d)
}

// portOn opens a port on a device.
func portOn(t *testing.T, d *vhostuser.Device) *driver.Port {
	t.Helper()
	p, err := driver.Open(d, driver.Config{Memory: hugepages.Options{PageSize: os.Getpagesize()}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// until waits for something to happen.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting until %s", what)
		}
	}
}

// A back end that finds both rings of a pair broken says so twice, the second time
// while the port stops its rings: that is one reset. After it, what is reported counts
// again.
func TestTwoFaultsOneReset(t *testing.T) {
	b := newBackend(t)
	report := func(p *peer, ring uint64) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, err := unix.Write(p.errs[ring], u64(1)); err != nil {
			t.Error(err)
		}
	}
	b.answer = func(p *peer, m msg) bool {
		if m.id == 11 { // GET_VRING_BASE
			report(p, 1)
		}
		return false
	}
	b.listen()
	d, err := tryOpen(b.path, vhostuser.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.Open(d, driver.Config{Memory: hugepages.Options{PageSize: os.Getpagesize()},
		Recovery: driver.Recovery{MaxResets: 100, MaxBackoff: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(4) {
		report(b.peers[0], 0)
		until(t, "it has recovered", func() bool { return p.Stats().Resets > n && p.Link().Up })
		time.Sleep(50 * time.Millisecond) // the time in which reports are read again
		if got := p.Stats().Resets; got != n+1 {
			t.Fatalf("%d resets, want %d", got, n+1)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// OpenContext ends with its context at whatever message the back end stops answering,
// and so does Close if that is in a recovery.
func TestInterruptedSetUp(t *testing.T) {
	for _, hang := range []string{"SET_STATUS", "SET_FEATURES", "SET_MEM_TABLE", "SET_VRING_NUM",
		"SET_VRING_KICK", "SET_VRING_ENABLE"} {
		t.Run(hang, func(t *testing.T) {
			b := newBackend(t)
			var on atomic.Bool
			hangs := make(chan struct{}, 1)
			var hung atomic.Bool // after that message no other is answered
			b.answer = func(_ *peer, m msg) bool {
				hung.Store(on.Load() && (hung.Load() || names[m.id] == hang))
				if !hung.Load() {
					return false
				}
				select {
				case hangs <- struct{}{}:
				default:
				}
				return true
			}
			b.listen()
			cfg := driver.Config{Memory: hugepages.Options{PageSize: os.Getpagesize()},
				ResetTimeout: time.Hour}
			o := vhostuser.Options{Timeout: time.Hour, SetUpTimeout: time.Hour}
			on.Store(true)
			d, err := tryOpen(b.path, o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-hangs
				cancel()
			}()
			if _, err := driver.OpenContext(ctx, d, cfg); !errors.Is(err, context.Canceled) {
				t.Errorf("%T %v", err, err)
			}

			on.Store(false)
			if d, err = tryOpen(b.path, o); err != nil {
				t.Fatal(err)
			}
			p, err := driver.Open(d, cfg)
			if err != nil {
				t.Fatal(err)
			}
			select { // of messages after that one
			case <-hangs:
			default:
			}
			on.Store(true)
			b.drop()
			<-hangs
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A queue for whose eventfds there are no descriptors says so, with the limit, and does
// not name the back end as the cause.
func TestOutOfDescriptors(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 2)
	s.run(t)
	release := fdtest.Limit(t, 0)
	_, err := d.SetQueue(2, s.areas(2))
	release()
	if !errors.Is(err, unix.EMFILE) || errors.Is(err, transport.ErrDisconnected) ||
		!strings.Contains(err.Error(), "open files and needs more") {
		t.Errorf("%v", err)
	}
	release = fdtest.Limit(t, 0)
	_, err = tryOpen(b.path, vhostuser.Options{})
	release()
	if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "open files and needs more") {
		t.Errorf("%v", err)
	}
}
