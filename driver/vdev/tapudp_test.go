package vdev_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	udpMessages = 20
	udpMessage  = 30_000 // bytes that a host sends at once
	udpSegment  = 1000   // and those of each datagram
)

// Long UDP messages that a Linux host has segmented pass two devices whole, if the drivers and
// the interfaces take them so (for which Linux has to be 6.2 or later), and as datagrams
// otherwise; the other host receives each datagram, with a right checksum.
func TestTapUDP(t *testing.T) {
	base := packed.With(virtio.NetMrgRxbuf)
	for name, f := range map[string]virtio.Features{
		"large": base.Or(receiveFeatures).Or(transmitFeatures), "none": base,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t, 1, f), newHost(t, 2, f)
			for i, h := range []host{a, b} {
				if err := h.AddIPv6(fmt.Sprintf("2001:db8::%d/64", i+1)); err != nil {
					t.Fatal(err)
				}
				h.g.d.Start()
			}
			var longest atomic.Int64
			for _, to := range []net.IP{b.Address.IP, net.ParseIP("2001:db8::2")} {
				longest.Store(0)
				stop := join(a, b, &longest)
				err := sendUDP(a, b, to)
				stop()
				if err != nil {
					t.Errorf("to %v: %v", to, err)
				}
				whole := f.Has(virtio.NetGuestUSO4) && a.tap.Takes().Has(virtio.NetGuestUSO4)
				if n := longest.Load() - virtio.NetHeaderLen; whole != (n > udpMessage) || !whole && n > 1514 {
					t.Errorf("to %v: the longest packet has %d bytes", to, n)
				}
			}
			for _, h := range []host{a, b} {
				h.g.d.Stop()
				if s := h.g.d.Stats(); s.TxDropped+s.TxErrors+s.TxSegments+s.RxSegments+s.RxErrors != 0 {
					t.Errorf("%+v", s)
				}
				h.g.clean()
			}
		})
	}
}

// join forwards packets between two hosts until stop is called.
func join(a, b host, longest *atomic.Int64) (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var packets atomic.Int64
		for {
			select {
			case <-end:
				return
			default:
				a.forward(b, &packets, longest)
				b.forward(a, &packets, longest)
			}
		}
	}()
	return func() { close(end); <-ended }
}

// sendUDP sends messages from one host to an address of the other, each in one call that leaves
// the segmentation to the kernel, and checks the datagrams.
func sendUDP(from, to host, address net.IP) error {
	var in, out *net.UDPConn
	err := to.Do(func() (err error) {
		in, err = net.ListenUDP("udp", &net.UDPAddr{IP: address})
		return err
	})
	if err != nil {
		return err
	}
	defer in.Close()
	err = from.Do(func() (err error) {
		out, err = net.DialUDP("udp", nil, in.LocalAddr().(*net.UDPAddr))
		return err
	})
	if err != nil {
		return err
	}
	defer out.Close()
	raw, err := out.SyscallConn()
	if err != nil {
		return err
	}
	err = errors.Join(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, udpSegment)
	}), err, in.SetDeadline(time.Now().Add(20*time.Second)))
	if err != nil {
		return err
	}
	got := make([]byte, 2*udpSegment)
	for m := range udpMessages {
		message := make([]byte, udpMessage)
		for i := range message {
			message[i] = byte(i/udpSegment) ^ byte(i*7) + byte(m)
		}
		if _, err := out.Write(message); err != nil {
			return err
		}
		for at := 0; at < udpMessage; at += udpSegment {
			n, err := in.Read(got)
			if err != nil {
				return fmt.Errorf("message %d, byte %d: %w", m, at, err)
			}
			if !bytes.Equal(got[:n], message[at:at+udpSegment]) {
				return fmt.Errorf("message %d: the datagram from byte %d on has %d bytes, or others", m, at, n)
			}
		}
	}
	return nil
}
