package vhost

import (
	"context"
	"errors"
	"flag"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
	"github.com/virtio-pmd/virtio-pmd/test/waketest"
)

// wakes is how many packets wake a sleeper, for each back end and kind of ring.
var wakes = flag.Int("wakes", 300, "packets that wake a sleeper, for each back end and kind of ring")

// sleepers are the ways in which a ring asks for interrupts.
var sleepers = []struct {
	name   string
	refuse virtio.Features
}{
	{"packed,events", virtio.Features{}},
	{"packed", virtio.FeatureSet(virtio.RingEventIdx)},
	{"split,events", virtio.FeatureSet(virtio.RingPacked)},
	{"split", virtio.FeatureSet(virtio.RingPacked, virtio.RingEventIdx)},
}

// sendBy sends single frames on the first queue of a port.
func sendBy(p *driver.Port) func(frame []byte) error {
	tx := p.TxQueue(0)
	return func(frame []byte) error {
		tx.Reclaim()
		b := p.Pool().GetOne()
		if b == nil || !b.AppendBytes(frame) {
			return errors.New("no buffers")
		}
		if tx.Burst([]*mbuf.Buf{b}) != 1 {
			b.Free()
			return errors.New("the queue is full")
		}
		return nil
	}
}

// Each single packet of the software device wakes a receiver that sleeps.
func TestEachPacketWakes(t *testing.T) {
	for _, s := range sleepers {
		t.Run(s.name, func(t *testing.T) {
			var w waketest.Wire
			socket := socketPath(t)
			serveDevice(t, socket, vhostback.Config{Device: vdev.Config{Backend: &w, Hold: true}})
			p := openPort(t, socket, vhostuser.Options{}, driver.Config{Refuse: s.refuse, Interrupts: true})
			waketest.Run(t, p.RxQueue(0), *wakes, w.Deliver)
		})
	}
}

// Each single packet that DPDK's back end gives back wakes a receiver that sleeps.
func TestEachPacketOfTestpmdWakes(t *testing.T) {
	socket := socketPath(t)
	startTestpmd(t, socket, ",queues=1", "--forward-mode=io", "--mbcache=0")
	for _, s := range sleepers {
		t.Run(s.name, func(t *testing.T) {
			p := openPort(t, socket, vhostuser.Options{Queues: 1}, driver.Config{Refuse: s.refuse, Interrupts: true})
			waketest.Run(t, p.RxQueue(0), *wakes, sendBy(p))
		})
	}
}

// A receiver that sleeps is told when its back end goes, sleeps until there is another, and
// wakes for that one's packet.
func TestSleeperSurvivesItsBackEnd(t *testing.T) {
	for _, s := range sleepers {
		t.Run(s.name, func(t *testing.T) {
			socket := socketPath(t)
			serve := func(w *waketest.Wire) *vhostback.Backend {
				back, err := vhostback.Serve(socket, vhostback.Config{Device: vdev.Config{Backend: w, Hold: true}})
				if err != nil {
					t.Fatal(err)
				}
				return back
			}
			var first, second waketest.Wire
			back := serve(&first)
			p := openPort(t, socket, vhostuser.Options{}, driver.Config{Refuse: s.refuse, Interrupts: true})
			rx := p.RxQueue(0)
			result := make(chan error, 1)
			over, end := context.WithCancel(t.Context())
			end()
			if err := rx.Wait(over); !errors.Is(err, context.Canceled) { // the first: the next ones are told
				t.Fatal(err)
			}
			wait := func() { result <- rx.Wait(t.Context()) }
			go wait()
			if err := back.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-result; !errors.Is(err, driver.ErrRecovering) {
				t.Fatalf("without a back end: %v", err)
			}
			go wait()
			back = serve(&second)
			defer back.Close()
			if err := second.Deliver(frametest.Seq(7, 60)); err != nil {
				t.Fatal(err)
			}
			if err := <-result; err != nil {
				t.Fatal(err)
			}
			bufs := make([]*mbuf.Buf, 4)
			n := rx.Burst(bufs)
			if n != 1 || frametest.Number(bufs[0].Data()) != 7 || rx.Stats().LostInterrupts != 0 {
				t.Errorf("%d packets; %+v", n, rx.Stats())
			}
			mbuf.Free(bufs[:n])
		})
	}
}
