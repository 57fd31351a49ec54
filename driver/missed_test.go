package driver

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// What the wire of an emulated device delivers is received, or counted as missed.
func TestMissed(t *testing.T) {
	var dev *vdev.Device
	c := refuse(virtio.NetMrgRxbuf)
	c.DeviceMisses = func() uint64 { return dev.RxMissed() }
	r := newRig(t, pcifn.Config{}, c)
	dev = r.dev
	const small, large = 5, 3
	for i := range small + large {
		size := 60
		if i < large {
			size = 3000 // more than a buffer holds
		}
		r.wire.deliver(0, frametest.Seq(i, size))
	}
	got := len(r.receive(0))
	if s := r.port.Stats(); got != small || s.RxPackets != small || s.RxMissed != large || s.RxErrors != 0 {
		t.Errorf("%d arrived; %+v", got, s)
	}
}
