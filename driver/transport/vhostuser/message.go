package vhostuser

import (
	"encoding/binary"
	"fmt"
)

// request is the kind of a message.
type request uint32

const (
	getFeatures         request = 1
	setFeatures         request = 2
	setOwner            request = 3
	setMemTable         request = 5
	setVringNum         request = 8
	setVringAddr        request = 9
	setVringBase        request = 10
	getVringBase        request = 11
	setVringKick        request = 12
	setVringCall        request = 13
	setVringErr         request = 14
	getProtocolFeatures request = 15
	setProtocolFeatures request = 16
	getQueueNum         request = 17
	setVringEnable      request = 18
	sendRARP            request = 19
	getConfig           request = 24
	resetDevice         request = 34
	getMaxMemSlots      request = 36
	addMemReg           request = 37
	remMemReg           request = 38
	setStatus           request = 39
	getStatus           request = 40
)

var requestNames = map[request]string{
	getFeatures: "GET_FEATURES", setFeatures: "SET_FEATURES",
	setOwner: "SET_OWNER", setMemTable: "SET_MEM_TABLE",
	setVringNum: "SET_VRING_NUM", setVringAddr: "SET_VRING_ADDR",
	setVringBase: "SET_VRING_BASE", getVringBase: "GET_VRING_BASE",
	setVringKick: "SET_VRING_KICK", setVringCall: "SET_VRING_CALL", setVringErr: "SET_VRING_ERR",
	getProtocolFeatures: "GET_PROTOCOL_FEATURES", setProtocolFeatures: "SET_PROTOCOL_FEATURES",
	getQueueNum: "GET_QUEUE_NUM", setVringEnable: "SET_VRING_ENABLE",
	sendRARP: "SEND_RARP", getConfig: "GET_CONFIG", resetDevice: "RESET_DEVICE",
	getMaxMemSlots: "GET_MAX_MEM_SLOTS", addMemReg: "ADD_MEM_REG", remMemReg: "REM_MEM_REG",
	setStatus: "SET_STATUS", getStatus: "GET_STATUS",
}

// String returns the name in the description of the protocol, or "request N".
func (r request) String() string {
	if name, ok := requestNames[r]; ok {
		return name
	}
	return fmt.Sprintf("request %d", uint32(r))
}

// The flags word of a header.
const (
	flagVersion   = 1 // bits 0 and 1
	maskVersion   = 3
	flagReply     = 1 << 2
	flagNeedReply = 1 << 3
)

const (
	headerLen  = 12
	u64Len     = 8
	stateLen   = 8  // index and number
	addrLen    = 40 // SET_VRING_ADDR
	regionLen  = 32
	configHead = 12 // offset, size and flags of GET_CONFIG
	configMax  = 256

	// maxRegions is how many regions a memory table holds.
	maxRegions = 8
	// maxRings is bounded by the 8 bits for the ring in KICK, CALL and ERR.
	maxRings = 256
	// noFD in the payload of KICK, CALL and ERR says that there is no descriptor: the
	// ring is polled.
	noFD = 1 << 8
)

// Numbers are in the byte order of the machine: both sides run on it.
var order = binary.NativeEndian

// message is a request to the back end.
type message struct {
	request request
	payload []byte
	fds     []int // lent for the time of sending
}

// encode returns the bytes of a message.
func (m message) encode(needReply bool) []byte {
	flags := uint32(flagVersion)
	if needReply {
		flags |= flagNeedReply
	}
	b := make([]byte, 0, headerLen+len(m.payload))
	b = order.AppendUint32(b, uint32(m.request))
	b = order.AppendUint32(b, flags)
	b = order.AppendUint32(b, uint32(len(m.payload)))
	return append(b, m.payload...)
}

// emptyMessage is a message without a payload.
func emptyMessage(r request) message { return message{request: r} }

// u64Message is a message with one u64.
func u64Message(r request, v uint64) message {
	return message{request: r, payload: order.AppendUint64(nil, v)}
}

// vringState is a message about ring i.
func vringState(r request, i int, v uint32) message {
	b := order.AppendUint32(nil, uint32(i))
	return message{request: r, payload: order.AppendUint32(b, v)}
}

// vringFile is a message that gives ring i an eventfd, -1 for none.
func vringFile(r request, i, fd int) message {
	if fd < 0 {
		return u64Message(r, uint64(i)|noFD)
	}
	m := u64Message(r, uint64(i))
	m.fds = []int{fd}
	return m
}

// vringAddress gives the addresses of ring i. The used (device) area comes before the
// available (driver) area.
func vringAddress(i int, desc, used, avail uint64) message {
	b := make([]byte, 0, addrLen)
	b = order.AppendUint32(b, uint32(i))
	b = order.AppendUint32(b, 0) // flags: nothing is logged
	for _, v := range []uint64{desc, used, avail, 0} {
		b = order.AppendUint64(b, v)
	}
	return message{request: setVringAddr, payload: b}
}

// region is a piece of memory that the back end is to map.
type region struct {
	guest, size, user, offset uint64
	fd                        int
}

func (r region) append(b []byte) []byte {
	for _, v := range []uint64{r.guest, r.size, r.user, r.offset} {
		b = order.AppendUint64(b, v)
	}
	return b
}

// memTable gives the back end all its memory, at most maxRegions regions.
func memTable(regions []region) message {
	m := message{request: setMemTable}
	b := order.AppendUint32(nil, uint32(len(regions)))
	b = order.AppendUint32(b, 0)
	for _, r := range regions {
		b = r.append(b)
		m.fds = append(m.fds, r.fd)
	}
	m.payload = b
	return m
}

// memRegion is ADD_MEM_REG, which carries the file, or REM_MEM_REG, which does
// not.
func memRegion(r request, reg region) message {
	m := message{request: r, payload: reg.append(order.AppendUint64(nil, 0))}
	if r == addMemReg {
		m.fds = []int{reg.fd}
	}
	return m
}

// readConfig requests the first n bytes of device configuration.
func readConfig(n int) message {
	b := make([]byte, 0, configHead+n)
	b = order.AppendUint32(b, 0)
	b = order.AppendUint32(b, uint32(n))
	b = order.AppendUint32(b, 0)
	return message{request: getConfig, payload: append(b, make([]byte, n)...)}
}
