package vdev_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
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

func numbered(from, n int) (frames [][]byte) {
	r := rand.New(rand.NewPCG(3, uint64(from)))
	for i := range n {
		frames = append(frames, frameOf(r, from+i))
	}
	return frames
}

// Without buffers a device drops, as a network card does, and counts; with Hold
// and for patient back ends nothing gets lost.
func TestNoBuffers(t *testing.T) {
	for _, hold := range []bool{false, true} {
		a, b := vdev.NewCable()
		p := receiver(t, vdev.Config{Backend: a, Hold: hold, Burst: 8}, 3)
		p.refill()
		want := numbered(0, 8)
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
		a, b := vdev.NewCable()
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

func TestCables(t *testing.T) {
	var cables vdev.Cables
	a, err := cables.End("x")
	if err != nil {
		t.Fatal(err)
	}
	if s := cables.Single(); len(s) != 1 || s[0] != "x" {
		t.Errorf("cables with one end: %v", s)
	}
	b, err := cables.End("x")
	if err != nil {
		t.Fatal(err)
	}
	other, err := cables.End("y")
	if err != nil {
		t.Fatal(err)
	}
	_, err = cables.End("x")
	var e *vdev.CableError
	if !errors.As(err, &e) || e.Name != "x" {
		t.Errorf("third end: %v", err)
	}
	frames := make([][]byte, 4)
	a.Transmit(0, [][]byte{{1}, {2}})
	if other.Receive(0, frames) != 0 || b.Receive(0, frames) != 2 || frames[0][0] != 1 || frames[1][0] != 2 || a.Receive(0, frames) != 0 {
		t.Error("frames went the wrong way")
	}
}

// The numbers of a generator check what they promise to check.
func TestNumbered(t *testing.T) {
	for _, size := range []int{60, 61, 64, 65, 127, 1514, 9014, 65549} {
		g := vdev.Gen(size)
		if err := g.Attach(nil); err != nil {
			t.Fatal(err)
		}
		frames := make([][]byte, 40)
		for pair := range 2 {
			for i := range g.Receive(pair, frames) {
				f := frames[i]
				p, n, ok := vdev.Numbered(f)
				if len(f) != size || p != pair || n != uint64(i) || !ok {
					t.Fatalf("size %d: frame %d of pair %d reads as %d of %d, %v", size, i, pair, n, p, ok)
				}
			}
		}
		f := slices.Clone(frames[7])
		for i := 12; i < len(f); i += 1 + len(f)/500 {
			f[i] ^= 0x10
			if _, _, ok := vdev.Numbered(f); ok {
				t.Errorf("size %d: a fault in byte %d goes unnoticed", size, i)
			}
			f[i] ^= 0x10
		}
		if _, _, ok := vdev.Numbered(f[:len(f)-1]); ok {
			t.Errorf("size %d: a missing byte goes unnoticed", size)
		}
	}
}

func TestNullChecks(t *testing.T) {
	sink := vdev.NullCheck(func(pair int, frame []byte) bool { return pair == 0 && frame[14] != 7 })
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

// A capture that was recorded plays again the same, more than the buffers that
// are there at a time.
func TestCaptureRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.pcap")
	record, err := vdev.Pcap(":" + file)
	if err != nil {
		t.Fatal(err)
	}
	g := newGuest(t, vdev.Config{Backend: record}, 8<<20)
	rx, tx := g.up(split, 64)
	p := newPort(g, 0, 1, rx, tx, 64, 2048)
	want := numbered(0, 300)
	for _, f := range want {
		for !p.send(f) {
		}
		g.d.Poll()
	}
	if err := g.d.Close(); err != nil {
		t.Fatal(err)
	}
	play, err := vdev.Pcap(file)
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

// ngFile is a pcapng file with an interface of a link type and packets.
func ngFile(linkType uint16, packets ...[]byte) []byte {
	block := func(kind uint32, body []byte) []byte {
		for len(body)%4 != 0 {
			body = append(body, 0)
		}
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(body)+12))
		b = append(b, body...)
		return binary.LittleEndian.AppendUint32(b, uint32(len(body)+12))
	}
	file := block(0x0a0d0d0a, []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255})
	file = append(file, block(1, []byte{byte(linkType), byte(linkType >> 8), 0, 0, 0, 0, 1, 0})...)
	for _, p := range packets {
		var head [20]byte
		binary.LittleEndian.PutUint32(head[12:], uint32(len(p)))
		binary.LittleEndian.PutUint32(head[16:], uint32(len(p)))
		file = append(file, block(6, append(head[:], p...))...)
	}
	return file
}

func TestCaptureFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	frames := numbered(0, 3)
	c, err := vdev.OpenCapture(vdev.CaptureConfig{Play: write("ng", ngFile(1, frames[0], []byte{1, 2, 3}, frames[1])), Repeat: true})
	if err != nil || c.Frames() != 2 || c.Skipped() != 1 {
		t.Fatalf("%v, %+v", err, c)
	}
	out := make([][]byte, 5)
	if n := c.Receive(vdev.AnyPair, out); n != 5 || !bytes.Equal(out[4], frames[0]) || !bytes.Equal(out[3], frames[1]) {
		t.Errorf("%d frames, repeated", n)
	}
	for name, text := range map[string]string{
		"missing":    filepath.Join(dir, "nothing"),
		"no capture": write("text", []byte("this is no capture file")),
		"short":      write("short", []byte("ab")),
		"link type":  write("raw", ngFile(101, frames[0])),
		"directory":  ":" + dir,
		"no name":    "",
	} {
		_, err := vdev.Pcap(text)
		var e *vdev.CaptureError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
