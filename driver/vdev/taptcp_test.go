package vdev_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
)

// host is a network namespace whose TAP interface is the wire of a device.
type host struct {
	*netlab.Namespace
	tap *wire.TAPDevice
	*port
}

// newHost makes a host with the address 192.0.2.n and a driver with the features f.
func newHost(t *testing.T, n int, f virtio.Features) host {
	t.Helper()
	ns, err := netlab.NewNamespace(fmt.Sprint("host ", n), fmt.Sprintf("192.0.2.%d/24", n), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	h := host{Namespace: ns}
	if err := ns.Do(func() (err error) { h.tap, err = wire.TAP("tap0"); return err }); err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, vdev.Config{Backend: h.tap, Translated: true, Hold: true}, 32<<20)
	rx, tx := g.up(f, 256)
	h.port = newPort(g, 0, 1, rx, tx, 256, 2048)
	for i := range h.txFree {
		h.txFree[i].addr, h.txFree[i].b = g.alloc(70000, 8)
	}
	h.refill()
	if err := ns.Configure("tap0", 1500); err != nil {
		t.Fatal(err)
	}
	return h
}

// forward passes packets on to another host with their headers, as they are, and returns how
// many, and the length of the longest.
func (h host) forward(to host, packets, longest *atomic.Int64) (moved bool) {
	for to.reclaim(); len(to.txFree) > 0; {
		p := h.recvPacket()
		if p == nil {
			break
		}
		packets.Add(1)
		longest.Store(max(longest.Load(), int64(len(p))))
		p[virtio.NetHeaderFlags] &= virtio.NetHeaderNeedsCsum
		p[virtio.NetHeaderNumBuffers] = 0
		b := to.txFree[len(to.txFree)-1]
		id, ok := to.tx.add(false, piece{b.addr, copy(b.b, p), false})
		if !ok {
			h.g.t.Error("no room in the ring")
			break
		}
		to.txFree, to.txBufs[id] = to.txFree[:len(to.txFree)-1], b
		moved = true
	}
	if moved {
		to.tx.publish()
		to.g.ring(1, to.tx)
	}
	h.refill()
	return moved
}

// TCP between two hosts passes two devices in large packets if the driver between them
// takes them, and in ordinary ones otherwise, with the right bytes. What Linux puts into
// headers is what the device expects of a driver.
func TestTapTCP(t *testing.T) {
	base := packed.With(virtio.NetMrgRxbuf)
	for name, c := range map[string]struct {
		f       virtio.Features
		longest int64 // at least, if it is more than a frame
		size    int64
	}{
		"large":    {base.Or(receiveFeatures).Or(transmitFeatures), 3000, 4 << 20},
		"checksum": {base.With(virtio.NetGuestCSUM).With(virtio.NetCSUM), 1514, 1 << 20},
		"none":     {base, 1514, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t, 1, c.f), newHost(t, 2, c.f)
			a.g.d.Start()
			b.g.d.Start()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			done := make(chan error, 1)
			for i, h := range []host{a, b} {
				if err := h.AddIPv6(fmt.Sprintf("2001:db8::%d/64", i+1)); err != nil {
					t.Fatal(err)
				}
			}
			var packets, longest, longestIPv4 atomic.Int64
			go func() {
				err := netlab.Transfer(ctx, a.Namespace, b.Namespace, c.size/2)
				longestIPv4.Store(longest.Swap(0))
				done <- errors.Join(err, netlab.TransferIPv6(ctx, a.Namespace, b.Namespace, c.size/2))
			}()
			for begin := time.Now(); ; {
				moved := a.forward(b, &packets, &longest)
				moved = b.forward(a, &packets, &longest) || moved
				select {
				case err := <-done:
					if err != nil {
						t.Errorf("%v; device %+v", err, a.g.d.Stats())
					}
					t.Logf("%d bytes in %d packets of up to %d bytes in %v", 2*c.size, packets.Load(), longest.Load(), time.Since(begin))
				default:
					if !moved {
						runtime.Gosched()
					}
					continue
				}
				break
			}
			for version, longest := range map[string]*atomic.Int64{"IPv4": &longestIPv4, "IPv6": &longest} {
				if n := longest.Load() - virtio.NetHeaderLen; n < c.longest || c.longest == 1514 && n != 1514 {
					t.Errorf("%s: the longest packet has %d bytes", version, n)
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
