package vdev_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// keeper is a wire that keeps copies of what is transmitted, and takes at most room frames.
type keeper struct {
	*wire.Sink
	kept [][]byte
	room int
}

func (k *keeper) Transmit(_ int, frames [][]byte) int {
	n := min(len(frames), k.room)
	for _, f := range frames[:n] {
		k.kept = append(k.kept, bytes.Clone(f))
	}
	k.room -= n
	return n
}

// transmitter is a driver with the transmit offloads on a wire that takes none.
func transmitter(t testing.TB, f virtio.Features, cfg vdev.Config) (*guest, vq, *keeper) {
	t.Helper()
	k := &keeper{Sink: wire.Null(), room: 1 << 20}
	cfg.Backend, cfg.Offer, cfg.Translated = k, vdev.Implemented(), true
	g := newGuest(t, cfg, 8<<20)
	_, tx := g.up(f.Or(transmitFeatures), 16)
	return g, tx, k
}

// transmit sends header and frame in a number of pieces.
func (g *guest) transmit(tx vq, p []byte, pieces int) {
	g.t.Helper()
	addr, b := g.alloc(len(p), 16)
	copy(b, p)
	var list []piece
	for i := range pieces {
		from, to := len(p)*i/pieces, len(p)*(i+1)/pieces
		list = append(list, piece{addr + uint64(from), to - from, false})
	}
	if _, ok := tx.add(false, list...); !ok {
		g.t.Fatal("no room")
	}
	tx.publish()
}

// flows returns all kinds of packets, without their payload.
func flows() []flow {
	var list []flow
	for i := range 1 << 5 {
		f := flow{v6: i&1 != 0, udp: i&2 != 0, vlan: i&4 != 0, options: i&8 != 0, cwr: i&16 != 0}
		if !f.udp || !f.cwr {
			list = append(list, f)
		}
	}
	return list
}

// Segments of random packets have the bytes of the original, and headers and checksums as
// the packet library computes them.
func TestSegments(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, f := range flows() {
		t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) {
			g, tx, k := transmitter(t, packed, vdev.Config{})
			for i := range 12 {
				f.payload, g.brk = 46+random.IntN(20000), 1<<20
				size := 1 + random.IntN(1300)
				switch i {
				case 0:
					f.payload, size = 46, 1
				case 1:
					f.payload, size = 65000, 1300
				case 2:
					f.payload, size = 1000, 1000
				case 3:
					f.payload, size = 500, 1000
				}
				k.kept = nil
				g.transmit(tx, f.offload(t, size), 1+i%4)
				g.d.Poll()
				tx.take()
				f.checkSegments(t, k.kept, size)
			}
			g.clean()
		})
	}
}

// checkSegments compares frames with the packet that they were cut from.
func (f flow) checkSegments(t *testing.T, frames [][]byte, size int) {
	t.Helper()
	whole, hdrLen := f.build(t)
	if want := (f.payload + size - 1) / size; len(frames) != want {
		t.Fatalf("%d bytes in segments of %d: %d frames, want %d", f.payload, size, len(frames), want)
	}
	for i, frame := range frames {
		if want := f.segment(t, whole, hdrLen, i, size); !bytes.Equal(frame, want) {
			t.Fatalf("segment %d of %d is\n%x, want\n%x", i, len(frames), frame, want)
		}
	}
}

// segment is what the packet library makes of segment number i.
func (f flow) segment(t *testing.T, whole []byte, hdrLen, i, size int) []byte {
	t.Helper()
	p := gopacket.NewPacket(whole, layers.LayerTypeEthernet, gopacket.DecodeOptions{})
	payload := whole[hdrLen+i*size : min(hdrLen+(i+1)*size, len(whole))]
	last := (i+1)*size >= f.payload
	var list []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			l.Id += uint16(i)
		case *layers.TCP:
			l.Seq += uint32(i * size)
			l.CWR = l.CWR && i == 0
			l.FIN, l.PSH = l.FIN && last, l.PSH && last
			_ = l.SetNetworkLayerForChecksum(p.NetworkLayer())
		case *layers.UDP:
			_ = l.SetNetworkLayerForChecksum(p.NetworkLayer())
		}
		if l != p.ApplicationLayer() {
			list = append(list, l.(gopacket.SerializableLayer))
		}
	}
	b := gopacket.NewSerializeBuffer()
	list = append(list, gopacket.Payload(payload))
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, list...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[:hdrLen+len(payload)] // the library pads Ethernet frames
}
