package devargs

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// named are types by a name. The first ones of a list have those of several others.
type named[T ~uint32] struct {
	name  string
	types T
}

// hashTypes are the packets that a hash can be of, by the names that DPDK's testpmd has for
// them.
var hashTypes = []named[virtio.HashTypes]{
	{"all", virtio.HashAll},
	{"ip", virtio.HashIPv4 | virtio.HashIPv6 | virtio.HashIPv6Ex},
	{"tcp", virtio.HashTCPv4 | virtio.HashTCPv6 | virtio.HashTCPv6Ex},
	{"udp", virtio.HashUDPv4 | virtio.HashUDPv6 | virtio.HashUDPv6Ex},
	{"ipv4", virtio.HashIPv4}, {"ipv4-tcp", virtio.HashTCPv4}, {"ipv4-udp", virtio.HashUDPv4},
	{"ipv6", virtio.HashIPv6}, {"ipv6-tcp", virtio.HashTCPv6}, {"ipv6-udp", virtio.HashUDPv6},
	{"ipv6-ex", virtio.HashIPv6Ex}, {"ipv6-tcp-ex", virtio.HashTCPv6Ex}, {"ipv6-udp-ex", virtio.HashUDPv6Ex},
}

// tunnelTypes are the tunnels into which a device can look for a hash.
var tunnelTypes = []named[virtio.TunnelTypes]{
	{"all", virtio.TunnelAll},
	{"gre", virtio.TunnelGRE2784 | virtio.TunnelGRE2890 | virtio.TunnelGRE7676},
	{"gre-2784", virtio.TunnelGRE2784}, {"gre-2890", virtio.TunnelGRE2890}, {"gre-7676", virtio.TunnelGRE7676},
	{"gre-udp", virtio.TunnelGREUDP}, {"vxlan", virtio.TunnelVXLAN}, {"vxlan-gpe", virtio.TunnelVXLANGPE},
	{"geneve", virtio.TunnelGeneve}, {"ipip", virtio.TunnelIPIP}, {"nvgre", virtio.TunnelNVGRE},
}

// parseTypes reads names that are joined by +, and returns the first that is none.
func parseTypes[T ~uint32](list []named[T], value string) (types T, unknown string, ok bool) {
words:
	for word := range strings.SplitSeq(value, "+") {
		for _, n := range list {
			if n.name == word {
				types |= n.types
				continue words
			}
		}
		return 0, word, false
	}
	return types, "", true
}

// typesText returns the names of types, joined by +.
func typesText[T ~uint32](list []named[T], types T) string {
	var words []string
	for _, n := range list {
		if types != 0 && n.types&^types == 0 {
			words = append(words, n.name)
			types &^= n.types
		}
	}
	return strings.Join(words, "+")
}

// rssTypes reads what packets are spread by their hash.
func (s *Spec) rssTypes(key, value string) *Error {
	types, unknown, ok := parseTypes(hashTypes, value)
	if !ok {
		return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%q is no kind of packets", unknown),
			Remedy: "write rss=all, or rss=ip+tcp; help ports lists all"}
	}
	s.RSS = types
	return nil
}

func (s *Spec) rssText() string { return typesText(hashTypes, s.RSS) }

// tunnels reads inside which tunnels the hash is computed.
func (s *Spec) tunnels(key, value string) *Error {
	types, unknown, ok := parseTypes(tunnelTypes, value)
	if !ok {
		return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%q is no kind of tunnels", unknown),
			Remedy: "write inner_hash=all, or inner_hash=vxlan+geneve; help ports lists all"}
	}
	s.InnerHash = types
	return nil
}

func (s *Spec) tunnelText() string { return typesText(tunnelTypes, s.InnerHash) }

func (s *Spec) rssKey(key, value string) *Error {
	b, err := hex.DecodeString(strings.ReplaceAll(value, ":", ""))
	if err != nil || len(b) == 0 || len(b) > 255 {
		return &Error{Key: key, Value: value, Reason: "not 1 to 255 bytes in hexadecimal",
			Remedy: "write 40 bytes, which every device takes, as 80 digits"}
	}
	s.RSSKey = b
	return nil
}

func (s *Spec) rssTable(key, value string) *Error {
	s.RSSTable = nil
	for word := range strings.SplitSeq(value, "+") {
		q, err := strconv.ParseUint(word, 10, 15)
		if err != nil {
			return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%q is no queue", word),
				Remedy: "write numbers of queues from 0 on, as 0+1+2+3"}
		}
		s.RSSTable = append(s.RSSTable, uint16(q))
	}
	if n := len(s.RSSTable); n&(n-1) != 0 {
		return &Error{Key: key, Value: value, Reason: fmt.Sprintf("%d entries, which is no power of two", n),
			Remedy: "repeat some of the queues"}
	}
	return nil
}
