package vhost

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// window is how many frames are under way at a time: no more than the receive
// queue has buffers for, so that none has to be dropped.
const window = 48

// Numbered frames that testpmd gives back come back once each, in order and
// intact, on every path, up to 9000 bytes where buffers are merged.
func TestIntegrity(t *testing.T) {
	socket := socketPath(t)
	startTestpmd(t, socket, ",queues=1", "--forward-mode=io", "--mbcache=0")
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			lengths, mtu := []int{60, 61, 64, 127, 128, 1000, 1514, 1515, 2000}, 2000
			if strings.Contains(path.name, "mergeable") {
				lengths, mtu = append(lengths, 2048, 2049, 4096, 6000, 9000), 9000
			}
			p := openPort(t, socket, vhostuser.Options{Queues: 1},
				driver.Config{Refuse: path.refuse, MTU: mtu})
			number := 0
			for round := range 40 {
				var frames [][]byte
				for i := range window {
					frames = append(frames,
						frametest.Seq(number, lengths[(i*i+round)%len(lengths)]))
					number++
				}
				if sent := send(t, p, 0, frames, time.Minute); sent != len(frames) {
					t.Fatalf("round %d: %d frames sent; %+v", round, sent, p.Stats())
				}
				back := 0
				receive(p, 0, time.Minute, func(b *mbuf.Buf) bool {
					if got := frametest.Content(b); back >= len(frames) ||
						!bytes.Equal(got, frames[back]) {
						t.Errorf("round %d: frame %d came back different: %d bytes", round,
							back, len(got))
					}
					back++
					return back < len(frames)
				})
				if back != len(frames) || t.Failed() {
					t.Fatalf("round %d: %d frames of %d came back; %+v", round, back,
						len(frames), p.Stats())
				}
			}
			receive(p, 0, 20*time.Millisecond, func(*mbuf.Buf) bool {
				t.Error("one frame too many")
				return true
			})
		})
	}
}
