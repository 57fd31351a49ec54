package driver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

// wrongHeaders are what a device writes that no conforming one does.
var wrongHeaders = map[string]func(h []byte, random *rand.Rand){
	"csum_start outside": func(h []byte, r *rand.Rand) {
		h[0] = virtio.NetHeaderNeedsCsum
		binary.LittleEndian.PutUint16(h[virtio.NetHeaderCsumStart:], 0xffff-uint16(r.IntN(100)))
	},
	"csum_offset outside": func(h []byte, r *rand.Rand) {
		h[0] = virtio.NetHeaderNeedsCsum
		binary.LittleEndian.PutUint16(h[virtio.NetHeaderCsumStart:], 34)
		binary.LittleEndian.PutUint16(h[virtio.NetHeaderCsumOffset:], 0xffff-uint16(r.IntN(100)))
	},
	"both flags, no length": func(h []byte, _ *rand.Rand) {
		h[0] = virtio.NetHeaderNeedsCsum | virtio.NetHeaderDataValid
	},
	"gso_size 0":       func(h []byte, _ *rand.Rand) { h[0], h[1] = virtio.NetHeaderNeedsCsum, virtio.GSOTCPv4 },
	"unknown gso_type": func(h []byte, r *rand.Rand) { h[1] = 6 + byte(r.IntN(100)); h[4] = 100 },
	"gso without checksum": func(h []byte, _ *rand.Rand) {
		h[1], h[4] = virtio.GSOTCPv4, 100
	},
	"hdr_len of nothing and everything": func(h []byte, r *rand.Rand) {
		h[0], h[1], h[4], h[6], h[8] = virtio.NetHeaderNeedsCsum, virtio.GSOTCPv4, 100, 34, 16
		binary.LittleEndian.PutUint16(h[virtio.NetHeaderHdrLen:], uint16(r.IntN(2)*0xffff))
	},
	"ones": func(h []byte, _ *rand.Rand) {
		for i := range h {
			h[i] = 0xff
		}
	},
	"csum_start in the Ethernet header": func(h []byte, r *rand.Rand) {
		h[0], h[6], h[8] = virtio.NetHeaderNeedsCsum, byte(r.IntN(14)), 16
	},
	"segments of nothing": func(h []byte, r *rand.Rand) {
		h[0], h[1] = virtio.NetHeaderRSCInfo|byte(r.IntN(4)), virtio.GSOTCPv4
		binary.LittleEndian.PutUint32(h[virtio.NetHeaderCsumStart:], r.Uint32()&r.Uint32()&r.Uint32())
	},
	"random": func(h []byte, r *rand.Rand) {
		for i := range h {
			h[i] = byte(r.Uint32()) & byte(r.Uint32())
		}
	},
}

// Whatever a device writes into headers, the port lives and loses no buffer. What it
// received can be sent by another port without breaking a rule there, apart from a checksum
// that is to be completed in the wrong place inside the packet.
func TestWrongHeaders(t *testing.T) {
	for name, wrong := range wrongHeaders {
		for format, refused := range map[string]virtio.Features{"packed": {}, "split": virtio.FeatureSet(virtio.RingPacked)} {
			t.Run(name+"/"+format, func(t *testing.T) {
				offer := vdev.Config{Offer: vdev.Implemented(), Refuse: refused}
				const packets = 60
				random := rand.New(rand.NewPCG(1, 2))
				all := largeReceived.Or(largeSent).With(virtio.NetRSCExt)
				config := Config{Request: all, RxQueueSize: 256, TxQueueSize: 256}
				in, out := newRig(t, pcifn.Config{Device: offer}, config), newRig(t, pcifn.Config{Device: offer}, config)
				if err := out.port.Attach(in.port.Pool()); err != nil {
					t.Fatal(err)
				}
				in.dev.SetFaults(vdev.Faults{RxHeader: func(h []byte) { wrong(h[:virtio.NetHeaderLen], random) }})
				bufs, received := make([]*mbuf.Buf, 32), 0
				for i := range packets {
					p := inettest.Packet{V6: i%3 == 0, UDP: i%2 == 0, Payload: frametest.Seq(i, 200+i)}
					in.wire.deliver(0, p.Frame())
					in.settle()
					n := in.port.RxQueue(0).Burst(bufs)
					for _, b := range bufs[:n] {
						start, offset, partial := b.PartialChecksum()
						if partial && (start < 0 || start+offset+2 > b.PacketLen()) || b.Segmentation() != mbuf.SegmentNone && b.SegmentSize() == 0 {
							t.Fatalf("a packet of %d bytes has %d, %d, %v of %d", b.PacketLen(), start, offset, b.Segmentation(), b.SegmentSize())
						}
					}
					sent := 0
					if name != "random" { // a checksum in the wrong place of the packet is passed on
						sent = out.port.TxQueue(0).Burst(bufs[:n])
					}
					mbuf.Free(bufs[sent:n])
					out.settle()
					out.port.TxQueue(0).Burst(nil)
					received += n
				}
				s := in.port.Stats()
				if received+int(s.RxErrors) != packets {
					t.Errorf("%d packets received: %+v", received, s)
				}
				in.dev.SetFaults(vdev.Faults{})
				if err := rightAgain(in); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// rightAgain has a port receive a packet from a device that writes what it should.
func rightAgain(r *rig) error {
	want := inettest.Packet{Payload: frametest.Seq(1, 300)}.Frame()
	r.wire.deliver(0, want)
	if got := r.receive(0); len(got) != 1 || string(got[0]) != string(want) {
		return fmt.Errorf("%d packets arrived from a device that does nothing wrong any more", len(got))
	}
	return nil
}
