package traffic

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// drawStack draws the headers of a packet whose types and ports another decoder follows.
func drawStack(t *rapid.T, inner bool) Layers {
	list := Layers{Ethernet{Dst: MAC{2, 0, 0, 0, 0, 1}, Src: MAC{2, 0, 0, 0, 0, rapid.Byte().Draw(t, "mac")}}}
	for range rapid.IntRange(0, 2).Draw(t, "tags") {
		list = append(list, VLAN{ID: rapid.Uint16Range(0, 4095).Draw(t, "vlan"), Priority: rapid.Uint8Range(0, 7).Draw(t, "priority"), DEI: rapid.Bool().Draw(t, "dei")})
	}
	kind := rapid.SampledFrom([]string{"arp", "ipv4", "ipv4", "ipv6", "ipv6"}).Draw(t, "network")
	if kind == "arp" {
		return append(list, Default[ARP]())
	}
	for range rapid.IntRange(1, 2).Draw(t, "headers") {
		if kind == "ipv4" {
			ip := Default[IPv4]()
			ip.Src = netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
			ip.TOS, ip.TTL, ip.ID = rapid.Uint8().Draw(t, "tos"), rapid.Uint8().Draw(t, "ttl"), rapid.Uint16().Draw(t, "id")
			list = append(list, ip)
		} else {
			ip := Default[IPv6]()
			ip.Src = netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")))
			ip.FlowLabel, ip.TrafficClass = rapid.Uint32Range(0, 1<<20-1).Draw(t, "label"), rapid.Uint8().Draw(t, "class")
			list = append(list, ip)
		}
		if rapid.IntRange(0, 3).Draw(t, "tunnel") > 0 {
			break
		}
	}
	port := rapid.Uint16Range(20000, 65535)
	icmp := Layer(Default[ICMP]())
	if _, v6 := list[len(list)-1].(IPv6); v6 {
		icmp = Default[ICMPv6]()
	}
	switch rapid.SampledFrom([]string{"udp", "udp", "tcp", "icmp", "vxlan"}).Draw(t, "transport") {
	case "udp":
		return append(list, UDP{Src: port.Draw(t, "src"), Dst: port.Draw(t, "dst"), Checksum: drawNone(t)})
	case "tcp":
		return append(list, TCP{Src: port.Draw(t, "src"), Dst: port.Draw(t, "dst"), Seq: rapid.Uint32().Draw(t, "seq"), Flags: TCPFlags(rapid.Byte().Draw(t, "flags"))})
	case "icmp":
		return append(list, icmp)
	}
	udp := UDP{Src: port.Draw(t, "src"), Dst: port.Draw(t, "dst"), Checksum: drawNone(t)}
	if inner {
		return append(list, udp)
	}
	udp.Dst = 4789
	list = append(list, udp, VXLAN{VNI: rapid.Uint32Range(0, 1<<24-1).Draw(t, "vni")})
	return append(list, drawStack(t, true)...)
}

func drawNone(t *rapid.T) Checksum {
	return rapid.SampledFrom([]Checksum{ChecksumRight, ChecksumRight, ChecksumNone}).Draw(t, "checksum")
}

// changing are fields that can change without another decoder losing its way.
var changing = map[string]string{
	"ethernet": "dst src", "vlan": "id priority dei", "arp": "op sender_mac sender_ip target_mac target_ip",
	"ipv4": "tos id df ttl src dst", "ipv6": "traffic_class flow_label hop_limit src dst",
	"udp": "src", "tcp": "src dst seq ack flags window urgent", "icmp": "id seq", "icmpv6": "id seq", "vxlan": "vni",
}

// drawFields draws fields that change, each at most once.
func drawFields(t *rapid.T, s *Stream) {
	var names []string
	seen := map[string]int{}
	for _, l := range s.Packet {
		kind := l.Kind()
		for field := range strings.FieldsSeq(changing[kind]) {
			names = append(names, fmt.Sprintf("%s[%d].%s", kind, seen[kind], field))
		}
		seen[kind]++
	}
	stack, err := newStack(s.Packet)
	if err != nil {
		t.Fatal(err)
	}
	header, err := stack.build(nil)
	if err != nil {
		t.Fatal(err)
	}
	for range rapid.IntRange(0, 5).Draw(t, "fields") {
		f := Field{Name: rapid.SampledFrom(names).Draw(t, "field"), Op: Op(rapid.IntRange(0, 3).Draw(t, "op"))}
		names = slices.DeleteFunc(names, func(n string) bool { return n == f.Name })
		p, err := stack.locate(f.Name, header, len(header))
		if err != nil {
			t.Fatal(err)
		}
		low := uint64(0)
		if strings.HasSuffix(f.Name, "p.src") || strings.HasSuffix(f.Name, "p.dst") || strings.HasPrefix(f.Name, "tcp") || strings.HasPrefix(f.Name, "udp") {
			low = 20000 // of ports: below, another decoder knows protocols
		}
		value := rapid.Uint64Range(min(low, p.greatest()), p.greatest())
		f.Min = fmt.Sprint(value.Draw(t, "min"))
		switch f.Op {
		case List:
			f.Min = ""
			for range rapid.IntRange(1, 9).Draw(t, "length") {
				f.List = append(f.List, fmt.Sprint(value.Draw(t, "value")))
			}
			if p.kind == ipv6 {
				f.List = append(f.List, netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))).String())
			}
		default:
			from, _ := strconv.ParseUint(f.Min, 10, 64)
			f.Max = fmt.Sprint(rapid.Uint64Range(from, p.greatest()).Draw(t, "max"))
			f.Step = rapid.Uint64Range(1, 300).Draw(t, "step")
			if f.Op == Random {
				f.Seed = rapid.Uint64().Draw(t, "seed")
			}
		}
		if k := len(s.Fields); k > 0 && f.Op != Random && s.Fields[k-1].Op != Random && rapid.Bool().Draw(t, "after") {
			f.After = s.Fields[k-1].Name
		}
		s.Fields = append(s.Fields, f)
		if len(names) == 0 {
			return
		}
	}
}

// drawStream draws a stream that can be compiled.
func drawStream(t *rapid.T) *Stream {
	s := &Stream{Packet: drawStack(t, false)}
	need := MinFrame
	length := 0
	for _, l := range s.Packet {
		length += l.size()
	}
	need = max(need, length)
	size := rapid.IntRange(need, need+200)
	for range rapid.IntRange(1, 8).Draw(t, "sizes") {
		s.Size.Lens = append(s.Size.Lens, size.Draw(t, "size"))
	}
	s.Size.Random = rapid.Bool().Draw(t, "random")
	if s.Packet[len(s.Packet)-1].Kind() != "arp" {
		s.Payload.Kind = PayloadKind(rapid.IntRange(0, 2).Draw(t, "payload"))
	}
	s.Track = rapid.SampledFrom([]Track{TrackAuto, TrackAuto, TrackOff}).Draw(t, "track")
	drawFields(t, s)
	return s
}

// TestRandomStreams: whatever the headers, fields and sizes of a stream are, another
// decoder finds the same headers in each packet, lengths and checksums are right,
// signatures are numbered, payloads undamaged, and Fill makes what Next makes.
func TestRandomStreams(t *testing.T) {
	pool := pool(t, 64, 0)
	cache := pool.NewCache(32)
	defer cache.Close()
	packets := 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawStream(t)
		p, err := s.Compile(Options{ID: 5})
		if err != nil {
			t.Fatal(err)
		}
		again, _ := s.Compile(Options{ID: 5})
		bufs := make([]*mbuf.Buf, 33)
		cache.Get(bufs)
		defer cache.Put(bufs)
		want := make([]byte, p.MaxLen())
		sequence := rapid.Uint32().Draw(t, "sequence")
		p.sequence, again.sequence = sequence, sequence
		for round := range 5 {
			now := rapid.Int64Range(0, math.MaxInt64).Draw(t, "now")
			cache.Put(bufs)
			cache.Get(bufs)
			bytes := p.Fill(bufs, now)
			for i, b := range bufs {
				n := again.Next(want, now)
				bytes -= n
				if string(b.Data()) != string(want[:n]) {
					t.Fatalf("round %d, packet %d\nFill %x\nNext %x", round, i, b.Data(), want[:n])
				}
				checkPacket(t, s, p, want[:n])
				if sig, ok := ReadSignature(want[:n]); p.Tracked() && (!ok || sig != (Signature{5, sequence, now})) {
					t.Fatalf("signature %+v", sig)
				}
				sequence++
				packets++
			}
			if bytes != 0 {
				t.Fatalf("Fill is off by %d bytes", bytes)
			}
		}
	})
	t.Logf("%d packets", packets)
}

// checkPacket compares a packet with its stream.
func checkPacket(t *rapid.T, s *Stream, p *Program, data []byte) {
	if !slices.Contains(s.Size.Lens, len(data)) {
		t.Fatalf("%d bytes", len(data))
	}
	if err := checkSums(data); err != nil {
		t.Fatalf("%v: %x", err, data)
	}
	packet := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
	kinds := map[gopacket.LayerType]string{
		layers.LayerTypeEthernet: "ethernet", layers.LayerTypeDot1Q: "vlan", layers.LayerTypeARP: "arp",
		layers.LayerTypeIPv4: "ipv4", layers.LayerTypeIPv6: "ipv6", layers.LayerTypeUDP: "udp", layers.LayerTypeTCP: "tcp",
		layers.LayerTypeICMPv4: "icmp", layers.LayerTypeICMPv6: "icmpv6", layers.LayerTypeVXLAN: "vxlan",
	}
	var got, want []string
	for _, l := range packet.Layers() {
		if kind := kinds[l.LayerType()]; kind != "" {
			got = append(got, kind)
		}
	}
	for _, l := range s.Packet {
		want = append(want, l.Kind())
	}
	if !slices.Equal(got, want) {
		t.Fatalf("headers %v, want %v: %v", got, want, packet)
	}
	if !p.CheckPayload(data[p.Payload():]) {
		t.Fatalf("payload %x", data[p.Payload():])
	}
}
