package vdev_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// x/net/rx-mtu: a driver that has accepted MTU gets no longer frame, but for a VLAN tag, with
// receive offloads and without. What is dropped is counted.
func TestReceiveMTU(t *testing.T) {
	tagged := func(n int) []byte { return append(frameTo(ownMAC, 5)[:18], make([]byte, n-18)...) }
	plain := func(n int) []byte { return append(frameTo(ownMAC, -1)[:14], make([]byte, n-14)...) }
	for name, more := range map[string]virtio.Features{
		"plain": {}, "offloads": virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4), "no MTU": {},
	} {
		byFormat(t, allCtrl.Without(virtio.NetCtrlVLAN).With(virtio.NetMrgRxbuf).Or(more), func(t *testing.T, f virtio.Features) {
			if name != "no MTU" {
				f = f.With(virtio.NetMTU)
			}
			r := newCtrlRig(t, vdev.Config{MTU: 1000}, f)
			r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
			dropped := uint64(0)
			for i, c := range []struct {
				frame []byte
				fits  bool
			}{{plain(1014), true}, {plain(1015), false}, {tagged(1018), true}, {tagged(1019), false}, {plain(1900), false}} {
				r.inject(c.frame)
				want := 1
				if !c.fits && name != "no MTU" {
					want = 0
					dropped++
				}
				if n := len(r.ports[0].received()); n != want {
					t.Errorf("%s: %d frames arrive of frame %d", name, n, i)
				}
			}
			if s := r.d.Stats(); s.RxErrors != dropped {
				t.Errorf("%s: %d are counted, %d were dropped", name, s.RxErrors, dropped)
			}
			r.clean()
		})
	}
}
