package traffic

import (
	"fmt"
	"slices"
	"strings"
)

// stack is the headers of a packet and where they begin.
type stack struct {
	layers Layers
	at     []int
	end    int // where the payload begins
}

// before names the headers in front of which one may stand; "" is the first place.
var before = map[string][]string{
	"ethernet": {"", "vxlan"},
	"vlan":     {"ethernet", "vlan"},
	"arp":      {"ethernet", "vlan"},
	"ipv4":     {"ethernet", "vlan", "ipv4", "ipv6", "raw"},
	"ipv6":     {"ethernet", "vlan", "ipv4", "ipv6", "raw"},
	"udp":      {"ipv4", "ipv6"},
	"tcp":      {"ipv4", "ipv6"},
	"icmp":     {"ipv4"},
	"icmpv6":   {"ipv6"},
	"vxlan":    {"udp"},
	"raw":      {"", "ethernet", "vlan", "ipv4", "ipv6", "udp", "tcp", "icmp", "icmpv6", "raw"},
}

// maxHeaders bounds the headers of a packet, in bytes.
const maxHeaders = 512

// newStack checks which header follows which.
func newStack(layers Layers) (*stack, error) {
	if len(layers) == 0 {
		return nil, &Error{Field: "packet", Reason: "no headers",
			Remedy: "begin with an ethernet header"}
	}
	s := &stack{layers: layers}
	last := ""
	for i, l := range layers {
		field := fmt.Sprintf("packet[%d]", i)
		kind := l.Kind()
		if !slices.Contains(before[kind], last) {
			return nil, &Error{Field: field, Value: kind, Reason: follows(last),
				Remedy: "put it " + places(before[kind])}
		}
		if err := checkLayer(l); err != nil {
			err.Field = field + "." + kind + "." + err.Field
			return nil, err
		}
		s.at = append(s.at, s.end)
		s.end += l.size()
		last = kind
	}
	if last == "vxlan" {
		return nil, &Error{Field: fmt.Sprintf("packet[%d]", len(layers)-1), Value: last,
			Reason: "nothing follows it", Remedy: "let an ethernet header follow"}
	}
	if s.end > maxHeaders {
		return nil, &Error{Field: "packet", Value: fmt.Sprintf("%d bytes of headers", s.end),
			Reason: fmt.Sprintf("more than %d", maxHeaders), Remedy: "move raw bytes into the payload"}
	}
	return s, nil
}

func follows(kind string) string {
	if kind == "" {
		return "it cannot be the first header"
	}
	return "it cannot follow " + kind
}

// places says where a header may stand.
func places(kinds []string) string {
	var list []string
	first := ""
	for _, k := range kinds {
		if k == "" {
			first = "first, or "
		} else {
			list = append(list, k)
		}
	}
	return first + "behind " + strings.Join(list, ", ")
}

// checkLayer finds values that a header has no room for. Field is the name within it.
func checkLayer(l Layer) *Error {
	bad := func(field string, value any, reason, remedy string) *Error {
		return &Error{Field: field, Value: fmt.Sprint(value), Reason: reason, Remedy: remedy}
	}
	family := func(field string, a interface {
		Is4() bool
		Is6() bool
		String() string
	}, want int) *Error {
		if want == 4 && !a.Is4() {
			return bad(field, a, "not an IPv4 address", "write it like 198.18.0.1")
		}
		if want == 6 && !a.Is6() {
			return bad(field, a, "not an IPv6 address", "write it like 2001:2::1")
		}
		return nil
	}
	first := func(list ...*Error) *Error {
		for _, e := range list {
			if e != nil {
				return e
			}
		}
		return nil
	}
	sum := func(c Checksum, noneAllowed bool) *Error {
		if c > ChecksumWrong || c == ChecksumNone && !noneAllowed {
			return bad("checksum", c, "this header has one in every packet", "write right or wrong")
		}
		return nil
	}
	switch l := l.(type) {
	case VLAN:
		switch {
		case l.ID > 0xfff:
			return bad("id", l.ID, "more than 12 bits", "use 0 to 4095")
		case l.Priority > 7:
			return bad("priority", l.Priority, "more than 3 bits", "use 0 to 7")
		}
	case ARP:
		return first(family("sender_ip", l.SenderIP, 4), family("target_ip", l.TargetIP, 4))
	case IPv4:
		return first(family("src", l.Src, 4), family("dst", l.Dst, 4), sum(l.Checksum, false))
	case IPv6:
		if l.FlowLabel > 0xfffff {
			return bad("flow_label", l.FlowLabel, "more than 20 bits", "use 0 to 1048575")
		}
		return first(family("src", l.Src, 6), family("dst", l.Dst, 6))
	case UDP:
		return sum(l.Checksum, true)
	case TCP:
		return sum(l.Checksum, false)
	case ICMP:
		return sum(l.Checksum, false)
	case ICMPv6:
		return sum(l.Checksum, false)
	case VXLAN:
		if l.VNI > 0xffffff {
			return bad("vni", l.VNI, "more than 24 bits", "use 0 to 16777215")
		}
	case Raw:
		if len(l.Bytes) == 0 {
			return &Error{Field: "bytes", Reason: "no bytes", Remedy: "write them like bytes: 0a0b0c, or leave the header out"}
		}
	}
	return nil
}

// find returns the number of the n-th header of a kind, counted from 0; -1: there is none.
func (s *stack) find(kind string, n int) int {
	for i, l := range s.layers {
		if l.Kind() == kind {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

// network returns the number of the IP header that covers header i.
func (s *stack) network(i int) int {
	for i--; i >= 0; i-- {
		switch s.layers[i].(type) {
		case IPv4, IPv6:
			return i
		}
	}
	return -1
}
