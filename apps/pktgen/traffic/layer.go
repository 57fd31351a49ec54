package traffic

import (
	"net/netip"
)

// Layer is a header of a packet, or bytes that stand for one: [Ethernet], [VLAN], [ARP],
// [IPv4], [IPv6], [UDP], [TCP], [ICMP], [ICMPv6], [VXLAN] or [Raw]. What a literal
// leaves out is zero; [Default] returns a header as a scenario has it that says no more
// than its name.
type Layer interface {
	// Kind returns the name of the layer in a scenario.
	Kind() string
	size() int
}

// Layers are the headers of a packet, outermost first.
type Layers []Layer

// Ethernet is an Ethernet header.
type Ethernet struct {
	Dst  MAC    `yaml:"dst" default:"02:00:00:00:00:01" doc:"destination address"`
	Src  MAC    `yaml:"src" default:"02:00:00:00:00:aa" doc:"source address"`
	Type uint16 `yaml:"type" doc:"EtherType; 0: that of the next header"`
}

// VLAN is an 802.1Q tag. Two of them are QinQ.
type VLAN struct {
	ID       uint16 `yaml:"id" max:"4095" default:"1" doc:"VLAN identifier"`
	Priority uint8  `yaml:"priority" max:"7" doc:"priority code point"`
	DEI      bool   `yaml:"dei" doc:"drop eligible indicator"`
	TPID     uint16 `yaml:"tpid" doc:"tag protocol identifier; 0: 0x88a8 in front of another tag, else 0x8100"`
	Type     uint16 `yaml:"type" doc:"EtherType; 0: that of the next header"`
}

// ARP is an ARP packet for IPv4 over Ethernet. Nothing follows it.
type ARP struct {
	Op        uint16     `yaml:"op" default:"1" doc:"operation: 1 is a request, 2 a reply"`
	SenderMAC MAC        `yaml:"sender_mac" default:"02:00:00:00:00:aa" doc:"hardware address of the sender"`
	SenderIP  netip.Addr `yaml:"sender_ip" family:"4" default:"198.18.0.1" doc:"protocol address of the sender"`
	TargetMAC MAC        `yaml:"target_mac" default:"00:00:00:00:00:00" doc:"hardware address of the target"`
	TargetIP  netip.Addr `yaml:"target_ip" family:"4" default:"198.19.0.1" doc:"protocol address of the target"`
}

// IPv4 is an IPv4 header without options.
type IPv4 struct {
	Src          netip.Addr `yaml:"src" family:"4" default:"198.18.0.1" doc:"source address"`
	Dst          netip.Addr `yaml:"dst" family:"4" default:"198.19.0.1" doc:"destination address"`
	TTL          uint8      `yaml:"ttl" default:"64" doc:"time to live"`
	TOS          uint8      `yaml:"tos" doc:"type of service: DSCP in the upper six bits, ECN in the lower two"`
	ID           uint16     `yaml:"id" doc:"identification"`
	DontFragment bool       `yaml:"df" doc:"the bit that forbids fragmentation"`
	Protocol     uint8      `yaml:"protocol" doc:"protocol; 0: that of the next header"`
	Checksum     Checksum   `yaml:"checksum" doc:"right, or wrong on purpose" oneof:"right wrong"`
}

// IPv6 is an IPv6 header without extension headers.
type IPv6 struct {
	Src          netip.Addr `yaml:"src" family:"6" default:"2001:2::1" doc:"source address"`
	Dst          netip.Addr `yaml:"dst" family:"6" default:"2001:2:0:1::1" doc:"destination address"`
	HopLimit     uint8      `yaml:"hop_limit" default:"64" doc:"hop limit"`
	TrafficClass uint8      `yaml:"traffic_class" doc:"traffic class"`
	FlowLabel    uint32     `yaml:"flow_label" max:"1048575" doc:"flow label"`
	NextHeader   uint8      `yaml:"next_header" doc:"protocol; 0: that of the next header"`
}

// UDP is a UDP header.
type UDP struct {
	Src      uint16   `yaml:"src" default:"1024" doc:"source port"`
	Dst      uint16   `yaml:"dst" default:"9" doc:"destination port; 9 is discard"`
	Checksum Checksum `yaml:"checksum" doc:"right, none (0, of which a receiver makes nothing) or wrong on purpose" oneof:"right none wrong"`
}

// TCP is a TCP header without options. No connection is behind it.
type TCP struct {
	Src      uint16   `yaml:"src" default:"1024" doc:"source port"`
	Dst      uint16   `yaml:"dst" default:"9" doc:"destination port"`
	Seq      uint32   `yaml:"seq" doc:"sequence number"`
	Ack      uint32   `yaml:"ack" doc:"acknowledgement number"`
	Flags    TCPFlags `yaml:"flags" default:"ack" doc:"of fin, syn, rst, psh, ack, urg, ece and cwr those that are set, with + between them; or none"`
	Window   uint16   `yaml:"window" default:"65535" doc:"window"`
	Urgent   uint16   `yaml:"urgent" doc:"urgent pointer"`
	Checksum Checksum `yaml:"checksum" doc:"right, or wrong on purpose" oneof:"right wrong"`
}

// ICMP is the header of an ICMP message for IPv4, as an echo has it.
type ICMP struct {
	Type     uint8    `yaml:"type" default:"8" doc:"type: 8 is an echo request, 0 a reply"`
	Code     uint8    `yaml:"code" doc:"code"`
	ID       uint16   `yaml:"id" doc:"identifier"`
	Seq      uint16   `yaml:"seq" doc:"sequence number"`
	Checksum Checksum `yaml:"checksum" doc:"right, or wrong on purpose" oneof:"right wrong"`
}

// ICMPv6 is the header of an ICMP message for IPv6, as an echo has it.
type ICMPv6 struct {
	Type     uint8    `yaml:"type" default:"128" doc:"type: 128 is an echo request, 129 a reply"`
	Code     uint8    `yaml:"code" doc:"code"`
	ID       uint16   `yaml:"id" doc:"identifier"`
	Seq      uint16   `yaml:"seq" doc:"sequence number"`
	Checksum Checksum `yaml:"checksum" doc:"right, or wrong on purpose" oneof:"right wrong"`
}

// VXLAN is a VXLAN header. It follows UDP, and an Ethernet header follows it.
type VXLAN struct {
	VNI uint32 `yaml:"vni" max:"16777215" default:"1" doc:"network identifier"`
}

// Raw is bytes as they are, for headers that have no name here.
type Raw struct {
	Bytes Hex `yaml:"bytes" doc:"the bytes, in hexadecimal"`
}

// Kind implements [Layer].
func (Ethernet) Kind() string { return "ethernet" }

// Kind implements [Layer].
func (VLAN) Kind() string { return "vlan" }

// Kind implements [Layer].
func (ARP) Kind() string { return "arp" }

// Kind implements [Layer].
func (IPv4) Kind() string { return "ipv4" }

// Kind implements [Layer].
func (IPv6) Kind() string { return "ipv6" }

// Kind implements [Layer].
func (UDP) Kind() string { return "udp" }

// Kind implements [Layer].
func (TCP) Kind() string { return "tcp" }

// Kind implements [Layer].
func (ICMP) Kind() string { return "icmp" }

// Kind implements [Layer].
func (ICMPv6) Kind() string { return "icmpv6" }

// Kind implements [Layer].
func (VXLAN) Kind() string { return "vxlan" }

// Kind implements [Layer].
func (Raw) Kind() string { return "raw" }

func (Ethernet) size() int { return 14 }
func (VLAN) size() int     { return 4 }
func (ARP) size() int      { return 28 }
func (IPv4) size() int     { return 20 }
func (IPv6) size() int     { return 40 }
func (UDP) size() int      { return 8 }
func (TCP) size() int      { return 20 }
func (ICMP) size() int     { return 8 }
func (ICMPv6) size() int   { return 8 }
func (VXLAN) size() int    { return 8 }
func (r Raw) size() int    { return len(r.Bytes) }
