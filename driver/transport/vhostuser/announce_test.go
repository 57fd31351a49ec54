package vhostuser_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// rarp is the number of the protocol feature.
const rarp = 2

// A back end with RARP is told the address in SEND_RARP, one without is told nothing.
func TestAnnounce(t *testing.T) {
	for _, has := range []bool{true, false} {
		b := newBackend(t)
		if has {
			b.protocols |= 1 << rarp
		}
		told := make(chan []byte, 2)
		b.answer = func(_ *peer, m msg) bool {
			if m.id == 19 {
				told <- slices.Clone(m.payload)
			}
			return false
		}
		b.listen()
		d, err := tryOpen(b.path, vhostuser.Options{MAC: net.HardwareAddr{2, 1, 2, 3, 4, 5}})
		if err != nil {
			t.Fatal(err)
		}
		port := portOn(t, d)
		err = port.Announce(t.Context())
		if has != (err == nil) || !has && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("RARP is %v: %v", has, err)
		}
		if want := []byte{2, 1, 2, 3, 4, 5, 0, 0}; has {
			if payload := <-told; !slices.Equal(payload, want) {
				t.Errorf("the back end was told %x", payload)
			}
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		if len(told) != 0 {
			t.Errorf("RARP is %v: the back end was told %x", has, <-told)
		}
	}
}

// A back end that does not answer what a call asks of it is disconnected when the context of
// the call ends, and the port goes on with the next connection.
func TestCallsThatAreNotAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		request uint32
		call    func(context.Context, *driver.Port) error
	}{
		"pairs":    {18, func(ctx context.Context, p *driver.Port) error { return p.SetQueuePairs(ctx, 1) }},
		"stop":     {18, func(ctx context.Context, p *driver.Port) error { return p.StopTxQueue(ctx, 1) }},
		"announce": {19, func(ctx context.Context, p *driver.Port) error { return p.Announce(ctx) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t)
			b.protocols |= 1 << rarp
			var silent atomic.Bool
			asked := make(chan struct{}, 16)
			b.answer = func(_ *peer, m msg) bool {
				if m.id != c.request || !silent.Load() {
					return false
				}
				asked <- struct{}{}
				return true
			}
			b.listen()
			d, err := tryOpen(b.path, vhostuser.Options{Timeout: time.Hour, SetUpTimeout: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			port, err := driver.Open(d, driver.Config{Queues: 2, Memory: hugepages.Options{PageSize: os.Getpagesize()}})
			if err != nil {
				t.Fatal(err)
			}
			silent.Store(true)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				<-asked
				cancel()
			}()
			if err := c.call(ctx, port); !errors.Is(err, transport.ErrDisconnected) || !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v", err)
			}
			silent.Store(false)
			until(t, "the port uses the next connection", func() bool { return port.Stats().Resets == 1 && port.Link().Up })
			if err := c.call(t.Context(), port); err != nil {
				t.Error(err)
			}
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A call does not wait for longer than its context for the goroutine of the port, which waits
// for a back end that does not say its status.
func TestCallsWhileTheBackEndHangs(t *testing.T) {
	b := newBackend(t)
	b.protocols |= 1 << rarp
	var hangs atomic.Bool
	asked := make(chan struct{}, 1)
	b.answer = func(_ *peer, m msg) bool {
		if m.id != 40 || !hangs.Load() {
			return false
		}
		select {
		case asked <- struct{}{}:
		default:
		}
		return true
	}
	b.listen()
	d, err := tryOpen(b.path, vhostuser.Options{Timeout: time.Hour, SetUpTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	port, err := driver.Open(d, driver.Config{Queues: 2, Memory: hugepages.Options{PageSize: os.Getpagesize()}})
	if err != nil {
		t.Fatal(err)
	}
	hangs.Store(true)
	<-asked
	for name, call := range map[string]func(context.Context) error{
		"pairs":    func(ctx context.Context) error { return port.SetQueuePairs(ctx, 1) },
		"stop":     func(ctx context.Context) error { return port.StopTxQueue(ctx, 1) },
		"announce": port.Announce,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		var why *driver.Error
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &why) || why.Op == "" {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	hangs.Store(false)
	b.drop()
	until(t, "the port uses the next connection", func() bool { return port.Stats().Resets == 1 && port.Link().Up })
	if err := port.SetQueuePairs(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}

// What takes a control queue is refused over vhost-user, where there is none, and the error
// says what can be done.
func TestCommandsAreUnsupported(t *testing.T) {
	b := newBackend(t)
	b.features |= 1<<17 | 1<<18 | 1<<19 | 1<<20 | 1<<21 | 1<<23 | 1<<50 | 1<<52 | 1<<53
	port := openPort(t, b.listen())
	b.messages()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, stats := port.DeviceStats(ctx)
	for what, err := range map[string]error{
		"promiscuous": port.SetPromiscuous(ctx, true), "filter": port.SetMACFilter(ctx, nil, nil),
		"MAC": port.SetMAC(ctx, net.HardwareAddr{2, 0, 0, 0, 0, 9}), "VLAN": port.AddVLAN(ctx, 1),
		"coalescing": port.SetRxCoalescing(ctx, driver.Coalescing{}), "statistics": stats,
		"one queue": port.SetRxQueueCoalescing(ctx, 0, driver.Coalescing{}),
	} {
		var why *driver.Error
		if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &why) || why.Remedy == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, m := range b.messages() {
		if m != "GET_STATUS" { // which is read all the time
			t.Errorf("the back end was sent %s", m)
		}
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}
