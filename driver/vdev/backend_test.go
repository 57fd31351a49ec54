package vdev_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// receiver is a device with a wire and a driver that only receives.
func receiver(t *testing.T, cfg vdev.Config, buffers int) *port {
	g := newGuest(t, cfg, 8<<20)
	rx, tx := g.up(split, 256)
	return newPort(g, 0, 1, rx, tx, buffers, 2048)
}

func (p *port) receiveAll() (frames [][]byte) {
	for f := p.recv(); f != nil; f = p.recv() {
		frames = append(frames, f)
	}
	return frames
}

// Without buffers a device drops, as a network card does, and counts; with Hold
// and for lossless back ends no frame is lost.
func TestNoBuffers(t *testing.T) {
	for _, hold := range []bool{false, true} {
		a, b := wire.Cable()
		p := receiver(t, vdev.Config{Backend: a, Hold: hold, Burst: 8}, 3)
		p.refill()
		want := frametest.Series(0, 8)
		if n := b.Transmit(0, want); n != 8 {
			t.Fatalf("the cable took %d frames", n)
		}
		p.g.d.Poll()
		got := p.receiveAll()
		for p.g.d.Poll() > 0 || len(p.rxFree) > 0 {
			p.refill()
			p.g.d.Poll()
			got = append(got, p.receiveAll()...)
			if len(got) >= 8 || !hold {
				break
			}
		}
		if !hold {
			want = want[:3]
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("hold %v: %d frames arrived", hold, len(got))
		}
		if n := p.g.d.Stats().RxDropped; n != map[bool]uint64{false: 5}[hold] {
			t.Errorf("hold %v: %d frames counted as dropped", hold, n)
		}
		p.g.clean()
	}
}

// A full cable drops what a device transmits, or holds it in the ring.
func TestFullCable(t *testing.T) {
	for _, hold := range []bool{false, true} {
		a, b := wire.Cable()
		g := newGuest(t, vdev.Config{Backend: a, Hold: hold}, 8<<20)
		_, tx := g.up(packed, 256)
		s := &sender{g, tx, good(g)}
		for range 5 {
			s.add(256)
			for g.d.Poll() > 0 {
			}
			s.takeAll()
			if hold && len(tx.(*packedVQ).slots) > 0 {
				break
			}
		}
		want := map[bool]uint64{false: 1280 - 1024}[hold]
		if st := g.d.Stats(); st.TxFrames != 1024 || st.TxDropped != want {
			t.Errorf("hold %v: %+v", hold, st)
		}
		received := 0
		frames := make([][]byte, 64)
		for n := b.Receive(vdev.AnyPair, frames); n > 0 || g.d.Poll() > 0; n = b.Receive(vdev.AnyPair, frames) {
			received += n
		}
		s.takeAll()
		if outstanding := len(tx.(*packedVQ).slots); outstanding != 0 || received != map[bool]int{false: 1024, true: 1280}[hold] {
			t.Errorf("hold %v: %d frames arrived, %d buffers outstanding", hold, received, outstanding)
		}
		g.clean()
	}
}

func TestNullChecks(t *testing.T) {
	sink := wire.NullCheck(func(pair int, frame []byte) bool { return pair == 0 && frame[14] != 7 })
	g := newGuest(t, vdev.Config{Backend: sink}, 1<<20)
	_, tx := g.up(split, 16)
	for i := range 10 {
		f := make([]byte, 60)
		f[14] = byte(i)
		addr, b := g.alloc(72, 8)
		tx.add(false, piece{addr, copy(b, packet(f)), false})
	}
	tx.publish()
	g.d.Poll()
	if sink.Frames() != 10 || sink.Bytes() != 600 || sink.Wrong() != 1 {
		t.Errorf("%d frames, %d bytes, %d wrong", sink.Frames(), sink.Bytes(), sink.Wrong())
	}
}

// A recorded capture plays the same frames again, also more than there are buffers.
func TestCaptureRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.pcap")
	record, err := wire.PCAP(":" + file)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, vdev.Config{Backend: record}, 8<<20)
	rx, tx := g.up(split, 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	want := frametest.Series(0, 300)
	for _, f := range want {
		for !p.send(f) {
		}
		g.d.Poll()
	}
	if err := g.d.Close(); err != nil {
		t.Fatal(err)
	}
	play, err := wire.PCAP(file)
	if err != nil || play.Frames() != 300 || play.Skipped() != 0 {
		t.Fatalf("%v, %d frames", err, play.Frames())
	}
	q := receiver(t, vdev.Config{Backend: play}, 10)
	var got [][]byte
	for range 100 {
		q.refill()
		q.g.d.Poll()
		got = append(got, q.receiveAll()...)
	}
	if !slices.EqualFunc(got, want, bytes.Equal) || play.Played() != 300 {
		t.Errorf("%d frames arrived, %d played", len(got), play.Played())
	}
}
