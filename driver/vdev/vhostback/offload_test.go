package vhostback_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

const (
	bitCSUM, bitGuestCSUM, bitCtrlOffloads = 0, 1, 2
	bitGuestTSO4, bitGuestTSO6             = 7, 8
	bitHostTSO4, bitHostTSO6, bitHostECN   = 11, 12, 13
	bitGuestUSO4, bitHostUSO, bitHdrLen    = 54, 56, 59
)

// offloadBits are some of what an offloading device offers.
var offloadBits = bits(bitCSUM, bitGuestCSUM, bitGuestTSO4, bitGuestTSO6, bitHostTSO4, bitHostTSO6, bitHostECN,
	bitGuestUSO4, bitHostUSO, bitHdrLen)

// Offloads are offered if the wire passes them on, or if they are asked for; and never
// commands that switch them, for want of a control queue.
func TestOffloadsOfTheWire(t *testing.T) {
	end, far := wire.Cable()
	defer far.Close()
	impaired, err := wire.Impair(wire.Loop(), wire.ImpairConfig{Loss: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg  vdev.Config
		want uint64
	}{
		"loop":     {vdev.Config{Backend: wire.Loop()}, offloadBits},
		"cable":    {vdev.Config{Backend: end}, offloadBits},
		"impaired": {vdev.Config{Backend: impaired}, 0},
		"gen":      {vdev.Config{Backend: wire.Gen(64)}, 0},
		"null":     {vdev.Config{Backend: wire.Null()}, 0},
		"asked":    {vdev.Config{Backend: wire.Null(), Offer: vdev.Implemented()}, offloadBits},
		"refused":  {vdev.Config{Backend: wire.Loop(), Refuse: vdev.Implemented()}, 0},
	} {
		f := newFront(t, vhostback.Config{Device: c.cfg})
		if got := f.askNumber(getFeatures) & (offloadBits | bits(bitCtrlOffloads)); got != c.want {
			t.Errorf("%s: %#x is offered, want %#x", name, got, c.want)
		}
	}
}

// segmented writes a header and a TCP packet of 1000 bytes of payload in segments of 400.
func segmented(b []byte) (n uint32) {
	clear(b[:header+54])
	le, be := binary.LittleEndian, binary.BigEndian
	b[0], b[1] = 1, 1 // NEEDS_CSUM, TCPV4
	le.PutUint16(b[2:], 54)
	le.PutUint16(b[4:], 400)
	le.PutUint16(b[6:], 34)
	le.PutUint16(b[8:], 16)
	frame := b[header : header+54+1000]
	frame[12] = 8
	ip, tcp := frame[14:], frame[34:]
	copy(ip, []byte{0x45, 0, 4, 16, 0, 0, 0, 0, 9, 6, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2})
	sum := 0x4500 + 1040 + 0x0906 + 2*0x0101 + 2*0x0202
	be.PutUint16(ip[10:], ^uint16(sum>>16+sum&0xffff))
	tcp[12] = 0x50
	be.PutUint16(tcp[16:], uint16(2*0x0101+2*0x0202+6+1020))
	for i := range tcp[20:] {
		tcp[20+i] = byte(i)
	}
	return header + 54 + 1000
}

// A packet of a peer that is to be segmented comes out of a cable in segments, if no driver
// is at the other end.
func TestSegmentsOfPeer(t *testing.T) {
	for _, ring := range []uint64{0, bits(bitPacked)} {
		a, b := wire.Cable()
		f := newFront(t, vhostback.Config{Stepped: true, Device: vdev.Config{Backend: a}})
		_, tx := f.up(bits(bitVersion1)|offloadBits|ring, 16)
		f.fence()
		n := segmented(f.mem[buffer(0):])
		tx.add(guestBase+buffer(0), n, 0)
		frames, got := make([][]byte, 8), 0
		f.until("the segments come out", func() bool { got = b.Receive(0, frames); return got > 0 })
		payload := f.mem[buffer(0)+header+54 : buffer(0)+uint64(n)]
		if got != 3 {
			t.Fatalf("%d segments", got)
		}
		for i, frame := range frames[:got] {
			part := payload[400*i : min(400*i+400, 1000)]
			if !bytes.Equal(frame[54:], part) || int(binary.BigEndian.Uint32(frame[38:])) != 400*i {
				t.Errorf("segment %d: %x", i, frame)
			}
		}
		if v := f.back.Device().Violations(); len(v) != 0 {
			t.Errorf("recorded: %v", v)
		}
	}
}

// The same with the features of offloads: the packet is refused.
func TestCVE_2024_11614_ChecksumBehindThePacketWithCSUM(t *testing.T) {
	for _, gso := range []byte{0, 1} {
		a, b := wire.Cable()
		f := newFront(t, vhostback.Config{Stepped: true, Device: vdev.Config{Backend: a}})
		_, tx := f.up(bits(bitVersion1)|offloadBits, 16)
		f.fence()
		n := segmented(f.mem[buffer(0):])
		h := f.mem[buffer(0):]
		h[1] = gso
		for _, v := range []uint16{0, 13, 1053, 0xfff0, 0xffff} {
			binary.LittleEndian.PutUint16(h[6:], v)
			binary.LittleEndian.PutUint16(h[8:], 0xfff0)
			tx.add(guestBase+buffer(0), n, 0)
			f.until("the packet is used", func() bool { _, _, ok := tx.used(); return ok })
		}
		if c := f.back.Counters(); c.TxErrors != 5 || b.Receive(0, make([][]byte, 4)) != 0 {
			t.Errorf("%+v", c)
		}
		if v := f.back.Device().Violations(); len(v) != 1 || v[0].Rule != "net/tx/13" || v[0].Count != 5 {
			t.Errorf("recorded: %v", v)
		}
	}
}
