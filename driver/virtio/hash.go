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

// Bounds on the parameters of RSS (5.1.4.1).
const (
	MinRSSKeySize = 40  // bytes that rss_max_key_size has at least
	MinRSSTable   = 128 // entries that rss_max_indirection_table_length has at least
)
