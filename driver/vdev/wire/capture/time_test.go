package capture

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// times returns the times of the frames of a file.
func times(t *testing.T, file []byte) (list []Frame) {
	t.Helper()
	r := Reader{Frame: func(f Frame) error {
		list = append(list, f)
		return nil
	}}
	if err := r.Read(bytes.NewReader(file)); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestTimes: times are read exactly as the packet library writes them.
func TestTimes(t *testing.T) {
	want := []int64{0, 1, 999_999_999, 1_700_000_000_123_456_789, 1_700_000_000_123_456_790}
	frame := make([]byte, 60)
	info := func(at int64) gopacket.CaptureInfo {
		return gopacket.CaptureInfo{Timestamp: time.Unix(0, at), CaptureLength: 60, Length: 60}
	}
	var nano, micro, ng bytes.Buffer
	w, v := pcapgo.NewWriterNanos(&nano), pcapgo.NewWriter(&micro)
	n, err := pcapgo.NewNgWriter(&ng, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	_ = w.WriteFileHeader(65535, layers.LinkTypeEthernet)
	_ = v.WriteFileHeader(65535, layers.LinkTypeEthernet)
	for _, at := range want {
		for _, write := range []func(gopacket.CaptureInfo, []byte) error{w.WritePacket, v.WritePacket, n.WritePacket} {
			if err := write(info(at), frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = n.Flush()
	for name, c := range map[string]struct {
		file []byte
		unit int64
	}{"pcap with nanoseconds": {nano.Bytes(), 1}, "pcap with microseconds": {micro.Bytes(), 1000}, "pcapng": {ng.Bytes(), 1}} {
		got := times(t, c.file)
		if len(got) != len(want) {
			t.Fatalf("%s: %d frames", name, len(got))
		}
		for i, f := range got {
			if w := want[i] / c.unit * c.unit; f.Time != w || !f.HasTime || f.Record != i+1 {
				t.Errorf("%s: record %d at %d, want %d", name, f.Record, f.Time, w)
			}
		}
	}
}

// TestResolutions reads times of pcapng interfaces that count otherwise.
func TestResolutions(t *testing.T) {
	for _, c := range []struct {
		name       string
		resolution byte
		offset     int64
		time       uint64
		want       int64
	}{
		{"seconds", 0, 0, 7, 7e9},
		{"milliseconds", 3, 0, 1500, 1_500_000_000},
		{"picoseconds", 12, 0, 1_234_567_890_123, 1_234_567_890},
		{"2^-10 seconds", 0x80 | 10, 0, 1025, 1_000_976_562},
		{"2^-32 seconds", 0x80 | 32, 0, 3<<32 | 1<<31, 3_500_000_000},
		{"an offset", 6, 100, 1, 100e9 + 1000},
		{"a negative offset", 6, -1, 3_000_000, 2e9},
		{"too long", 0, 0, math.MaxUint64, math.MaxInt64},
		{"too fine", 127, 0, math.MaxUint64, 0},
		{"2^-127 seconds", 0xff, 0, math.MaxUint64, 0},
	} {
		got := times(t, ngFile(c.resolution, c.offset, c.time))
		if len(got) != 1 || got[0].Time != c.want || !got[0].HasTime {
			t.Errorf("%s: %+v, want %d", c.name, got, c.want)
		}
	}
}

// TestSimpleBlocks: the frames of simple packet blocks have no time.
func TestSimpleBlocks(t *testing.T) {
	file := ngFile(6, 0, 5)
	file = append(file, ngBlock(3, append([]byte{60, 0, 0, 0}, make([]byte, 60)...))...)
	got := times(t, file)
	if len(got) != 2 || !got[0].HasTime || got[1].HasTime || got[1].Record != 2 {
		t.Errorf("%+v", got)
	}
}

// ngFile returns a pcapng file with one interface and one frame.
func ngFile(resolution byte, offset int64, at uint64) []byte {
	le := binary.LittleEndian
	section := le.AppendUint32(nil, 0x1a2b3c4d)
	section = append(le.AppendUint16(section, 1), 0, 0)
	section = le.AppendUint64(section, math.MaxUint64)
	iface := []byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, resolution, 0, 0, 0, 14, 0, 8, 0}
	iface = le.AppendUint64(iface, uint64(offset))
	iface = append(iface, 0, 0, 0, 0)
	packet := le.AppendUint32(make([]byte, 4), uint32(at>>32))
	packet = le.AppendUint32(packet, uint32(at))
	packet = append(packet, 60, 0, 0, 0, 60, 0, 0, 0)
	packet = append(packet, make([]byte, 60)...)
	return append(append(ngBlock(0x0a0d0d0a, section), ngBlock(1, iface)...), ngBlock(6, packet)...)
}

func ngBlock(kind uint32, body []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, kind)
	b = le.AppendUint32(b, uint32(len(body)+12))
	return le.AppendUint32(append(b, body...), uint32(len(body)+12))
}
