package traffic

import (
	"net/netip"
	"reflect"
	"testing"
)

// TestDefaults: the tags of all headers name values that they can have.
func TestDefaults(t *testing.T) {
	for _, l := range []Layer{Ethernet{}, VLAN{}, ARP{}, IPv4{}, IPv6{}, UDP{}, TCP{}, ICMP{}, ICMPv6{}, VXLAN{}, Raw{}} {
		v := reflect.New(reflect.TypeOf(l)).Elem()
		for i := range v.NumField() {
			f := v.Type().Field(i)
			text, ok := f.Tag.Lookup("default")
			if f.Tag.Get("doc") == "" || f.Tag.Get("yaml") == "" {
				t.Errorf("%s of %s has no name or no description", f.Name, l.Kind())
			}
			if !ok {
				continue
			}
			if err := setScalar(v.Field(i), f, text); err != nil {
				t.Errorf("default of %s.%s: %v", l.Kind(), f.Name, err)
			}
		}
	}
	want := IPv4{Src: netip.MustParseAddr("198.18.0.1"), Dst: netip.MustParseAddr("198.19.0.1"), TTL: 64}
	if got := Default[IPv4](); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestBadHeaders: headers that a program makes are checked as those of a scenario are.
func TestBadHeaders(t *testing.T) {
	eth, ip, udp := Default[Ethernet](), Default[IPv4](), Default[UDP]()
	for _, c := range []struct {
		packet Layers
		want   string
	}{
		{Layers{eth, VLAN{ID: 4096}, ip, udp}, "packet[1].vlan.id: 4096: more than 4095; use a smaller one"},
		{Layers{eth, VLAN{Priority: 8}, ip, udp}, "packet[1].vlan.priority: 8: more than 7; use a smaller one"},
		{Layers{eth, IPv4{}, udp}, "packet[1].ipv4.src: invalid IP: not an IPv4 address; write it like 198.18.0.1"},
		{Layers{eth, IPv4{Src: ip.Src, Dst: Default[IPv6]().Dst}, udp}, "packet[1].ipv4.dst: 2001:2:0:1::1: not an IPv4 address; write it like 198.18.0.1"},
		{Layers{eth, IPv6{Src: ip.Src}, udp}, "packet[1].ipv6.src: 198.18.0.1: not an IPv6 address; write it like 2001:2::1"},
		{Layers{eth, IPv6{FlowLabel: 1 << 20}, udp}, "packet[1].ipv6.flow_label: 1048576: more than 1048575; use a smaller one"},
		{Layers{eth, ARP{}}, "packet[1].arp.sender_ip: invalid IP: not an IPv4 address; write it like 198.18.0.1"},
		{Layers{eth, ip, TCP{Checksum: ChecksumNone}}, "packet[2].tcp.checksum: none: this header has one in every packet; write right or wrong"},
		{Layers{eth, ip, UDP{Checksum: 7}}, "packet[2].udp.checksum: 7: this header has one in every packet; write right or wrong"},
		{Layers{eth, ip, udp, VXLAN{VNI: 1 << 24}, eth, ip, udp}, "packet[3].vxlan.vni: 16777216: more than 16777215; use a smaller one"},
		{Layers{Raw{}}, "packet[0].raw.bytes: no bytes; write them like bytes: 0a0b0c, or leave the header out"},
		{nil, "packet: no headers; begin with an ethernet header"},
	} {
		_, err := (&Stream{Packet: c.packet, Size: FixedSize(200)}).Compile(Options{})
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
	if _, err := (&Stream{Packet: Layers{eth, ip, udp}}).Compile(Options{}); err == nil {
		t.Error("a stream without sizes is compiled")
	}
}
