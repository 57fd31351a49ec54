package vhostuser_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
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

// What takes a control queue is refused over vhost-user, where there is none, and the error
// says what can be done.
func TestCommandsAreUnsupported(t *testing.T) {
	b := newBackend(t)
	b.features |= 1<<17 | 1<<18 | 1<<19 | 1<<20 | 1<<21 | 1<<23 | 1<<50 | 1<<52 | 1<<53
	port := openPort(t, b.listen())
	b.messages()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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
