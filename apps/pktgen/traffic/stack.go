package traffic

import (
	"fmt"
	"net/netip"
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
	switch l := l.(type) {
	case VLAN:
		return first(atMost("id", uint64(l.ID), 0xfff), atMost("priority", uint64(l.Priority), 7))
	case ARP:
		return first(family("sender_ip", l.SenderIP, 4), family("target_ip", l.TargetIP, 4))
	case IPv4:
		return first(family("src", l.Src, 4), family("dst", l.Dst, 4), hasSum(l.Checksum))
	case IPv6:
		return first(atMost("flow_label", uint64(l.FlowLabel), 0xfffff), family("src", l.Src, 6), family("dst", l.Dst, 6))
	case UDP:
		if l.Checksum != ChecksumNone {
			return hasSum(l.Checksum)
		}
	case TCP:
		return hasSum(l.Checksum)
	case ICMP:
		return hasSum(l.Checksum)
	case ICMPv6:
		return hasSum(l.Checksum)
	case VXLAN:
		return atMost("vni", uint64(l.VNI), 0xffffff)
	case Raw:
		if len(l.Bytes) == 0 {
			return &Error{Field: "bytes", Reason: "no bytes", Remedy: "write them like bytes: 0a0b0c, or leave the header out"}
		}
	}
	return nil
}

// first returns the first error there is.
func first(list ...*Error) *Error {
	for _, e := range list {
		if e != nil {
			return e
		}
	}
	return nil
}

// atMost checks a number that has fewer bits in its header than in Go.
func atMost(field string, value, most uint64) *Error {
	if value <= most {
		return nil
	}
	return &Error{Field: field, Value: fmt.Sprint(value), Reason: fmt.Sprintf("more than %d", most), Remedy: "use a smaller one"}
}

// family checks that an address is one of IPv4 or IPv6.
func family(field string, a netip.Addr, want int) *Error {
	switch {
	case want == 4 && !a.Is4():
		return &Error{Field: field, Value: a.String(), Reason: "not an IPv4 address", Remedy: "write it like 198.18.0.1"}
	case want == 6 && !a.Is6():
		return &Error{Field: field, Value: a.String(), Reason: "not an IPv6 address", Remedy: "write it like 2001:2::1"}
	}
	return nil
}

// hasSum checks the checksum of a header that has one in every packet.
func hasSum(c Checksum) *Error {
	if c == ChecksumRight || c == ChecksumWrong {
		return nil
	}
	return &Error{Field: "checksum", Value: c.String(), Reason: "this header has one in every packet", Remedy: "write right or wrong"}
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
