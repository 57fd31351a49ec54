package vdev_test

import (
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Whatever a command is, it is answered with OK or ERR, leaves the device able to work, and
// no frame is lost or counted twice.
func FuzzCommands(f *testing.F) {
	key := make([]byte, 40)
	for _, command := range [][]byte{
		{0, 0, 1}, {0, 3, 1}, cat([]byte{1, 0}, le32(1), ownMAC, le32(1), groupMAC), append([]byte{1, 1}, otherMAC...), {2, 0, 5, 0}, {3, 0},
		{4, 0, 2, 0}, append([]byte{4, 1}, rssConfig(virtio.HashAll, 1, []int{0, 1, 1, 0}, 2, key)...),
		append([]byte{4, 2}, hashConfig(virtio.HashAll, key)...), append([]byte{5, 0}, make([]byte, 8)...),
		append([]byte{6, 0}, coalescing(3, 5)...), append([]byte{6, 1}, coalescing(1<<31, 1<<31)...),
		cat([]byte{6, 2}, le16(1), le16(0), coalescing(7, 7)), {6, 3, 1, 0, 0, 0}, {8, 0},
		cat([]byte{8, 1}, le16(0), make([]byte, 6), le64(1), le16(4), make([]byte, 6), le64(1<<32)), {7, 0, 1, 0, 0, 0}, {9, 1}, {200, 200},
	} {
		f.Add(command, uint8(20), false)
		f.Add(command[:max(len(command)-1, 2)], uint8(0), true)
	}
	f.Fuzz(func(t *testing.T, command []byte, room uint8, pack bool) {
		if len(command) < 2 || len(command) > 2048 {
			return
		}
		features := allCtrl.With(virtio.Version1)
		if pack {
			features = features.With(virtio.RingPacked)
		}
		r := newCtrlRig(t, vdev.Config{Pairs: 2}, features)
		ack, result := r.result(command[0], command[1], int(room), command[2:]...)
		if ack > virtio.CtrlErr || ack == virtio.CtrlErr && len(result) != 0 {
			t.Errorf("answer %d with %d bytes", ack, len(result))
		}
		frames := [][]byte{frameTo(ownMAC, -1), frameTo(otherMAC, 5), frameTo(groupMAC, -1), frameTo(everyone, 9), flowFrame(1).frame()}
		r.inject(frames...)
		n := 0
		for _, p := range r.ports {
			n += len(p.received())
		}
		if s := r.d.Stats(); int(s.RxFrames) != n || n+int(s.RxFiltered) != len(frames) || s.RxDropped+s.RxErrors != 0 {
			t.Errorf("%d frames received, counted are %+v", n, s)
		}
		r.ports[0].send(frames[0])
		r.d.Poll()
		if out := make([][]byte, 2); r.peer.Receive(0, out) != 1 || !slices.Equal(out[0], frames[0]) {
			t.Error("a transmitted frame did not go out")
		}
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		for _, v := range r.d.Violations() {
			if v.Rule == "x/device/panic" || r.d.Status().Has(virtio.StatusNeedsReset) {
				t.Error(v)
			}
		}
	})
}
