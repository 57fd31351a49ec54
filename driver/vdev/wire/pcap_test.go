package wire_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// byteOrder is that of a capture file.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// record is a packet in a capture file.
type record struct {
	data     []byte
	captured int // what the record says, as far as it is not len(data)
	original int // the same
}

// capture is a capture file as tests write it, with the mistakes that there are.
type capture struct {
	ng, nano bool
	order    byteOrder
	snaplen  uint32
	link     uint32
	records  []record
}

func (c *capture) file() []byte {
	if c.ng {
		return c.pcapng()
	}
	magic := uint32(0xa1b2c3d4)
	if c.nano {
		magic = 0xa1b23c4d
	}
	b := c.words(nil, magic)
	b = c.order.AppendUint16(c.order.AppendUint16(b, 2), 4)
	b = c.words(b, 0, 0, c.snaplen, c.link)
	for _, r := range c.records {
		b = c.words(b, 1700000000, 999999, uint32(r.captured), uint32(r.original))
		b = append(b, r.data...)
	}
	return b
}

func (c *capture) words(b []byte, words ...uint32) []byte {
	for _, w := range words {
		b = c.order.AppendUint32(b, w)
	}
	return b
}

// block is a block of a pcapng file.
func (c *capture) block(kind uint32, body []byte) []byte {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	length := uint32(len(body) + 12)
	b := c.words(nil, kind, length)
	return c.words(append(b, body...), length)
}

// section is the block that a section begins with.
func (c *capture) section() []byte {
	body := c.words(nil, 0x1a2b3c4d)
	body = c.order.AppendUint16(c.order.AppendUint16(body, 1), 0)
	return c.block(0x0a0d0d0a, c.words(body, 0xffffffff, 0xffffffff))
}

func (c *capture) describe(link, snaplen uint32, options ...byte) []byte {
	body := c.order.AppendUint16(c.order.AppendUint16(nil, uint16(link)), 0)
	return c.block(1, append(c.words(body, snaplen), options...))
}

// enhanced is a packet of an interface.
func (c *capture) enhanced(from uint32, r record) []byte {
	body := c.words(nil, from, 6, 0, uint32(r.captured), uint32(r.original))
	return c.block(6, append(body, r.data...))
}

func (c *capture) pcapng() []byte {
	var options []byte
	if c.nano { // if_tsresol = 9, end of options
		options = c.order.AppendUint16(c.order.AppendUint16(nil, 9), 1)
		options = append(options, 9, 0, 0, 0, 0, 0, 0, 0)
	}
	b := append(c.section(), c.describe(c.link, c.snaplen, options...)...)
	for _, r := range c.records {
		b = append(b, c.enhanced(0, r)...)
	}
	return b
}

// whole is a record of a whole frame.
func whole(data []byte) record { return record{data, len(data), len(data)} }

// frames100 are n frames of 100 bytes.
func frames100(n int) [][]byte {
	frames := make([][]byte, n)
	wire.Gen(100).Receive(0, frames)
	return frames
}

// defects are what real files have, and what is to become of it.
var defects = []struct {
	name    string
	change  func(*capture)
	cut     int   // bytes that the end of the file lacks
	plays   []int // of three frames
	skipped int
	why     string // in the warning, or in the error if nothing plays
	ngWhy   string // the same of a pcapng file, if it differs
}{
	{name: "none", plays: []int{0, 1, 2}},
	{name: "snaplen 0", change: func(c *capture) { c.snaplen = 0 }, plays: []int{0, 1, 2}},
	{name: "snaplen below captured", change: func(c *capture) { c.snaplen = 20 }, plays: []int{0, 1, 2}},
	{name: "original below captured", change: func(c *capture) { c.records[1].original = 60 },
		plays: []int{0, 1, 2}},
	{name: "original 0", change: func(c *capture) { c.records[1].original = 0 }, plays: []int{0, 1, 2}},
	{name: "one captured in part", change: func(c *capture) { c.records[1] = record{c.records[1].data[:96], 96, 100} },
		plays: []int{0, 2}, skipped: 1, why: "1 captured shorter than sent"},
	{name: "all captured in part", change: func(c *capture) {
		c.snaplen = 96
		for i := range c.records {
			c.records[i] = record{c.records[i].data[:96], 96, 100}
		}
	}, why: "no whole Ethernet frame: 3 captured shorter than sent; capture whole frames"},
	{name: "last cut off", cut: 50, plays: []int{0, 1}, skipped: 1, why: "1 cut off by the end of the file"},
	{name: "cut off in its header", cut: 108, plays: []int{0, 1}, skipped: 1, why: "1 cut off by the end"},
	{name: "only one, cut off", change: func(c *capture) { c.records = c.records[:1] }, cut: 50,
		why: "no whole Ethernet frame: 1 cut off"},
	{name: "link type 257", change: func(c *capture) { c.link = 257 }, why: "its link type is 257; only Ethernet"},
	{name: "link type 101", change: func(c *capture) { c.link = 101 }, why: "its link type is Raw (101)"},
	{name: "not even a header", change: func(c *capture) { c.records[0] = whole(c.records[0].data[:13]) },
		plays: []int{1, 2}, skipped: 1, why: "1 shorter than an Ethernet header"},
	{name: "longer than a frame", change: func(c *capture) { c.records[1] = whole(make([]byte, 70000)) },
		plays: []int{0, 2}, skipped: 1, why: "1 longer than an Ethernet frame"},
	{name: "a length that is none", change: func(c *capture) { c.records[2].captured = 0x7fffffff },
		plays: []int{0, 1}, skipped: 1, why: "damaged after record 2: a record of 2147483647 bytes",
		ngWhy: "1 longer than their block"},
	{name: "several", change: func(c *capture) {
		c.records = append(c.records, whole([]byte{1}), record{make([]byte, 60), 60, 61}, record{make([]byte, 60), 60, 1500})
	}, plays: []int{0, 1, 2}, skipped: 3, why: "2 captured shorter than sent, 1 shorter than an Ethernet header"},
	{name: "no records", change: func(c *capture) { c.records = nil }},
}

// TestCaptureDefects: every whole Ethernet frame of a file plays, whatever else there is
// in the file, and one warning counts the rest; both formats in all variants are read
// alike.
func TestCaptureDefects(t *testing.T) {
	name := filepath.Join(t.TempDir(), "capture")
	frames := frames100(3)
	for _, ng := range []bool{false, true} {
		for _, order := range []byteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, nano := range []bool{false, true} {
				for _, compressed := range []bool{false, true} {
					for _, d := range defects {
						if compressed && d.name != "none" && d.cut == 0 {
							continue
						}
						c := &capture{ng: ng, nano: nano, order: order, snaplen: 262144, link: 1}
						for _, f := range frames {
							c.records = append(c.records, whole(f))
						}
						if d.change != nil {
							d.change(c)
						}
						b := c.file()
						writeFile(t, name, b[:len(b)-d.cut], compressed)
						want, why := [][]byte{}, d.why
						for _, i := range d.plays {
							want = append(want, frames[i])
						}
						if ng && d.ngWhy != "" {
							why = d.ngWhy
						}
						what := fmt.Sprintf("%s, pcapng %v, %v, nanoseconds %v, gzip %v", d.name, ng, order, nano, compressed)
						checkPlays(t, what, name, want, d.skipped, why)
					}
				}
			}
		}
	}
}

func writeFile(t *testing.T, name string, b []byte, compressed bool) {
	t.Helper()
	if compressed {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, err := z.Write(b)
		if err := errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		b = packed.Bytes()
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// checkPlays checks that a file plays these frames and that a warning says what it does
// not play, or that it is refused if why is not empty and nothing is skipped.
func checkPlays(t *testing.T, what, name string, want [][]byte, skipped int, why string) {
	t.Helper()
	var log bytes.Buffer
	c, err := wire.OpenCapture(wire.CaptureConfig{Play: name, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if why != "" && skipped == 0 {
		var e *wire.Error
		if !errors.As(err, &e) || e.Name != name || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: error %v, want one with %q", what, err, why)
		}
		return
	}
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got := make([][]byte, len(want)+8)
	got = got[:c.Receive(vdev.AnyPair, got)]
	if !slices.EqualFunc(got, want, bytes.Equal) || c.Frames() != len(want) || c.Skipped() != skipped {
		t.Errorf("%s: %d frames, %d skipped; want %d, %d", what, len(got), c.Skipped(), len(want), skipped)
	}
	warnings := strings.Count(log.String(), "level=WARN")
	if should := skipped > 0 || len(want) == 0; (warnings == 1) != should || warnings > 1 ||
		!strings.Contains(log.String(), why) {
		t.Errorf("%s: want %q in the warning, logged:\n%s", what, why, log.String())
	}
}

// TestPcapng: what only that format has: several interfaces and sections, three kinds
// of packets, checksums.
func TestPcapng(t *testing.T) {
	name := filepath.Join(t.TempDir(), "capture")
	f := frames100(4)
	le, be := &capture{order: binary.LittleEndian}, &capture{order: binary.BigEndian}
	fcs := []byte{13, 0, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0}
	simple := func(c *capture, original int, data []byte) []byte {
		return c.block(3, append(c.words(nil, uint32(original)), data...))
	}
	old := func(c *capture, from uint16, data []byte) []byte {
		body := c.order.AppendUint16(c.order.AppendUint16(nil, from), 0xffff)
		return c.block(2, append(c.words(body, 0, 0, uint32(len(data)), uint32(len(data))), data...))
	}
	for _, c := range []struct {
		what    string
		blocks  [][]byte
		want    [][]byte
		skipped int
		why     string
	}{
		{"interfaces of two link types", [][]byte{le.section(), le.describe(101, 0), le.describe(1, 0),
			le.enhanced(1, whole(f[0])), le.enhanced(0, whole(f[1])), le.enhanced(1, whole(f[2]))},
			[][]byte{f[0], f[2]}, 1, "1 of another link type, Raw (101)"},
		{"an interface that comes late", [][]byte{le.section(), le.describe(1, 0), le.enhanced(0, whole(f[0])),
			le.describe(257, 0), le.enhanced(1, whole(f[1]))}, [][]byte{f[0]}, 1, "link type, 257"},
		{"no Ethernet at all", [][]byte{le.section(), le.describe(101, 0), le.describe(113, 0),
			le.enhanced(0, whole(f[0]))}, nil, 0, "its link type is Raw (101)"},
		{"an unknown interface", [][]byte{be.section(), be.describe(1, 0), be.enhanced(1, whole(f[0])),
			be.enhanced(0, whole(f[1])), be.enhanced(0xffffffff, whole(f[1]))},
			[][]byte{f[1]}, 2, "2 of an unknown interface"},
		{"simple and obsolete packets", [][]byte{be.section(), be.describe(1, 60), simple(be, 100, f[0]),
			simple(be, 101, f[1]), old(be, 0, f[2]), old(be, 1, f[3])},
			[][]byte{f[0], f[2]}, 2, "1 captured shorter than sent, 1 of an unknown interface"},
		{"sections of two byte orders", [][]byte{le.section(), le.describe(101, 0), be.section(), be.describe(1, 0),
			be.enhanced(0, whole(f[0]))}, [][]byte{f[0]}, 0, ""},
		{"blocks in between", [][]byte{le.section(), le.block(4, make([]byte, 40)), le.describe(1, 0),
			le.block(0x0bad, nil), le.enhanced(0, whole(f[0])), le.block(5, make([]byte, 9))},
			[][]byte{f[0]}, 0, ""},
		{"blocks without a packet", [][]byte{le.section(), le.describe(1, 0), le.block(6, make([]byte, 8)),
			le.block(3, nil), le.enhanced(0, whole(f[0]))}, [][]byte{f[0]}, 2, "2 longer than their block"},
		{"checksums", [][]byte{le.section(), le.describe(1, 0, fcs...),
			le.enhanced(0, whole(append(slices.Clone(f[0]), 1, 2, 3, 4)))}, [][]byte{f[0]}, 0, ""},
		{"a block that is too short to be one", [][]byte{le.section(), le.describe(1, 0),
			le.enhanced(0, whole(f[0])), le.words(nil, 6, 8), le.enhanced(0, whole(f[1]))},
			[][]byte{f[0]}, 1, "damaged after record 1: a block of 8 bytes"},
		{"a section of another version", [][]byte{le.section(), le.describe(1, 0), le.enhanced(0, whole(f[0])),
			le.block(0x0a0d0d0a, le.words(nil, 0x1a2b3c4d, 2, 0, 0))},
			[][]byte{f[0]}, 1, "a section of another version than 1"},
	} {
		writeFile(t, name, slices.Concat(c.blocks...), false)
		checkPlays(t, c.what, name, c.want, c.skipped, c.why)
	}
	pcap := &capture{order: binary.BigEndian, link: 1 | 1<<26 | 2<<28,
		records: []record{whole(append(slices.Clone(f[0]), 1, 2, 3, 4))}}
	writeFile(t, name, pcap.file(), false)
	checkPlays(t, "checksums in a pcap file", name, f[:1], 0, "")
}

func TestCaptureRepeats(t *testing.T) {
	name := filepath.Join(t.TempDir(), "capture")
	f := frames100(2)
	writeFile(t, name, (&capture{order: binary.LittleEndian, link: 1, records: []record{whole(f[0]), whole(f[1])}}).file(), false)
	c, err := wire.OpenCapture(wire.CaptureConfig{Play: name, Repeat: true})
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]byte, 5)
	if n := c.Receive(vdev.AnyPair, out); n != 5 || !bytes.Equal(out[4], f[0]) || !bytes.Equal(out[3], f[1]) {
		t.Errorf("%d frames, repeated", n)
	}
}

func TestCaptureErrors(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b string) string {
		name = filepath.Join(dir, name)
		writeFile(t, name, []byte(b), false)
		return name
	}
	be := &capture{order: binary.BigEndian, link: 1}
	for name, c := range map[string]struct{ text, says string }{
		"missing":        {filepath.Join(dir, "nothing"), "no such file"},
		"missing, colon": {filepath.Join(dir, "12:30"), `a colon in the name of a file is written \:`},
		"no capture":     {write("text", "this is no capture file"), "no capture file"},
		"short":          {write("short", "ab"), "too short"},
		"empty":          {write("empty", ""), "too short"},
		"header cut off": {write("half", string(be.file()[:20])), "too short"},
		"version":        {write("version", "\xa1\xb2\xc3\xd4\x00\x03"+string(make([]byte, 18))), "version 3.0"},
		"byte order":     {write("order", "\n\r\r\n"+string(make([]byte, 24))), "byte order"},
		"section":        {write("section", "\n\r\r\n\x08\x00\x00\x00\x4d\x3c\x2b\x1a"), "a block of 8 bytes"},
		"directory":      {":" + dir, "is a directory"},
		"no name":        {"", "no file is named"},
		"full":           {":/dev/full", "no space left"},
	} {
		_, err := wire.PCAP(c.text)
		var e *wire.Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// TestCaptureNames: a colon splits unless a backslash is before it.
func TestCaptureNames(t *testing.T) {
	for text, want := range map[string][2]string{
		"a.pcap": {"a.pcap", ""}, "a:b": {"a", "b"}, ":b": {"", "b"}, "a:": {"a", ""}, "a:b:c": {"a", "b:c"},
		`12\:30:b`: {"12:30", "b"}, `12\:30`: {"12:30", ""}, `:12:30\:5`: {"", "12:30:5"}, `a\,b:c\,d`: {"a,b", "c,d"},
		`a\\:b`: {`a\`, "b"}, `a\b`: {`a\b`, ""}, `a\`: {`a\`, ""}, "a,b": {"a,b", ""},
	} {
		if play, record := wire.CaptureFiles(text); play != want[0] || record != want[1] {
			t.Errorf("%s: %q and %q, want %q", text, play, record, want)
		}
	}
}
