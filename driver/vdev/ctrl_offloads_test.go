package vdev_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Receive offloads are on from the start, and as GUEST_OFFLOADS_SET says afterwards: with
// GUEST_CSUM the device says which checksums it found to be right (x/net/offloads).
func TestGuestOffloadsSet(t *testing.T) {
	byFormat(t, allCtrl.Without(virtio.NetHashReport).With(virtio.NetGuestCSUM), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		frame, _ := flow{payload: 100}.build(t)
		flags := func() byte {
			r.inject(frame)
			packets := r.ports[0].received()
			if len(packets) != 1 {
				t.Fatalf("%d packets arrived", len(packets))
			}
			return packets[0][virtio.NetHeaderFlags]
		}
		for _, want := range []byte{virtio.NetHeaderDataValid, 0, virtio.NetHeaderDataValid, 0} {
			if got := flags(); got != want {
				t.Errorf("flags %#x, want %#x", got, want)
			}
			next := uint64(0)
			if want == 0 {
				next = 1 << virtio.NetGuestCSUM
			}
			r.do(virtio.CtrlGuestOffloads, virtio.CtrlGuestOffloadsSet, le64(next)...)
		}
		r.do(virtio.CtrlGuestOffloads, virtio.CtrlGuestOffloadsSet, le64(0)...)
		r.start(r.f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		if got := flags(); got != virtio.NetHeaderDataValid {
			t.Errorf("flags %#x after a reset", got)
		}
		r.clean()
	})
}
