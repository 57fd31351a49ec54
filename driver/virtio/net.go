package virtio

// Offsets of the fields of the network device configuration (5.1.4).
// Each field is read with accesses of its own width.
const (
	NetConfigMAC      = 0  // 6 bytes, one at a time
	NetConfigStatus   = 6  // le16
	NetConfigMaxPairs = 8  // le16
	NetConfigMTU      = 10 // le16
	NetConfigSpeed    = 12 // le32, Mbit/s
	NetConfigDuplex   = 16 // u8

	NetConfigRSSMaxKeySize = 17 // u8, bytes, with RSS or HASH_REPORT
	NetConfigRSSMaxTable   = 18 // le16, entries, with RSS
	NetConfigHashTypes     = 20 // le32 of HashTypes, with RSS or HASH_REPORT
	NetConfigTunnelTypes   = 24 // le32 of TunnelTypes, with HASH_TUNNEL
)

// Bits of the status field of the network device configuration.
const (
	NetStatusLinkUp   = 1
	NetStatusAnnounce = 2
)

// NetHeaderLen is the size of struct virtio_net_hdr for a modern device
// without HASH_REPORT (5.1.9): num_buffers is there even without MRG_RXBUF.
const NetHeaderLen = 12

// NetHeaderHashLen is the size of struct virtio_net_hdr with HASH_REPORT, in both
// directions.
const NetHeaderHashLen = 20

// HeaderLen returns the size of struct virtio_net_hdr with the negotiated features f.
func HeaderLen(f Features) int {
	if f.Has(NetHashReport) {
		return NetHeaderHashLen
	}
	return NetHeaderLen
}

// Offsets inside struct virtio_net_hdr.
const (
	NetHeaderFlags      = 0  // u8
	NetHeaderGSOType    = 1  // u8
	NetHeaderHdrLen     = 2  // le16
	NetHeaderGSOSize    = 4  // le16
	NetHeaderCsumStart  = 6  // le16
	NetHeaderCsumOffset = 8  // le16
	NetHeaderNumBuffers = 10 // le16
	NetHeaderHashValue  = 12 // le32, with HASH_REPORT
	NetHeaderHashReport = 16 // le16, a HashReport, with HASH_REPORT
)

// Values of the flags and gso_type fields of struct virtio_net_hdr.
const (
	NetHeaderNeedsCsum = 1
	NetHeaderDataValid = 2
	NetHeaderRSCInfo   = 4

	GSONone  = 0
	GSOTCPv4 = 1
	GSOUDP   = 3
	GSOTCPv6 = 4
	GSOUDPL4 = 5
	GSOECN   = 0x80
)

// Bounds on max_virtqueue_pairs (5.1.4.1) and on the MTU field.
const (
	MaxQueuePairs = 0x8000
	MinMTU        = 68
)

// RxQueueIndex returns the virtqueue number of receiveq of pair i, counted from 0.
func RxQueueIndex(i int) int { return 2 * i }

// TxQueueIndex returns the virtqueue number of transmitq of pair i, counted from 0.
func TxQueueIndex(i int) int { return 2*i + 1 }

// CtrlQueueIndex returns the virtqueue number of the control queue: it follows
// all pairs the device has when MQ or RSS is negotiated, however few are used,
// and the only pair otherwise (5.1.2).
func CtrlQueueIndex(f Features, maxPairs int) int {
	if f.Has(NetMQ) || f.Has(NetRSS) {
		return 2 * maxPairs
	}
	return 2
}
