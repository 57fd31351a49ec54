package traffic

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// captured writes frames of different lengths into a file, and returns them with their
// times.
func captured(t testing.TB, name string, n int) (file string, frames [][]byte, times []int64) {
	t.Helper()
	file = filepath.Join(t.TempDir(), name)
	c, err := NewCapture(file)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	at := int64(1_700_000_000_000_000_123)
	for range n {
		frame := make([]byte, 42+r.IntN(1472))
		for i := range frame {
			frame[i] = byte(r.Uint32())
		}
		frames, times = append(frames, frame), append(times, at)
		c.Add(time.Unix(0, at), frame)
		at += r.Int64N(2_000_000)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return file, frames, times
}

// TestReplay: the frames of a file are sent byte for byte, over and over again, at exactly
// the distances in time that they have in it.
func TestReplay(t *testing.T) {
	for _, name := range []string{"x.pcap", "x.pcapng"} {
		file, frames, times := captured(t, name, 300)
		r, err := OpenReplay(Playback{File: file, Loops: 2}, Options{ID: 9, MaxLen: 1514})
		if err != nil {
			t.Fatal(err)
		}
		want := make([]int64, len(times))
		total := 0
		for i := range times {
			want[i] = times[i] - times[0]
			total += len(frames[i])
		}
		if got := r.Times(); !slices.Equal(got, want) {
			t.Errorf("%s: times %v", name, got[:5])
		}
		if n, why := r.Skipped(); n != 0 || why != "" || r.Frames() != 300 || r.OutOfOrder() != 0 || r.ID() != 9 || r.MeanLen() != float64(total)/300 {
			t.Errorf("%s: %d frames, %d skipped", name, r.Frames(), n)
		}
		p := r.Pattern()
		if p.Kind != pace.Recorded || !slices.Equal(p.Times, want) || p.Count != 2 || p.Gap != time.Duration(want[299]/299) || p.Check() != nil {
			t.Errorf("%v, gap %v", p, p.Gap)
		}
		cache := pool(t, 64, 0).NewCache(32)
		bufs := make([]*mbuf.Buf, 50)
		for round := range 14 {
			cache.Get(bufs)
			sum := r.Fill(bufs, 0)
			for i, b := range bufs {
				if f := frames[(round*50+i)%300]; !bytes.Equal(b.Data(), f) {
					t.Fatalf("%s: frame %d differs", name, round*50+i)
				} else {
					sum -= len(f)
				}
			}
			if sum != 0 {
				t.Errorf("off by %d bytes", sum)
			}
			cache.Put(bufs)
		}
		cache.Close()
	}
}

// TestReplaySpeed: at twice the speed times are half as long.
func TestReplaySpeed(t *testing.T) {
	file, _, times := captured(t, "x.pcap", 50)
	for _, speed := range []float64{2, 0.5, 1000} {
		r, err := OpenReplay(Playback{File: file, Speed: speed}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range r.Times() {
			if exact := float64(times[i]-times[0]) / speed; float64(at) < exact-1 || float64(at) > exact+1 {
				t.Fatalf("speed %v: frame %d at %d, want %v", speed, i, at, exact)
			}
		}
	}
	for loops, want := range map[uint64]pace.Pattern{0: {}, 3: pace.Burst(150)} {
		r, err := OpenReplay(Playback{File: file, Timing: "rate", Loops: loops}, Options{})
		if err != nil || r.Times() != nil || !reflect.DeepEqual(r.Pattern(), want) {
			t.Errorf("at a rate: %+v, %v", r.Pattern(), err)
		}
	}
}

// TestReplayOutOfOrder: a frame with a time before that of the one in front of it is sent
// with that one, and counted.
func TestReplayOutOfOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.pcap")
	c, err := NewCapture(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{100, 300, 200, 400} {
		c.Add(time.Unix(1, at), make([]byte, 60))
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReplay(Playback{File: file}, Options{})
	if err != nil || r.OutOfOrder() != 1 || !slices.Equal(r.Times(), []int64{0, 200, 200, 300}) {
		t.Errorf("%v, %v", r, err)
	}
}

// TestReplayRefuses: what cannot be sent is named, with the number of the frame.
func TestReplayRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var raw, cut, long, empty bytes.Buffer
	w := pcapgo.NewWriter(&raw)
	_ = w.WriteFileHeader(65535, layers.LinkTypeRaw)
	_ = pcapgo.NewWriter(&empty).WriteFileHeader(65535, layers.LinkTypeEthernet)
	w = pcapgo.NewWriter(&cut)
	_ = w.WriteFileHeader(65535, layers.LinkTypeEthernet)
	_ = w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: 60, Length: 100}, make([]byte, 60))
	w = pcapgo.NewWriter(&long)
	_ = w.WriteFileHeader(65535, layers.LinkTypeEthernet)
	for _, n := range []int{60, 1514, 1515, 60} {
		_ = w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, 0), CaptureLength: n, Length: n}, make([]byte, n))
	}
	for _, c := range []struct {
		file string
		says string
	}{
		{filepath.Join(dir, "none"), "none: it cannot be read: no such file"},
		{dir, "is a directory"},
		{write("text", []byte("hello, world")), "it is no capture file"},
		{write("nothing", nil), "it is no capture file: it is too short"},
		{write("raw", raw.Bytes()), "its link type is Raw (101); only Ethernet can be played"},
		{write("empty", empty.Bytes()), "it has no frames; use another file"},
		{write("cut", cut.Bytes()), "it has no whole Ethernet frame: 1 captured shorter than sent; capture whole frames"},
		{write("long", long.Bytes()), "frame 3: 1515 bytes are more than the 1514 of the longest frame that the port sends; use a greater MTU"},
	} {
		_, err := OpenReplay(Playback{File: c.file}, Options{MaxLen: 1514})
		if err == nil || !strings.HasPrefix(err.Error(), "file: "+c.file) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v\nwant ... %s", err, c.says)
		}
	}
	s, err := Parse(filepath.Join(dir, "s.yaml"), []byte("streams:\n- name: a\n  replay:\n    file: long\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "s.yaml") + ":4: streams[0].replay.file: " + filepath.Join(dir, "long") + ": frame 3: 1515 bytes"
	if _, err = s.OpenReplay(0, Options{MaxLen: 1514}); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// FuzzReplay: no file makes reading it fail otherwise than by an error, and what it takes
// has frames within the limits, at times that do not go back.
func FuzzReplay(f *testing.F) {
	for _, name := range []string{"x.pcap", "x.pcapng"} {
		file, _, _ := captured(f, name, 3)
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1 && data[0] == 0x1f {
			return // compressed files can be as long as they like
		}
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := OpenReplay(Playback{File: file}, Options{MaxLen: 1514})
		if err != nil {
			return
		}
		if times := r.Times(); len(times) != r.Frames() || times[0] != 0 || !slices.IsSorted(times) {
			t.Fatalf("times %v", times)
		}
		frame := make([]byte, r.MaxLen())
		for range r.Frames() {
			if n := r.Next(frame, 0); n < r.MinLen() || n > 1514 {
				t.Fatalf("%d bytes", n)
			}
		}
	})
}
