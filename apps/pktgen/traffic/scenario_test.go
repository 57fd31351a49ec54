package traffic

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
)

// TestExamples: the scenarios beside the command can be loaded, and all their packets are
// right.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../testdata/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		for i := range s.Streams {
			if s.Streams[i].Replay != nil {
				if r, err := s.OpenReplay(i, Options{}); err != nil || r.Frames() == 0 {
					t.Error(err)
				}
				continue
			}
			p, err := s.Compile(i, Options{ID: uint16(i)})
			if err != nil {
				t.Fatal(err)
			}
			data := make([]byte, p.MaxLen())
			for range 2000 {
				n := p.Next(data, 1e15)
				if err := checkSums(data[:n]); err != nil {
					t.Fatalf("%s, %s: %v: %x", file, p.Name(), err, data[:n])
				}
			}
		}
	}
}

// TestScenario: what is written in a file is in the streams.
func TestScenario(t *testing.T) {
	s, err := Load("../testdata/headers.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s.Line(1) != 10 {
		t.Errorf("stream 1 is in line %d", s.Line(1))
	}
	qinq := s.Streams[1]
	if qinq.Rate != "10pps" || qinq.Name != "qinq" || !reflect.DeepEqual(qinq.Size.Lens, []int{124, 252, 508}) || qinq.Size.Seed != 3 {
		t.Errorf("%+v", qinq)
	}
	if got, want := qinq.Packet[1], (VLAN{ID: 100, Priority: 5}); got != Layer(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if tcp := qinq.Packet[4].(TCP); tcp.Flags.String() != "syn+ece+cwr" || tcp.Window != 65535 {
		t.Errorf("%+v", tcp)
	}
	if udp := s.Streams[3].Packet[2].(UDP); udp != (UDP{Src: 0xc000, Dst: 4789, Checksum: ChecksumNone}) {
		t.Errorf("in front of VXLAN: %+v", udp)
	}
	for i, want := range []pace.Kind{pace.Continuous, pace.Continuous, pace.Poisson, pace.Bursts, pace.Bursts} {
		rate, pattern, set, err := s.Streams[i].Pacing()
		if err != nil || pattern.Kind != want || !set || rate.Value == 0 {
			t.Errorf("stream %d: %+v %+v, %v", i, rate, pattern, err)
		}
	}
	if _, p, _, _ := s.Streams[3].Pacing(); p.Packets != 32 || p.Count != 10 || p.Gap.Milliseconds() != 1 {
		t.Errorf("%+v", p)
	}
}

// stream is a scenario of one stream, whose first line is line 2.
const stream = "streams:\n- name: s\n  packet: [ethernet, ipv4, udp]\n"

// field is a scenario whose field is in line 5.
const field = stream + "  fields:\n  - "

// TestBadScenarios: what is wrong is named with its line and its field.
func TestBadScenarios(t *testing.T) {
	for _, c := range []struct {
		text  string
		line  int
		field string
		says  string
	}{
		// The file as such.
		{"", 0, "", "it is empty"},
		{"# nothing\n", 0, "", "it is empty"},
		{"streams: [1, 2\n", 2, "", "not YAML"},
		{"a: 1\n\tb: 2\n", 2, "", "tab"},
		{"a: *b\n", 1, "", "unknown anchor"},
		{"hello", 1, "", `"hello": not a mapping; write its fields as name: value`},
		{"- a\n", 1, "", "a list: not a mapping"},
		{strings.Repeat("a", 100), 1, "", `"` + strings.Repeat("a", 40) + `"...: not a mapping`},
		{"version: 2\n" + stream, 1, "version", "2: not a version"},
		{"version: one\n" + stream, 1, "version", "not a number"},
		{"version: 1\n", 0, "streams", "nothing would be sent"},
		{"streams: []\n", 1, "streams", "nothing would be sent"},
		{"streams: x\n", 1, "streams", "not a list"},
		{"streams:\n", 1, "streams", "not a list"},
		{"streams:\n- 7\n", 2, "streams[0]", `"7": not a mapping`},
		{"stream: []\n", 1, "stream", "unknown field; use one of version, streams"},
		{stream + "streams: []\n", 4, "streams", "it is there twice, first in line 1"},
		// A stream.
		{stream + "  naem: x\n", 4, "streams[0].naem", "unknown field; use one of name, port"},
		{stream + "  size: 60\n  size: 61\n", 5, "streams[0].size", "twice, first in line 4"},
		{stream + "  name:\n", 4, "streams[0].name", "twice"},
		{"streams:\n- name:\n  packet: [ethernet, arp]\n", 2, "streams[0].name", "no value; write one word, or leave the line out"},
		{"streams:\n- name: ''\n  packet: [ethernet, arp]\n", 2, "streams[0].name", "no value"},
		{stream + "- name: s\n  packet: [ethernet, arp]\n", 4, "streams[1].name", "s: streams[0] has it too"},
		{stream + "  port: -1\n", 4, "streams[0].port", "-1: not a number from 0 to 255"},
		{stream + "  port: 256\n", 4, "streams[0].port", "not a number from 0 to 255"},
		{stream + "  port: [0]\n", 4, "streams[0].port", "a list: not a single value; write a number"},
		{stream + "  rate: fast\n", 4, "streams[0].rate", "fast: not a rate; write it like"},
		{stream + "  rate: 0pps\n", 4, "streams[0].rate", "nothing would be sent"},
		{stream + "  rate: 200%\n", 4, "streams[0].rate", "more than the line carries"},
		{stream + "  latency: perhaps\n", 4, "streams[0].latency", "neither true nor false"},
		{stream + "  track: yes please\n", 4, "streams[0].track", "use one of auto, true, false"},
		{stream + "  track: false\n  latency: true\n", 5, "streams[0].latency", "switched off by track: false"},
		{"streams:\n- name: s\n", 2, "streams[0].packet", "no headers"},
		// Patterns.
		{stream + "  pattern: burst\n", 4, "streams[0].pattern", "not a mapping; write its fields as name: value, each in a line; they are kind, packets"},
		{stream + "  pattern: {kind: fast}\n", 4, "streams[0].pattern.kind", "use one of continuous, burst, multi-burst, poisson"},
		{stream + "  pattern:\n    kind: burst\n", 4, "streams[0].pattern.packets", "a burst of no packets"},
		{stream + "  pattern:\n    packets: 5\n", 5, "streams[0].pattern.packets", "means nothing for continuous"},
		{stream + "  pattern:\n    kind: burst\n    packets: 5\n    count: 3\n", 7, "streams[0].pattern.count", "use multi-burst"},
		{stream + "  pattern:\n    kind: multi-burst\n    packets: 5\n    gap: 3\n", 7, "streams[0].pattern.gap", "write it like 10us"},
		{stream + "  pattern:\n    kind: multi-burst\n    packets: 5\n    gap: -3ms\n", 7, "streams[0].pattern.gap", "not a time above 0"},
		{stream + "  pattern:\n    kind: poisson\n    gap: 3ms\n", 6, "streams[0].pattern.gap", "means nothing for poisson"},
		{stream + "  pattern:\n    seed: 3\n", 5, "streams[0].pattern.seed", "means nothing for continuous"},
		// Sizes.
		{stream + "  size: 59\n", 4, "streams[0].size", "59 bytes are less than the 60 of the shortest frame without FCS; use 60"},
		{stream + "  size: 64k\n", 4, "streams[0].size", `"64k" is no size`},
		{stream + "  size: 70000\n", 4, "streams[0].size", "more than the 65549 of the longest frame"},
		{stream + "  size: 100-60\n", 4, "streams[0].size", "goes down"},
		{stream + "  size: 60-100+0\n", 4, "streams[0].size", "no step of 1 or more"},
		{stream + "  size: 60+4\n", 4, "streams[0].size", "no step"},
		{stream + "  size: [60, 61]\n", 4, "streams[0].size", "a list: not a single value; write 60, 60,590,1514"},
		{stream + "  size: imix:1:2\n", 4, "streams[0].size", "2 weights; there are three"},
		{stream + "  size: imix:0:0:0\n", 4, "streams[0].size", "all weights are 0"},
		{stream + "  size: imix 60,61\n", 4, "streams[0].size", `"60" has no weight`},
		{stream + "  size: 'imix 60:65535,61:64'\n", 4, "streams[0].size", "weights that add up to 65599"},
		{stream + "  size: genome aax\n", 4, "streams[0].size", "stands for no size; the letters are a to j"},
		{stream + "  size: genome\n", 4, "streams[0].size", "no letters follow genome"},
		{stream + "  size: 60 random sead 3\n", 4, "streams[0].size", "write random seed 7"},
		{"streams:\n- name: s\n  packet: [ethernet, ipv6, tcp]\n", 2, "streams[0].size", "60 bytes have no room for 74 bytes of headers; use at least 74"},
		{"streams:\n- name: s\n  packet: [ethernet, ipv4, tcp]\n  track: true\n", 4, "streams[0].track", "60 bytes have no room for 54 bytes of headers and 16 of signature; use sizes of at least 70"},
		{"streams:\n- name: s\n  packet: [ethernet, arp]\n  latency: true\n", 4, "streams[0].latency", "an ARP packet has no payload"},
		// Payloads.
		{stream + "  payload: noise\n", 4, "streams[0].payload", "no payload; write counter"},
		{stream + "  payload: hex 0g\n", 4, "streams[0].payload", "not bytes in hexadecimal"},
		{stream + "  payload: random 7\n", 4, "streams[0].payload", "write random seed 7"},
		{stream + "  payload: text hello world\n", 4, "streams[0].payload", "11 bytes, and the shortest packet has room for 2; use sizes of at least 69"},
		{stream + "  payload: keep\n", 4, "streams[0].payload", "a checksum covers it"},
		{"streams:\n- name: s\n  packet: [ethernet, arp]\n  payload: text x\n", 4, "streams[0].payload", "an ARP packet has none"},
		// Headers.
		{"streams:\n- name: s\n  packet: ethernet\n", 3, "streams[0].packet", "not a list of headers"},
		{"streams:\n- name: s\n  packet: []\n", 3, "streams[0].packet", "no headers"},
		{"streams:\n- name: s\n  packet:\n  - ipx\n", 4, "streams[0].packet[0]", `"ipx": unknown header; use one of ethernet, vlan`},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4: {}\n    udp: {}\n", 5, "streams[0].packet[1]", "not one header"},
		{"streams:\n- name: s\n  packet:\n  - ipv4\n", 4, "streams[0].packet[0]", "ipv4: it cannot be the first header; put it behind ethernet, vlan"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - udp\n", 5, "streams[0].packet[1]", "udp: it cannot follow ethernet; put it behind ipv4, ipv6"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4\n  - udp\n  - vxlan\n", 7, "streams[0].packet[3]", "nothing follows it"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n", 4, "streams[0].packet[0].ethernet.type", "no header follows"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4\n", 5, "streams[0].packet[1].ipv4.protocol", "no header follows that it could be taken from; set it; 253"},
		{"streams:\n- name: s\n  packet:\n  - ethernet:\n      dst: 1.2.3.4\n", 5, "streams[0].packet[0].ethernet.dst", "not an Ethernet address"},
		{"streams:\n- name: s\n  packet:\n  - ethernet:\n      dts: 02:00:00:00:00:01\n", 5, "streams[0].packet[0].ethernet.dts", "unknown field; use one of dst, src, type"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - vlan: {id: 4096}\n", 5, "streams[0].packet[1].vlan.id", "4096: not a number from 0 to 4095"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4:\n      src: \"2001:2::1\"\n", 6, "streams[0].packet[1].ipv4.src", "not an IPv4 address"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv6:\n      dst: 198.18.0.1\n", 6, "streams[0].packet[1].ipv6.dst", "not an IPv6 address"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4:\n      ttl: 256\n", 6, "streams[0].packet[1].ipv4.ttl", "not a number from 0 to 255"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4:\n      checksum: none\n", 6, "streams[0].packet[1].ipv4.checksum", "unknown; use one of right, wrong"},
		{"streams:\n- name: s\n  packet:\n  - ethernet\n  - ipv4\n  - tcp:\n      flags: syn|ack\n", 7, "streams[0].packet[2].tcp.flags", "is no flag"},
		{"streams:\n- name: s\n  packet:\n  - raw\n", 4, "streams[0].packet[0].raw.bytes", "no bytes"},
		{"streams:\n- name: s\n  packet:\n  - raw: {bytes: xyz}\n", 4, "streams[0].packet[0].raw.bytes", "not bytes in hexadecimal"},
		{"streams:\n- name: s\n  size: 1000\n  packet:\n  - raw: {bytes: " + strings.Repeat("00", 513) + "}\n", 4, "streams[0].packet", "513 bytes of headers: more than 512"},
		// Fields.
		{field + "{field: udp.sport, count: 5}\n", 5, "streams[0].fields[0].field", "udp.sport: the header has no such field that can change; it has dst, src"},
		{field + "{field: tcp.src, count: 5}\n", 5, "streams[0].fields[0].field", "the packet has no such header; name one of its headers: ethernet, ipv4, udp"},
		{field + "{field: \"udp[1].src\", count: 5}\n", 5, "streams[0].fields[0].field", "no such header"},
		{field + "{field: \"udp[x].src\", count: 5}\n", 5, "streams[0].fields[0].field", "not the number of a header"},
		{field + "{field: port, count: 5}\n", 5, "streams[0].fields[0].field", "not a field of a header; write it like udp.src"},
		{field + "{field: udp.src, op: incr, count: 5}\n", 5, "streams[0].fields[0].op", "use one of increment, decrement, random, list"},
		{field + "{field: udp.src}\n", 5, "streams[0].fields[0].max", "no end of the values; give max or count"},
		{field + "field: udp.src\n    max: 70000\n", 6, "streams[0].fields[0].max", "greater than 65535"},
		{field + "field: udp.src\n    max: 5\n", 6, "streams[0].fields[0].max", "less than min, 1024"},
		{field + "field: udp.src\n    min: a\n    count: 5\n", 6, "streams[0].fields[0].min", "not a value of this field; write a number"},
		{field + "field: ipv4.src\n    max: 1.2.3\n", 6, "streams[0].fields[0].max", "not a value of this field; write an address, like 198.18.0.1"},
		{field + "field: udp.src\n    count: 70000\n", 6, "streams[0].fields[0].count", "from 1024 on, the field has 64512 values"},
		{field + "field: udp.src\n    max: 2000\n    count: 5\n", 7, "streams[0].fields[0].count", "max says where the values end"},
		{field + "field: udp.src\n    op: list\n", 5, "streams[0].fields[0].list", "a list has 1 to 65536"},
		{field + "field: udp.src\n    op: list\n    list: [1, b]\n", 7, "streams[0].fields[0].list[1]", "b: not a value of this field"},
		{field + "field: udp.src\n    op: list\n    list: [1]\n    step: 3\n", 8, "streams[0].fields[0].step", "means nothing for list"},
		{field + "field: udp.src\n    list: [1]\n    max: 3\n", 6, "streams[0].fields[0].list", "means nothing for increment"},
		{field + "field: udp.src\n    seed: 1\n    count: 3\n", 6, "streams[0].fields[0].seed", "means nothing for increment"},
		{field + "field: udp.src\n    count: 3\n    mask: 0x10000\n", 7, "streams[0].fields[0].mask", "the field has 16 bits of value"},
		{field + "field: udp.src\n    count: 3\n    after: udp.dst\n", 7, "streams[0].fields[0].after", "no field above has this name"},
		{field + "{field: udp.src, op: random}\n  - field: udp.dst\n    count: 3\n    after: udp.src\n", 8, "streams[0].fields[1].after", "random and so has no beginning"},
		{field + "{field: udp.src, count: 4}\n  - field: udp.dst\n    count: 3\n    follows: udp.src\n", 8, "streams[0].fields[1].follows", "it has 4 values, and this field has 3"},
		{field + "{field: udp.src, count: 4}\n  - field: udp.src\n    count: 3\n", 6, "streams[0].fields[1].field", "it is there twice"},
		{field + "{field: udp.src, count: 4}\n  - field: bytes[34:2]\n    max: 3\n    min: 1\n", 6, "streams[0].fields[1].field", "part of them is a field above"},
		{field + "field: bytes[24:2]\n    max: 0xffff\n", 5, "streams[0].fields[0].field", "the checksum of an IPv4 header, which follows from the rest"},
		{field + "field: bytes[16:4]\n    max: 0xffffffff\n    min: 0\n", 5, "streams[0].fields[0].field", "the length of an IPv4 packet"},
		{field + "field: bytes[13:2]\n    max: 0xffff\n    min: 0\n", 5, "streams[0].fields[0].field", "the version and the length of an IPv4 header"},
		{field + "field: bytes[44:2]\n    max: 3\n", 5, "streams[0].fields[0].field", "behind the 44 bytes that can change"},
		{field + "field: bytes[4:5]\n    max: 3\n", 5, "streams[0].fields[0].field", "not a width that can change"},
		{field + "field: bytes[4-5]\n    max: 3\n", 5, "streams[0].fields[0].field", "not a place in a packet"},
		// Replays.
		{"streams:\n- name: s\n  replay: x.pcap\n", 3, "streams[0].replay", "not a mapping"},
		{"streams:\n- name: s\n  replay: {}\n", 3, "streams[0].replay.file", "no file"},
		{"streams:\n- name: s\n  replay: {file: x, timing: slow}\n", 3, "streams[0].replay.timing", "use one of original, rate"},
		{"streams:\n- name: s\n  replay: {file: x, speed: fast}\n", 3, "streams[0].replay.speed", "not a number"},
		{"streams:\n- name: s\n  replay: {file: x, speed: 0}\n", 3, "streams[0].replay.speed", "nothing would be sent"},
		{"streams:\n- name: s\n  replay: {file: x, speed: -1}\n", 3, "streams[0].replay.speed", "not from"},
		{"streams:\n- name: s\n  replay: {file: x, timing: rate, speed: 2}\n", 3, "streams[0].replay.speed", "means nothing for timing: rate"},
		{"streams:\n- name: s\n  replay: {file: x}\n  rate: 1Mpps\n", 4, "streams[0].rate", "set timing: rate"},
		{"streams:\n- name: s\n  replay: {file: x}\n  size: 60\n", 4, "streams[0].size", "means nothing for a replay"},
		{"streams:\n- name: s\n  replay: {file: x}\n  packet: [ethernet, arp]\n", 4, "streams[0].packet", "means nothing for a replay"},
	} {
		s, err := Parse("bad.yaml", []byte(c.text))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: %+v, %v", c.text, s, err)
			continue
		}
		if e.File != "bad.yaml" || e.Line != c.line || e.Field != c.field || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q\ngot  %v\nwant bad.yaml:%d: %s: ... %s", c.text, err, c.line, c.field, c.says)
		}
		if c.line > 0 && !strings.HasPrefix(err.Error(), fmt.Sprintf("bad.yaml:%d: %s", c.line, c.field)) {
			t.Errorf("%q: the message is %q", c.text, err)
		}
	}
}

// TestBadFiles: a file that cannot be read is named with the reason.
func TestBadFiles(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large.yaml")
	if err := os.WriteFile(large, make([]byte, maxScenario+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{"/nowhere/x.yaml": "no such file", t.TempDir(): "is a directory", large: "more than 4 MiB"} {
		if _, err := Load(name); err == nil || !strings.HasPrefix(err.Error(), name+": it cannot be read: ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%v", err)
		}
	}
}

// TestPortLimits: what only a port knows is named with file and line as well.
func TestPortLimits(t *testing.T) {
	s, err := Parse("x.yaml", []byte(stream+"  size: 60,2000\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Compile(0, Options{MaxLen: 1514})
	want := "x.yaml:4: streams[0].size: 60,2000: 2000 bytes are more than the 1514 of the longest frame that the port sends; use a smaller size, or a port with a greater MTU"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// TestManyAliases: a small file does not become a large scenario.
func TestManyAliases(t *testing.T) {
	text := "streams:\n- &a {name: s, packet: [ethernet, arp], fields: &f [" + strings.Repeat("{field: a}, ", 3000) + "]}\n" +
		strings.Repeat("- *a\n", 3000)
	var e *Error
	if _, err := Parse("x.yaml", []byte(text)); !errors.As(err, &e) || !strings.Contains(err.Error(), "counting those of aliases") {
		t.Errorf("%.200v", err)
	}
}

// TestReference: every field of the format is in the reference, whose lines are short,
// and its example can be parsed.
func TestReference(t *testing.T) {
	text := Reference()
	for line := range strings.Lines(text) {
		if len(line) > width+1 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	types := append([]reflect.Type{reflect.TypeFor[Scenario](), reflect.TypeFor[Stream](), reflect.TypeFor[Pattern](),
		reflect.TypeFor[Playback](), reflect.TypeFor[Field]()}, layerTypes...)
	for _, typ := range types {
		for _, name := range fieldsOf(typ) {
			if !strings.Contains(text, "\n  "+name+" ") {
				t.Errorf("%s of %v is missing", name, typ)
			}
		}
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && (f.Tag.Get("yaml") == "" || f.Tag.Get("doc") == "") {
				t.Errorf("%v.%s has no name or no description", typ, f.Name)
			}
		}
	}
	for _, list := range [][][2]string{sizeForms, payloadForms} {
		for _, form := range list {
			example := strings.ReplaceAll(form[0], "SIZES", "60-64")
			key := "payload"
			if &list[0] == &sizeForms[0] {
				key = "size"
			}
			udp := strings.Replace(stream, "udp]", "udp: {checksum: none}]", 1)
			if key == "payload" {
				udp += "  size: 100\n"
			}
			if _, err := Parse("reference", []byte(udp+"  "+key+": "+example+"\n")); err != nil {
				t.Error(err)
			}
		}
	}
	_, example, _ := strings.Cut(text, "\n\n")
	example, _, _ = strings.Cut(example, "\n\n")
	if s, err := Parse("reference", []byte(example)); err != nil || len(s.Streams) != 1 {
		t.Errorf("the example: %v", err)
	}
}

// FuzzScenario: no file makes the parser fail otherwise than by an *Error with the name of
// the file, and what it takes can be compiled and makes packets of the sizes it says.
func FuzzScenario(f *testing.F) {
	files, _ := filepath.Glob("../testdata/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("fuzz", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.File != "fuzz" || e.Reason == "" && e.Err == nil {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		for i := range s.Streams {
			if s.Streams[i].Replay != nil {
				continue
			}
			p, err := s.Compile(i, Options{})
			if err != nil {
				t.Fatal(err)
			}
			packet := make([]byte, p.MaxLen())
			for range 40 {
				if n := p.Next(packet, 1); n < p.MinLen() || n > p.MaxLen() {
					t.Fatalf("%d bytes", n)
				}
			}
		}
	})
}
