package generator

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// openDevice opens a port over a device with a goroutine of its own, and returns both.
func openDevice(t *testing.T, cfg driver.Config) (*driver.Port, *vdev.Device) {
	t.Helper()
	fn, err := pcifn.New(pcifn.Config{Address: "0000:00:03.0", Device: vdev.Config{Backend: wire.Loop(), Hold: true}})
	if err != nil {
		t.Fatal(err)
	}
	fn.Device().Start()
	tr, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	port, err := driver.Open(tr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return port, fn.Device()
}

// TestTrialAcrossResets has the device need a reset now and then. The trial goes on, what
// cannot be sent meanwhile is sent later or unsent, the sums add up, and no buffer is lost.
func TestTrialAcrossResets(t *testing.T) {
	var port *driver.Port
	var device *vdev.Device
	r := newRig(t, 1, nil, func(c *Config) {
		port, device = openDevice(t, driver.Config{Pool: c.Caches[0].Pool()})
		c.Ports = []Port{{Port: port, Streams: []Stream{{Source: &counter{length: 60}, PPS: 1e5}}}}
	})
	r.start(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		for resets := uint64(1); resets <= 3; resets++ {
			for before := r.packets(0); r.packets(0) < before+1000; {
				runtime.Gosched()
			}
			device.NeedReset()
			for port.Stats().Resets < resets {
				runtime.Gosched()
			}
		}
	}()
	got, err := r.Trial(ctx, Run{Tolerance: anyRate, Silence: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	due := uint64(float64(got.Duration)*1e5/1e9) + 1
	if got.Sent < 3000 || got.Sent+got.Unsent != due && got.Sent+got.Unsent != due-1 {
		t.Errorf("%d packets were due in %d ns, %d sent and %d unsent", due, got.Duration, got.Sent, got.Unsent)
	}
	// A reset loses what the device had, in its rings and in its loop.
	received := got.Ports[0].RxPackets
	if got.Lost != got.Sent+got.Unsent-received || got.Sent-received > 3*2000 {
		t.Errorf("%d sent, %d received, %d unsent, %d lost", got.Sent, received, got.Unsent, got.Lost)
	}
}
