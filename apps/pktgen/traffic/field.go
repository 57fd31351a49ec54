package traffic

// Op is how a field changes from packet to packet.
type Op uint8

const (
	// Increment: from Min up to Max, and from there to Min again.
	Increment Op = iota
	// Decrement: from Max down to Min, and from there to Max again.
	Decrement
	// Random: any of the values from Min to Max.
	Random
	// List: the values of List, one after the other.
	List
)

var opNames = []string{"increment", "decrement", "random", "list"}

// String returns the name of an Op.
func (o Op) String() string { return nameOf(opNames, int(o)) }

// MarshalText implements [encoding.TextMarshaler].
func (o Op) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Op) UnmarshalText(text []byte) error { return setName(o, opNames, string(text)) }

// Field is a part of a header that changes from packet to packet. Values are written as
// the headers have them: numbers, also as 0x10, and addresses.
type Field struct {
	Name    string   `yaml:"field" json:"field" doc:"which one: udp.src; ipv4[1].dst is that of the second IPv4 header; bytes[38:2] are 2 bytes from byte 38 of the frame"`
	Op      Op       `yaml:"op" json:"op" oneof:"increment decrement random list" doc:"increment, decrement, random or list"`
	Min     string   `yaml:"min" json:"min,omitempty" doc:"least value; what the header has if it is missing, of random 0"`
	Max     string   `yaml:"max" json:"max,omitempty" doc:"greatest value"`
	Count   uint64   `yaml:"count" json:"count,omitempty" doc:"how many values, in place of max"`
	Step    uint64   `yaml:"step" json:"step,omitempty" default:"1" doc:"distance between two values"`
	Seed    uint64   `yaml:"seed" json:"seed,omitempty" doc:"of random: the same seed gives the same values"`
	List    []string `yaml:"list" json:"list,omitempty" doc:"the values of list"`
	Mask    string   `yaml:"mask" json:"mask,omitempty" doc:"the bits of the field that change; the others stay as the header has them"`
	After   string   `yaml:"after" json:"after,omitempty" doc:"a field above: this one changes each time that one begins again, so that both together go through all pairs"`
	Follows string   `yaml:"follows" json:"follows,omitempty" doc:"a field above: this one takes its n-th value when that one has its n-th, so that both together are pairs"`
}

// place is where a field is in its header: a word of 1, 2, 3, 4, 6, 8 or 16 bytes, and
// within the word some bits.
type place struct {
	at, width   int
	shift, bits int // bits 0: all
	kind        valueKind
}

// valueKind is how values of a field are written.
type valueKind uint8

const (
	number valueKind = iota
	mac
	ipv4
	ipv6
)

var fieldPlaces = map[string]map[string]place{
	"ethernet": {
		"dst": {at: 0, width: 6, kind: mac}, "src": {at: 6, width: 6, kind: mac}, "type": {at: 12, width: 2},
	},
	"vlan": {
		"id": {width: 2, bits: 12}, "priority": {width: 2, shift: 13, bits: 3}, "dei": {width: 2, shift: 12, bits: 1},
		"type": {at: 2, width: 2},
	},
	"arp": {
		"op": {at: 6, width: 2}, "sender_mac": {at: 8, width: 6, kind: mac}, "sender_ip": {at: 14, width: 4, kind: ipv4},
		"target_mac": {at: 18, width: 6, kind: mac}, "target_ip": {at: 24, width: 4, kind: ipv4},
	},
	"ipv4": {
		"tos": {at: 1, width: 1}, "id": {at: 4, width: 2}, "df": {at: 6, width: 2, shift: 14, bits: 1},
		"ttl": {at: 8, width: 1}, "protocol": {at: 9, width: 1},
		"src": {at: 12, width: 4, kind: ipv4}, "dst": {at: 16, width: 4, kind: ipv4},
	},
	"ipv6": {
		"traffic_class": {width: 4, shift: 20, bits: 8}, "flow_label": {width: 4, bits: 20},
		"next_header": {at: 6, width: 1}, "hop_limit": {at: 7, width: 1},
		"src": {at: 8, width: 16, kind: ipv6}, "dst": {at: 24, width: 16, kind: ipv6},
	},
	"udp": {"src": {width: 2}, "dst": {at: 2, width: 2}},
	"tcp": {
		"src": {width: 2}, "dst": {at: 2, width: 2}, "seq": {at: 4, width: 4}, "ack": {at: 8, width: 4},
		"flags": {at: 13, width: 1}, "window": {at: 14, width: 2}, "urgent": {at: 18, width: 2},
	},
	"icmp":   {"type": {width: 1}, "code": {at: 1, width: 1}, "id": {at: 4, width: 2}, "seq": {at: 6, width: 2}},
	"icmpv6": {"type": {width: 1}, "code": {at: 1, width: 1}, "id": {at: 4, width: 2}, "seq": {at: 6, width: 2}},
	"vxlan":  {"vni": {at: 4, width: 3}},
}
