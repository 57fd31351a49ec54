package vdev_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// receiveFeatures are all receive offloads.
var receiveFeatures = virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6,
	virtio.NetGuestECN, virtio.NetGuestUSO4, virtio.NetGuestUSO6)

// joined returns a driver with the transmit offloads and one with the features f, whose
// receive buffers have a size, at the two ends of a cable.
func joined(t *testing.T, f virtio.Features, buffers, size int, cfg vdev.Config) (a *guest, tx vq, b *port) {
	t.Helper()
	near, far := wire.Cable()
	a = newGuest(t, vdev.Config{Backend: near, Translated: true}, 8<<20)
	_, tx = a.up(packed.Or(transmitFeatures), 16)
	cfg.Backend, cfg.Translated = far, true
	g := newGuest(t, cfg, 16<<20)
	rx, tx2 := g.up(f, 256)
	b = newPort(g, 0, 1, rx, tx2, buffers, size)
	b.refill()
	return a, tx, b
}

// Large packets and incomplete checksums pass a cable as they are to a driver that takes
// them, in one buffer or in many.
func TestLargeReceive(t *testing.T) {
	for name, c := range map[string]struct {
		f       virtio.Features
		buffers int
		size    int
		cfg     vdev.Config
	}{
		"many buffers":        {split.With(virtio.NetMrgRxbuf), 200, 500, vdev.Config{}},
		"many buffers packed": {packed.With(virtio.NetMrgRxbuf), 200, 2048, vdev.Config{}},
		"IN_ORDER":            {packed.With(virtio.NetMrgRxbuf).With(virtio.InOrder), 200, 2048, vdev.Config{}},
		"out of order":        {packed.With(virtio.NetMrgRxbuf), 200, 2048, vdev.Config{OutOfOrder: true}},
		"one buffer":          {packed, 4, 65601, vdev.Config{}},
		"one buffer, split":   {split, 4, 65601, vdev.Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			a, tx, b := joined(t, c.f.Or(receiveFeatures), c.buffers, c.size, c.cfg)
			for _, f := range flows() {
				f.payload = 20000
				if f == (flow{payload: 20000}) {
					f.payload = 65535 - 40 // the largest packet
				}
				for _, size := range []int{0, 1000} {
					if a.brk = 1 << 20; size == 0 {
						f.payload = 1000
					}
					p := f.offload(t, size)
					a.transmit(tx, p, 3)
					a.d.Poll()
					tx.take()
					b.g.d.Poll()
					got := b.recvPacket()
					if got == nil {
						t.Fatalf("%+v did not arrive: %+v", f, b.g.d.Stats())
					}
					binary.LittleEndian.PutUint16(got[virtio.NetHeaderNumBuffers:], 0)
					if !bytes.Equal(got, p) {
						t.Fatalf("%+v: %x, want %x", f, got[:80], p[:80])
					}
					b.refill()
				}
			}
			a.clean()
			b.g.clean()
		})
	}
}

// With RSC_EXT a large packet says how many segments it stands for in place of where its
// checksum is, and nothing else changes (x/net/rsc).
func TestSegmentCounts(t *testing.T) {
	for name, ring := range map[string]virtio.Features{"split": split, "packed": packed} {
		t.Run(name, func(t *testing.T) {
			features := ring.Or(receiveFeatures).Or(transmitFeatures).With(virtio.NetMrgRxbuf).With(virtio.NetRSCExt)
			a, tx, b := joined(t, features, 200, 2048, vdev.Config{})
			for _, f := range flows() {
				for payload, want := range map[int]uint16{1000: 0, 1001: 2, 20000: 20, 20001: 21} {
					f.payload = payload
					size := 1000
					if want == 0 {
						size = 0
					}
					a.brk = 1 << 20
					p := f.offload(t, size)
					a.transmit(tx, p, 3)
					a.d.Poll()
					tx.take()
					b.g.d.Poll()
					got := b.recvPacket()
					if got == nil {
						t.Fatalf("%+v did not arrive: %+v", f, b.g.d.Stats())
					}
					if want != 0 {
						p[virtio.NetHeaderFlags] |= virtio.NetHeaderRSCInfo
						binary.LittleEndian.PutUint16(p[virtio.NetHeaderCsumStart:], want)
						binary.LittleEndian.PutUint16(p[virtio.NetHeaderCsumOffset:], 0)
					}
					binary.LittleEndian.PutUint16(got[virtio.NetHeaderNumBuffers:], 0)
					if !bytes.Equal(got, p) {
						t.Fatalf("%+v: %x, want %x", f, got[:80], p[:80])
					}
					b.refill()
				}
			}
			a.clean()
			b.g.clean()
		})
	}
}

// With HASH_REPORT headers have 20 bytes in both directions, with the offload in the first
// of them.
func TestLongHeaders(t *testing.T) {
	for _, ring := range []virtio.Features{split, packed} {
		f := ring.Or(receiveFeatures).Or(transmitFeatures).With(virtio.NetCtrlVQ).With(virtio.NetHashReport)
		for _, buffer := range []int{2048, 65608, 65609} {
			if f = f.With(virtio.NetMrgRxbuf); buffer != 2048 {
				f = f.Without(virtio.NetMrgRxbuf)
			}
			g := newGuest(t, vdev.Config{Backend: wire.Loop(), Translated: true}, 8<<20)
			rx, tx := g.up(f, 64)
			p := newPort(g, 0, 1, rx, tx, 40, buffer)
			p.refill()
			for _, size := range []int{0, 1000} {
				sent := flow{payload: 1000 + 40*size}.offload(t, size)
				sent = slices.Insert(sent, virtio.NetHeaderLen, make([]byte, 8)...)
				g.transmit(tx, sent, 4)
				g.d.Poll()
				got := p.recvPacket()
				if got == nil {
					t.Fatalf("nothing arrived: %+v", g.d.Stats())
				}
				binary.LittleEndian.PutUint16(got[virtio.NetHeaderNumBuffers:], 0)
				if !bytes.Equal(got, sent) {
					t.Errorf("%x, want %x", got[:80], sent[:80])
				}
			}
			if buffer == 65608 {
				g.wantRules("net/rxbuf/1")
			} else {
				g.clean()
			}
		}
	}
}

// What the receiving driver does not take is completed and cut before, also when it
// switches an offload off while packets are under way.
func TestReceiveWithoutOffloads(t *testing.T) {
	for _, f := range flows() {
		a, tx, b := joined(t, packed.With(virtio.NetMrgRxbuf).Or(receiveFeatures), 200, 2048, vdev.Config{})
		f.payload = 5000
		p := f.offload(t, 1000)
		arrive := func(what string, valid bool) {
			t.Helper()
			var frames [][]byte
			for b.g.d.Poll() > 0 {
			}
			for q := b.recvPacket(); q != nil; q = b.recvPacket() {
				if flags := q[0]; (flags == virtio.NetHeaderDataValid) != valid || q[1] != 0 {
					t.Errorf("%s: header %x", what, q[:12])
				}
				frames = append(frames, q[virtio.NetHeaderLen:])
			}
			f.checkSegments(t, frames, 1000)
			b.refill()
		}
		send := func() {
			a.transmit(tx, p, 1)
			a.d.Poll()
			tx.take()
		}
		send()
		b.g.d.SetReceiveOffloads(virtio.FeatureSet(virtio.NetGuestCSUM))
		arrive("switched off under way", true)
		if s := b.g.d.Stats(); s.RxSegments != 5 || a.d.Stats().TxSegments != 0 {
			t.Errorf("the receiver did not cut: %+v", s)
		}
		send()
		arrive("segmentation off", true)
		b.g.d.SetReceiveOffloads(virtio.Features{})
		send()
		arrive("all off", false)
		if s := b.g.d.Stats(); s.RxSegments != 5 || a.d.Stats().TxSegments != 10 {
			t.Errorf("the sender did not cut: %+v", s)
		}

		f.payload = 1000
		b.g.d.SetReceiveOffloads(receiveFeatures)
		p = f.offload(t, 0)
		send()
		b.g.d.SetReceiveOffloads(virtio.Features{})
		arrive("checksum under way", false)
		send()
		arrive("checksum", false)
		a.clean()
		b.g.clean()
	}
}

// With GUEST_CSUM a device says which packets it found to be right.
func TestDataValid(t *testing.T) {
	end, far := wire.Cable()
	g := newGuest(t, vdev.Config{Backend: far, Translated: true}, 4<<20)
	rx, tx := g.up(packed.With(virtio.NetGuestCSUM), 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	p.refill()
	check := func(what string, frame []byte, want byte) {
		t.Helper()
		end.Transmit(0, [][]byte{frame})
		g.d.Poll()
		if got := p.recvPacket(); got == nil || got[0] != want || !bytes.Equal(got[12:], frame) {
			t.Errorf("%s: %x", what, got[:12])
		}
		p.refill()
	}
	for _, f := range flows() {
		f.payload = 501
		frame, hdrLen := f.build(t)
		check("right", frame, virtio.NetHeaderDataValid)
		check("padded", append(bytes.Clone(frame), 1, 2, 3), virtio.NetHeaderDataValid)
		frame[len(frame)-1]++
		check("wrong", frame, 0)
		if frame[len(frame)-1]--; f.udp && !f.v6 {
			binary.BigEndian.PutUint16(frame[hdrLen-2:], 0)
			check("without a checksum", frame, 0)
		}
		check("cut off", frame[:hdrLen-1], 0)
	}
	g.clean()
}

// A driver whose buffers are too small for large packets is told so.
func TestLargeBufferRule(t *testing.T) {
	for n, rules := range map[int][]string{65600: {"net/rxbuf/1"}, 65601: nil} {
		g := newGuest(t, vdev.Config{Backend: wire.Loop(), Translated: true}, 1<<20)
		rx, tx := g.up(packed.Or(receiveFeatures), 16)
		post(n, true)(g, rx, tx)
		tx.add(false, good(g))
		tx.publish()
		g.d.Poll()
		g.wantRules(rules...)
	}
}

// Packets that are cut wait for buffers, and those that do not wait are dropped and
// counted.
func TestCutWithoutBuffers(t *testing.T) {
	f := flow{payload: 5000}
	for _, hold := range []bool{true, false} {
		a, tx, b := joined(t, packed.With(virtio.NetMrgRxbuf).Or(receiveFeatures), 3, 2048, vdev.Config{Hold: hold})
		a.transmit(tx, f.offload(t, 1000), 1)
		a.d.Poll()
		b.g.d.SetReceiveOffloads(virtio.FeatureSet(virtio.NetGuestCSUM))
		var frames [][]byte
		for range 3 {
			b.g.d.Poll()
			for q := b.recv(); q != nil; q = b.recv() {
				frames = append(frames, q)
			}
			b.refill()
		}
		s := b.g.d.Stats()
		if hold {
			f.checkSegments(t, frames, 1000)
		} else if len(frames) != 3 || s.RxDropped != 2 {
			t.Errorf("%d frames arrived: %+v", len(frames), s)
		}
		if s.RxSegments != 5 || s.RxFrames != uint64(len(frames)) {
			t.Errorf("%+v", s)
		}
		b.g.clean()
	}
}

// A back end that takes a part of a packet gets the rest later with Hold; otherwise
// the packet is dropped and counted.
func TestPartlyTransmitted(t *testing.T) {
	for _, ring := range []virtio.Features{split, packed, packed.With(virtio.InOrder)} {
		g, tx, k := transmitter(t, ring, vdev.Config{Hold: true})
		f := flow{payload: 5000}
		k.room = 0
		for range 3 {
			g.transmit(tx, f.offload(t, 1000), 2)
		}
		for turn := range 30 {
			k.room = turn % 2
			g.d.Poll()
			if _, _, used := tx.take(); used != (len(k.kept) > 0 && len(k.kept)%5 == 0 && turn%2 == 1) {
				t.Fatalf("turn %d: %d frames, used %v", turn, len(k.kept), used)
			}
		}
		for i := range 3 {
			f.checkSegments(t, k.kept[5*i:5*i+5], 1000)
		}
		if s := g.d.Stats(); s.TxFrames != 3 || s.TxDropped != 0 || s.TxBytes != 3*5054 {
			t.Errorf("%+v", s)
		}
		g.clean()
	}
	g, tx, k := transmitter(t, packed, vdev.Config{})
	k.room = 7
	for range 3 {
		g.transmit(tx, flow{payload: 5000}.offload(t, 1000), 1)
	}
	g.d.Poll()
	if s := g.d.Stats(); s.TxFrames != 1 || s.TxDropped != 2 || len(k.kept) != 7 {
		t.Errorf("%d frames: %+v", len(k.kept), s)
	}
	if n, bytes := g.d.TxDrops(); n != 2 || bytes != 2*5054 {
		t.Errorf("%d packets of %d bytes dropped", n, bytes)
	}
	g.clean()
}

// A test of a driver has a device write headers that are wrong.
func TestWrongHeaders(t *testing.T) {
	g := newGuest(t, vdev.Config{Backend: wire.Loop(), Translated: true}, 1<<20)
	rx, tx := g.up(packed.With(virtio.NetGuestCSUM), 16)
	g.d.SetFaults(vdev.Faults{RxHeader: func(h []byte) {
		for i := range h {
			h[i] = 0xff
		}
	}})
	p := newPort(g, 0, 1, rx, tx, 16, 2048)
	p.refill()
	p.send(make([]byte, 60))
	g.d.Poll()
	want := append(bytes.Repeat([]byte{0xff}, 10), 1, 0)
	if got := p.recvPacket(); !bytes.Equal(got, append(want, make([]byte, 60)...)) {
		t.Errorf("%x", got)
	}
	g.d.SetFaults(vdev.Faults{})
	p.refill()
	p.send(make([]byte, 60))
	g.d.Poll()
	if got := p.recvPacket(); !bytes.Equal(got[:10], make([]byte, 10)) {
		t.Errorf("%x", got)
	}
	g.clean()
}

// What comes from a wire as a large packet and is none is dropped and counted; one with a
// complete checksum gets to the driver without it.
func TestLargeFromWire(t *testing.T) {
	near, far := wire.Cable()
	g := newGuest(t, vdev.Config{Backend: far, Translated: true}, 4<<20)
	rx, tx := g.up(packed.With(virtio.NetMrgRxbuf).Or(receiveFeatures), 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	for _, f := range flows() {
		p.refill()
		f.payload = 3000
		frame, _ := f.build(t)
		large := vdev.Offload{GSOType: f.gso(), GSOSize: 1000}
		wrong := []vdev.Offload{
			{Flags: virtio.NetHeaderNeedsCsum, CsumStart: uint16(len(frame)) - 1},
			{GSOType: f.gso()}, {GSOType: virtio.GSOUDP, GSOSize: 1000}, {GSOType: 2, GSOSize: 1000},
		}
		dropped := g.d.Stats().RxDropped
		near.TransmitOffloads(0, [][]byte{frame, frame, frame, frame, frame}, append(wrong, large))
		g.d.Poll()
		got := p.recvPacket()
		if got == nil || p.recvPacket() != nil || g.d.Stats().RxDropped != dropped+uint64(len(wrong)) {
			t.Fatalf("%+v: %+v", f, g.d.Stats())
		}
		binary.LittleEndian.PutUint16(got[virtio.NetHeaderNumBuffers:], 0)
		if want := f.offload(t, 1000); !bytes.Equal(got, want) {
			t.Errorf("%+v: %x, want %x", f, got[:90], want[:90])
		}
	}
	g.clean()
}

// What a driver switches on and off by command reaches the other end of a cable, and a
// reset ends it.
func TestOffloadsAreSwitched(t *testing.T) {
	byFormat(t, allCtrl.With(virtio.NetMrgRxbuf).Or(receiveFeatures), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		takes := func(want virtio.Features) {
			t.Helper()
			if got := r.peer.(vdev.OffloadBackend).Takes(); got != want {
				t.Errorf("taken: %v, want %v", got, want)
			}
		}
		takes(receiveFeatures)
		some := virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO6)
		for _, set := range []virtio.Features{some, {}, receiveFeatures, some} {
			r.do(virtio.CtrlGuestOffloads, virtio.CtrlGuestOffloadsSet, le64(set[0])...)
			takes(set)
		}
		r.d.SetStatus(0)
		takes(virtio.Features{})
		r.clean()
	})
}

// A capture file has the segments, as a network would.
func TestRecordedSegments(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out.pcap")
	w, err := wire.PCAP(":" + name)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, vdev.Config{Backend: w, Offer: vdev.Implemented(), Translated: true}, 4<<20)
	_, tx := g.up(packed.Or(transmitFeatures), 16)
	f := flow{payload: 5000}
	g.transmit(tx, f.offload(t, 1000), 1)
	g.d.Poll()
	if err := g.d.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := pcapgo.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	for b, _, err := r.ReadPacketData(); err == nil; b, _, err = r.ReadPacketData() {
		frames = append(frames, b)
	}
	f.checkSegments(t, frames, 1000)
}
