package virtio

// Classes of commands on the control virtqueue (5.1.9.5).
const (
	CtrlRx            = 0 // with CTRL_RX, some commands with CTRL_RX_EXTRA
	CtrlMAC           = 1 // with CTRL_RX, ADDR_SET with CTRL_MAC_ADDR
	CtrlVLAN          = 2 // with CTRL_VLAN
	CtrlAnnounce      = 3 // with GUEST_ANNOUNCE
	CtrlMQ            = 4 // with MQ, RSS or HASH_REPORT
	CtrlGuestOffloads = 5 // with CTRL_GUEST_OFFLOADS
	CtrlNotfCoal      = 6 // with NOTF_COAL or VQ_NOTF_COAL
	CtrlHashTunnel    = 7 // with HASH_TUNNEL
	CtrlStats         = 8 // with DEVICE_STATS
)

// Commands of [CtrlRx], each with one byte: 1 switches the mode on and 0 off (5.1.9.5.1).
const (
	CtrlRxPromisc  = 0
	CtrlRxAllMulti = 1
	CtrlRxAllUni   = 2 // this and the following with CTRL_RX_EXTRA
	CtrlRxNoMulti  = 3
	CtrlRxNoUni    = 4
	CtrlRxNoBcast  = 5
)

// Commands of [CtrlMAC] (5.1.9.5.2).
const (
	// CtrlMACTableSet has two lists, unicast and then multicast: le32 entries, and 6
	// bytes for each.
	CtrlMACTableSet = 0
	CtrlMACAddrSet  = 1 // 6 bytes
)

// Commands of [CtrlVLAN], each with a le16 VLAN ID (5.1.9.5.3).
const (
	CtrlVLANAdd = 0
	CtrlVLANDel = 1
)

// CtrlAnnounceAck is the command of [CtrlAnnounce], without data (5.1.9.5.4).
const CtrlAnnounceAck = 0

// Commands of [CtrlMQ] (5.1.9.5.5 and the two sections after it).
const (
	CtrlMQPairsSet   = 0 // le16 queue pairs
	CtrlMQRSSConfig  = 1 // struct virtio_net_rss_config
	CtrlMQHashConfig = 2 // struct virtio_net_hash_config
)

// CtrlGuestOffloadsSet is the command of [CtrlGuestOffloads], with the le64 of the
// receive offloads to be on, by the numbers of their features (5.1.9.5, Offloads State).
const CtrlGuestOffloadsSet = 0

// Commands of [CtrlNotfCoal] (5.1.9.5, Notifications Coalescing).
const (
	CtrlNotfCoalTxSet = 0 // le32 packets, le32 microseconds
	CtrlNotfCoalRxSet = 1 // likewise
	CtrlNotfCoalVQSet = 2 // le16 virtqueue, le16 reserved, le32 packets, le32 microseconds
	// CtrlNotfCoalVQGet has le16 virtqueue and le16 reserved, and the device answers
	// behind the ack with le32 packets and le32 microseconds.
	CtrlNotfCoalVQGet = 3
)

// CtrlHashTunnelSet is the command of [CtrlHashTunnel], with the le32 of [TunnelTypes]
// (5.1.9.4, Inner Header Hash).
const CtrlHashTunnelSet = 0

// Commands of [CtrlStats] (5.1.9.5, Device Statistics).
const (
	// CtrlStatsQuery has no data, and the device answers with the le64 set of the types
	// of statistics that it has.
	CtrlStatsQuery = 0
	// CtrlStatsGet has, for each virtqueue asked for, le16 virtqueue, 6 bytes reserved and
	// the le64 set of types. The device answers with one record for each type: u8 type, u8
	// reserved, le16 virtqueue, le16 reserved, le16 bytes of the record with this header,
	// and le64 counters.
	CtrlStatsGet = 1
)

// Types of statistics, by their bit in a set of them.
const (
	StatsRxBasic = 0
	StatsRxCsum  = 1 // with GUEST_CSUM
	StatsRxGSO   = 2 // with GUEST_TSO4 or GUEST_TSO6
	StatsRxSpeed = 3
	StatsTxBasic = 16
	StatsTxCsum  = 17 // with CSUM
	StatsTxGSO   = 18 // with HOST_TSO4, HOST_TSO6 or HOST_USO
	StatsTxSpeed = 19
	StatsCtrl    = 32
)

// StatsHeaderLen is the length of the header of a record of [CtrlStatsGet].
const StatsHeaderLen = 8

// Values of the ack byte of a command.
const (
	CtrlOK  = 0
	CtrlErr = 1
)
