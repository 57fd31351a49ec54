package vhostback

import (
	"encoding/binary"
	"strconv"
)

// The messages of the protocol as bytes. Numbers are in the byte order of the
// machine, since both sides run on it.
var native = binary.NativeEndian

// request is the first word of a message.
type request uint32

const (
	reqGetFeatures     request = 1
	reqSetFeatures     request = 2
	reqSetOwner        request = 3
	reqResetOwner      request = 4
	reqSetMemTable     request = 5
	reqSetVringNum     request = 8
	reqSetVringAddr    request = 9
	reqSetVringBase    request = 10
	reqGetVringBase    request = 11
	reqSetVringKick    request = 12
	reqSetVringCall    request = 13
	reqSetVringErr     request = 14
	reqGetProtocol     request = 15
	reqSetProtocol     request = 16
	reqGetQueueNum     request = 17
	reqSetVringEnable  request = 18
	reqSendRARP        request = 19
	reqNetSetMTU       request = 20
	reqGetConfig       request = 24
	reqSetConfig       request = 25
	reqGetInflight     request = 31
	reqSetInflight     request = 32
	reqResetDevice     request = 34
	reqGetMaxMemSlots  request = 36
	reqAddMemRegion    request = 37
	reqRemoveMemRegion request = 38
	reqSetStatus       request = 39
	reqGetStatus       request = 40
)

// String is the name in the protocol's description, or the number.
func (r request) String() string {
	if k := kindOf(r); k != nil {
		return k.name
	}
	return "request " + strconv.FormatUint(uint64(r), 10)
}

// The second word of a message.
const (
	versionMask = 3
	version     = 1
	isReply     = 1 << 2
	wantsReply  = 1 << 3
)

const (
	headerSize = 12
	// maxPayload is above the largest message there is (a table of 8 regions, or
	// 256 bytes of configuration).
	maxPayload = 512
	maxFDs     = 8

	numberSize = 8
	stateSize  = 8
	addrSize   = 40
	regionSize = 32
	configHead = 12
	configMax  = 256

	// noFD in the number of KICK, CALL and ERR: no file descriptor comes with it.
	noFD = 1 << 8
)

// Protocol features.
const (
	protoMQ       = 0
	protoRARP     = 2
	protoReplyAck = 3
	protoMTU      = 4
	protoConfig   = 9
	protoInflight = 12
	protoReset    = 13
	protoMemSlots = 15
	protoStatus   = 16

	protoOffered = 1<<protoMQ | 1<<protoRARP | 1<<protoReplyAck | 1<<protoMTU | 1<<protoConfig |
		1<<protoInflight | 1<<protoReset | 1<<protoMemSlots | 1<<protoStatus
)

// protocolBit is the feature bit that says that there are protocol features.
const protocolBit = 30

// message is a request as it arrived. A handler that keeps a descriptor takes it
// with takeFD; drop closes the others.
type message struct {
	request request
	flags   uint32
	payload []byte
	fds     []int
}

func (m *message) number() uint64 { return native.Uint64(m.payload) }

// state is the payload of the messages about a ring and a number.
func (m *message) state() (index, number uint32) {
	return native.Uint32(m.payload), native.Uint32(m.payload[4:])
}

// takeFD takes descriptor i out of the message.
func (m *message) takeFD(i int) int {
	fd := m.fds[i]
	m.fds[i] = -1
	return fd
}

// ringAddress is the payload of SET_VRING_ADDR: user addresses, the used ring
// before the available one.
type ringAddress struct {
	index, flags      uint32
	desc, used, avail uint64
}

func (m *message) ringAddress() ringAddress {
	b := m.payload
	return ringAddress{index: native.Uint32(b), flags: native.Uint32(b[4:]),
		desc: native.Uint64(b[8:]), used: native.Uint64(b[16:]), avail: native.Uint64(b[24:])}
}

// regionInfo is a region of memory as a message describes it.
type regionInfo struct{ guest, size, user, offset uint64 }

func parseRegion(b []byte) regionInfo {
	return regionInfo{native.Uint64(b), native.Uint64(b[8:]), native.Uint64(b[16:]), native.Uint64(b[24:])}
}

// reply returns the bytes of a reply to r.
func reply(r request, payload []byte) []byte {
	b := make([]byte, 0, headerSize+len(payload))
	b = native.AppendUint32(b, uint32(r))
	b = native.AppendUint32(b, version|isReply)
	b = native.AppendUint32(b, uint32(len(payload)))
	return append(b, payload...)
}

func numberBytes(v uint64) []byte { return native.AppendUint64(nil, v) }

func stateBytes(index, number uint32) []byte {
	return native.AppendUint32(native.AppendUint32(nil, index), number)
}
