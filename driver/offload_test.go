package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
)

var (
	checksumSent = virtio.FeatureSet(virtio.NetCSUM)
	largeSent    = checksumSent.Or(virtio.FeatureSet(virtio.NetHostTSO4, virtio.NetHostTSO6,
		virtio.NetHostECN, virtio.NetHostUSO, virtio.NetGuestHdrLen))
	checksumReceived = virtio.FeatureSet(virtio.NetGuestCSUM)
	largeReceived    = checksumReceived.Or(virtio.FeatureSet(virtio.NetGuestTSO4, virtio.NetGuestTSO6,
		virtio.NetGuestECN, virtio.NetGuestUSO4, virtio.NetGuestUSO6))
	hashReported = virtio.FeatureSet(virtio.NetHashReport)
)

// drawPacket draws a TCP or UDP packet with any headers that there are.
func drawPacket(t *rapid.T, longest int) inettest.Packet {
	p := inettest.Packet{
		V6: rapid.Bool().Draw(t, "v6"), UDP: rapid.Bool().Draw(t, "udp"),
		Tags: rapid.IntRange(0, 1).Draw(t, "tags"), Flags: rapid.Byte().Draw(t, "flags"),
		ID: rapid.Uint16().Draw(t, "id"), Seq: rapid.Uint32().Draw(t, "seq"),
		Payload: frametest.Seq(1, 100+longest)[100:][:rapid.IntRange(1, longest).Draw(t, "payload")],
	}
	if p.V6 {
		p.Extensions = rapid.SliceOfN(rapid.SampledFrom([]byte{0, 43, 60}), 0, 2).Draw(t, "extensions")
	} else {
		p.Options = 4 * rapid.IntRange(0, 10).Draw(t, "options")
	}
	if !p.UDP {
		p.TCPOptions = 4 * rapid.IntRange(0, 10).Draw(t, "TCP options")
	}
	return p
}

// packetOf makes a packet of a frame, in segments of drawn lengths.
func packetOf(t *rapid.T, pool *mbuf.Pool, frame []byte) *mbuf.Buf {
	first := pool.GetOne()
	last := first
	for {
		n := min(rapid.IntRange(60, pool.DataRoom()).Draw(t, "segment"), len(frame))
		copy(last.Append(n), frame[:n])
		if frame = frame[n:]; len(frame) == 0 {
			return first
		}
		last.SetNext(pool.GetOne())
		last = last.Next()
	}
}

// Packets of random headers, of which the checksum is to be completed and which are to be
// cut into frames, arrive as right frames, whatever of that the device does and the
// transmit queue. The device judges every header.
func TestSendRequests(t *testing.T) {
	for name, request := range map[string]virtio.Features{
		"software": {}, "checksum": checksumSent, "all": largeSent, "all,hash": largeSent.Or(hashReported),
		"hash": hashReported, "TSO4": checksumSent.With(virtio.NetHostTSO4),
	} {
		for format, refused := range map[string]virtio.Features{
			"packed": {}, "split": virtio.FeatureSet(virtio.RingPacked),
			"split,direct": virtio.FeatureSet(virtio.RingPacked, virtio.RingIndirectDesc, virtio.InOrder),
		} {
			t.Run(name+"/"+format, func(t *testing.T) {
				r := newRig(t, functionWith(vdev.Config{Offer: vdev.Implemented(), Refuse: refused}),
					Config{Require: request, Pool: newPool(t, mbuf.Config{Count: 2048}), RxQueueSize: 256, TxQueueSize: 256})
				sum := uint64(0)
				rapid.Check(t, func(t *rapid.T) {
					size := rapid.IntRange(500, 1300).Draw(t, "size")
					p := drawPacket(t, rapid.SampledFrom([]int{300, 1200, 30000}).Draw(t, "longest"))
					if rapid.Bool().Draw(t, "checksum only") {
						p.Payload = p.Payload[:min(len(p.Payload), 1300)]
						size = len(p.Payload)
					}
					r.sendRequest(t, p, size)
					sum++
				})
				s := r.port.Stats()
				q := s.Queues[0].Tx
				if s.TxPackets != sum || s.TxErrors+s.TxDropped != 0 || q.SoftwareLarge+q.LargePackets > sum {
					t.Errorf("%+v, want %d packets", s, sum)
				}
				if request == largeSent && (q.SoftwareLarge+q.SoftwareChecksums != 0 || q.LargePackets == 0) ||
					request.Empty() && (q.LargePackets+q.Checksums != 0 || q.SoftwareLarge == 0) {
					t.Errorf("%+v", q)
				}
			})
		}
	}
}

// sendRequest sends a packet to be cut into frames with size bytes of payload, and checks
// what arrives on the wire.
func (r *rig) sendRequest(t *rapid.T, p inettest.Packet, size int) {
	b := packetOf(t, r.port.Pool(), p.Blank())
	prepare := b.PrepareChecksum
	if size < len(p.Payload) {
		prepare = func() error { return b.PrepareSegmentation(size) }
	}
	if err := prepare(); err != nil {
		t.Fatal(err)
	}
	if r.port.TxQueue(0).Burst([]*mbuf.Buf{b}) != 1 {
		t.Fatal("not taken")
	}
	r.settle()
	r.port.TxQueue(0).Burst(nil)
	frames := r.wire.transmitted(0)
	if want := (len(p.Payload) + size - 1) / size; len(frames) != want {
		t.Fatalf("%d frames, want %d", len(frames), want)
	}
	var payload []byte
	for i, f := range frames {
		q, err := inettest.Parse(f)
		if err != nil {
			t.Fatalf("frame %d of %d: %v", i, len(frames), err)
		}
		if n := len(q.Payload); n != size && i < len(frames)-1 || q.Tags != p.Tags || q.Options != p.Options ||
			!slices.Equal(q.Extensions, p.Extensions) || q.TCPOptions != p.TCPOptions {
			t.Fatalf("frame %d has %d bytes of payload, headers %+v", i, n, q)
		}
		payload = append(payload, q.Payload...)
	}
	if !bytes.Equal(payload, p.Payload) {
		t.Fatal("not the payload")
	}
}

// net/rxbuf/1: without MRG_RXBUF, large receive takes buffers that a large packet fits.
func TestLargeReceiveInOneBuffer(t *testing.T) {
	device := vdev.Config{Offer: vdev.Implemented().Without(virtio.NetMrgRxbuf)}
	r := newRig(t, functionWith(device), Config{Request: largeReceived})
	if f := r.port.Features(); !f.Has(virtio.NetGuestCSUM) || f.Has(virtio.NetGuestTSO4) || f.Has(virtio.NetGuestUSO6) {
		t.Errorf("negotiated %v", f)
	}
	device.Backend = newWire()
	_, err := openPort(newFunction(t, functionWith(device)), Config{Require: largeReceived})
	if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "65589") {
		t.Errorf("large receive in buffers of 2 KiB: %v", err)
	}
	small := functionWith(device)
	small.Device.Backend, small.Device.QueueSize = nil, 16
	r = newRig(t, small, Config{Require: largeReceived,
		Pool: newPool(t, mbuf.Config{Count: 256, DataRoom: 65589})})
	r.wire.deliver(0, frametest.Seq(1, 1514))
	frametest.Equal(t, r.receive(0), [][]byte{frametest.Seq(1, 1514)})
}

// host is a network namespace whose TAP interface is the wire of a port's device.
type host struct {
	*rig
	*netlab.Namespace
}

// newHost makes a host with the address 192.0.2.n and a port with these features.
func newHost(t *testing.T, n int, request, refused virtio.Features) host {
	t.Helper()
	ns, err := netlab.NewNamespace(fmt.Sprint("host ", n), fmt.Sprintf("192.0.2.%d/24", n), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	var tap *wire.TAPDevice
	if err := ns.Do(func() (err error) { tap, err = wire.TAP("tap0"); return err }); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, functionWith(vdev.Config{Backend: tap, Refuse: refused}),
		Config{Require: request, RxQueueSize: 256, TxQueueSize: 256})
	if err := ns.Configure("tap0", 1500); err != nil {
		t.Fatal(err)
	}
	return host{r, ns}
}

// forward passes packets on to the other host as they were received, and returns how many, and
// the length of the longest.
func (h host) forward(to host, bufs []*mbuf.Buf) (n, longest int) {
	n = h.port.RxQueue(0).Burst(bufs)
	for _, b := range bufs[:n] {
		longest = max(longest, b.PacketLen())
		segments, _, counted := b.Coalesced()
		if merged := b.Segmentation() != mbuf.SegmentNone && h.port.Features().Has(virtio.NetRSCExt); counted != merged ||
			counted && segments*b.SegmentSize() < b.PacketLen()-100 {
			h.t.Errorf("a packet of %d bytes, %d in each segment, is %d segments", b.PacketLen(), b.SegmentSize(), segments)
		}
	}
	for left := bufs[:n]; len(left) > 0; {
		left = left[to.port.TxQueue(0).Burst(left):]
	}
	if n == 0 {
		to.port.TxQueue(0).Burst(nil)
	}
	return n, longest
}

// TCP between two Linux hosts passes two ports, of which each side does what the test
// says: in packets of up to 64 KiB that are received in chains and sent as they are or cut
// in software, or with checksums to be completed, by the device or in software. The bytes
// that arrive are those that were sent.
func TestOffloadsWithLinux(t *testing.T) {
	packed, split := virtio.Features{}, virtio.FeatureSet(virtio.RingPacked)
	for name, c := range map[string]struct {
		request virtio.Features
		refused virtio.Features
		longest int // at least, if it is more than a frame
	}{
		"large":              {largeReceived.Or(largeSent), packed, 5000},
		"large,split,hash":   {largeReceived.Or(largeSent).Or(hashReported), split, 5000},
		"large,counted":      {largeReceived.Or(largeSent).With(virtio.NetRSCExt), packed, 5000},
		"large,cut":          {largeReceived, packed, 5000},
		"large,cut,checksum": {largeReceived.Or(checksumSent), split, 5000},
		"checksum":           {checksumReceived.Or(checksumSent), packed, 0},
		"checksum,software":  {checksumReceived, split, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t, 1, c.request, c.refused), newHost(t, 2, c.request, c.refused)
			for _, err := range []error{a.port.Attach(b.port.Pool()), b.port.Attach(a.port.Pool())} {
				if err != nil {
					t.Fatal(err)
				}
			}
			a.dev.Start()
			defer a.dev.Stop()
			b.dev.Start()
			defer b.dev.Stop()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for _, h := range []host{a, b} { // the frames are for the hosts and not for the ports
				if err := h.port.SetPromiscuous(ctx, true); err != nil {
					t.Fatal(err)
				}
			}
			done := make(chan error, 1)
			go func() { done <- netlab.Transfer(ctx, a.Namespace, b.Namespace, 1<<20) }()
			bufs, longest := make([]*mbuf.Buf, 32), 0
			for running := true; running; {
				n, long := a.forward(b, bufs)
				m, longer := b.forward(a, bufs)
				longest = max(longest, long, longer)
				select {
				case err := <-done:
					if err != nil {
						t.Errorf("%v; %+v", err, a.port.Stats())
					}
					running = false
				default:
					if n+m == 0 {
						runtime.Gosched()
					}
				}
			}
			if longest < c.longest || c.longest == 0 && longest != 1514 {
				t.Errorf("the longest packet has %d bytes", longest)
			}
			for _, h := range []host{a, b} {
				s := h.port.Stats()
				if s.RxErrors+s.TxErrors+s.TxDropped != 0 {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}
