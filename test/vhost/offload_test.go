package vhost

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

var (
	checksums = virtio.FeatureSet(virtio.NetCSUM, virtio.NetGuestCSUM)
	large     = checksums.Or(virtio.FeatureSet(virtio.NetHostTSO4, virtio.NetHostTSO6,
		virtio.NetGuestTSO4, virtio.NetGuestTSO6))
)

// macs is the length of the addresses of a frame, which testpmd may rewrite.
const macs = 12

// answers sends a packet and returns what comes back.
func answers(t *testing.T, p *driver.Port, b *mbuf.Buf, n int) (list []*mbuf.Buf) {
	t.Helper()
	bufs := []*mbuf.Buf{b}
	deadline := time.Now().Add(time.Minute)
	for sent := 0; len(list) < n; {
		sent += p.TxQueue(0).Burst(bufs[sent:])
		in := make([]*mbuf.Buf, 8)
		list = append(list, in[:p.RxQueue(0).Burst(in)]...)
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d packets come back: %+v", len(list), n, p.Stats())
		}
		time.Sleep(10 * time.Microsecond) // the back end shares the machine
	}
	return list
}

// packets are TCP and UDP packets over IPv4 and IPv6.
func packets(payload int) (list []inettest.Packet) {
	for i := range 4 {
		list = append(list, inettest.Packet{V6: i&1 != 0, UDP: i&2 != 0, Seq: 7, Flags: 0x10,
			Payload: frametest.Seq(i, payload+40)[40:]})
	}
	return list
}

// net_vhost completes the checksums that a port leaves open.
func TestChecksumsWithVhost(t *testing.T) {
	socket := socketPath(t)
	startTestpmd(t, socket, ",queues=1", "--forward-mode=io", "--mbcache=0")
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			p := openPort(t, socket, vhostuser.Options{Queues: 1},
				driver.Config{Refuse: path.refuse, Require: checksums})
			for _, q := range packets(1001) {
				b := p.Pool().GetOne()
				frametest.Fill(t, b, q.Blank())
				if err := b.PrepareChecksum(); err != nil {
					t.Fatal(err)
				}
				for _, got := range answers(t, p, b, 1) {
					if frame := frametest.Content(got); !bytes.Equal(frame, q.Frame()) {
						_, err := inettest.Parse(frame)
						t.Errorf("%+v: %v, state %v", q, err, got.Checksum())
					}
					got.Free()
				}
			}
			if s := p.Stats().Queues[0].Tx; s.Checksums != 4 || s.SoftwareChecksums != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// net_vhost takes large packets whole, and testpmd gives them back with a segment size of its
// own: each is received in one chain.
func TestLargePacketsWithVhost(t *testing.T) {
	commands := filepath.Join(t.TempDir(), "commands")
	text := "port stop all\ncsum set ip hw 0\ncsum set tcp hw 0\ntso set 1200 0\nport start all\n"
	if err := os.WriteFile(commands, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := socketPath(t)
	startTestpmd(t, socket, ",queues=1,tso=1", "--forward-mode=csum", "--mbcache=0",
		"--cmdline-file="+commands)
	for _, path := range paths {
		if !strings.Contains(path.name, "mergeable") {
			continue // a large packet takes several buffers
		}
		t.Run(path.name, func(t *testing.T) {
			p := openPort(t, socket, vhostuser.Options{Queues: 1},
				driver.Config{Refuse: path.refuse, Require: large})
			for _, payload := range []int{3000, 20_000, 60_000} {
				for _, q := range packets(payload)[:2] { // TCP
					b := p.Pool().GetOne()
					frametest.Fill(t, b, q.Blank())
					if err := b.PrepareSegmentation(1000); err != nil {
						t.Fatal(err)
					}
					for _, got := range answers(t, p, b, 1) {
						checkLarge(t, got, q)
						got.Free()
					}
				}
			}
			if s := p.Stats(); s.Queues[0].Tx.LargePackets != 6 || s.Queues[0].Rx.LargePackets != 6 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func checkLarge(t *testing.T, b *mbuf.Buf, p inettest.Packet) {
	t.Helper()
	kind := mbuf.SegmentTCPv4
	if p.V6 {
		kind = mbuf.SegmentTCPv6
	}
	start, offset, ok := b.PartialChecksum()
	if b.Segmentation() != kind || b.SegmentSize() != 1200 || !ok || start != p.Start() || offset != p.Field() {
		t.Errorf("%v of %d, sum from %d to %d, %v", b.Segmentation(), b.SegmentSize(), start, offset, ok)
	}
	got, want := frametest.Content(b), p.Partial()
	// In large packets DPDK leaves the length out of the sum of the pseudo-header.
	copy(got[:macs], want)
	copy(got[start+offset:][:2], want[start+offset:])
	if !bytes.Equal(got, want) || b.NumSegments() < 2 {
		t.Errorf("%d bytes in %d buffers: % x, want % x", len(got), b.NumSegments(), got[:80], want[:80])
	}
}
