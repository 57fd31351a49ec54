package virtio

// HashTypes is a set of packet types for which a device computes a hash, as in
// supported_hash_types and hash_types (5.1.9.4, Hash calculation).
type HashTypes uint32

// The packet types. Those that end in Ex are IPv6 with extension headers.
const (
	HashIPv4 HashTypes = 1 << iota
	HashTCPv4
	HashUDPv4
	HashIPv6
	HashTCPv6
	HashUDPv6
	HashIPv6Ex
	HashTCPv6Ex
	HashUDPv6Ex

	// HashAll is all of them.
	HashAll HashTypes = 1<<iota - 1
)

// HashReport is the type of the hash that a device reports with a packet.
type HashReport uint16

// The values of HashReport (5.1.9.4, Hash reporting for incoming packets).
const (
	HashReportNone HashReport = iota
	HashReportIPv4
	HashReportTCPv4
	HashReportUDPv4
	HashReportIPv6
	HashReportTCPv6
	HashReportUDPv6
	HashReportIPv6Ex
	HashReportTCPv6Ex
	HashReportUDPv6Ex
)

// TunnelTypes is a set of encapsulations, as in supported_tunnel_types and
// enabled_tunnel_types (5.1.9.4, Inner Header Hash).
type TunnelTypes uint32

// The encapsulations.
const (
	TunnelGRE2784  TunnelTypes = 1 << iota // GRE over IPv4 (RFC 2784)
	TunnelGRE2890                          // GRE over IPv4 with a key or sequence numbers (RFC 2890)
	TunnelGRE7676                          // GRE over or of IPv6 (RFC 7676)
	TunnelGREUDP                           // GRE in UDP, port 4754 (RFC 8086)
	TunnelVXLAN                            // port 4789 (RFC 7348)
	TunnelVXLANGPE                         // VXLAN of any protocol, port 4790
	TunnelGeneve                           // port 6081 (RFC 8926)
	TunnelIPIP                             // IPv4 over IPv4 (RFC 2003)
	TunnelNVGRE                            // Ethernet over GRE with a key (RFC 7637)

	// TunnelAll is all of them.
	TunnelAll TunnelTypes = 1<<iota - 1
)

// Bounds on the parameters of RSS (5.1.4.1).
const (
	MinRSSKeySize = 40  // bytes that rss_max_key_size has at least
	MinRSSTable   = 128 // entries that rss_max_indirection_table_length has at least
)
