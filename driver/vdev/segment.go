package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// segments are the frames that a packet was cut into, which is what an interface with
// segmentation offload sends.
type segments struct {
	frames [][]byte
	memory []byte
}

// cut adds the segments of a frame with a gso_type. It returns false, and adds nothing,
// if the frame is not what gso_type says.
//
// Each segment has the headers of the frame, with its own lengths and checksums: the
// IPv4 identification counts up, and so does the sequence number of TCP, whose FIN and PSH
// stay on the last segment and CWR on the first.
func (s *segments) cut(frame []byte, o Offload) bool {
	h, ok := parse(frame)
	if !ok || o.GSOSize == 0 || o.GSOType&^virtio.GSOECN != h.gso() {
		return false
	}
	payload, size := frame[h.payload:], int(o.GSOSize)
	n := max((len(payload)+size-1)/size, 1)
	from := len(s.memory)
	s.memory = append(s.memory, make([]byte, n*h.payload+len(payload))...)
	room := s.memory[from:]
	for i := range n {
		part := payload[i*size : min((i+1)*size, len(payload))]
		length := h.payload + len(part)
		segment := room[:length:length]
		room = room[length:]
		copy(segment, frame[:h.payload])
		copy(segment[h.payload:], part)
		h.finish(segment, i, i*size, i == n-1)
		s.frames = append(s.frames, segment)
	}
	return true
}

// finish makes a copy of the headers and a part of the payload segment number i of a
// packet: before it are off bytes of payload.
func (h *headers) finish(segment []byte, i, off int, last bool) {
	be := binary.BigEndian
	ip, l4 := segment[h.l3:], segment[h.l4:]
	if h.v6 {
		be.PutUint16(ip[4:], uint16(len(ip)-40))
	} else {
		be.PutUint16(ip[2:], uint16(len(ip)))
		be.PutUint16(ip[4:], be.Uint16(ip[4:])+uint16(i))
		be.PutUint16(ip[10:], 0)
		be.PutUint16(ip[10:], ^onesSum(ip[:h.l4-h.l3]))
	}
	if h.proto == protoTCP {
		be.PutUint32(l4[4:], be.Uint32(l4[4:])+uint32(off))
		if i > 0 {
			l4[13] &^= tcpCWR
		}
		if !last {
			l4[13] &^= tcpFIN | tcpPSH
		}
	} else {
		be.PutUint16(l4[4:], uint16(len(l4)))
	}
	at := h.checksumAt()
	be.PutUint16(l4[at:], h.pseudoHeader(segment, len(l4)))
	complete(segment, Offload{CsumStart: uint16(h.l4), CsumOffset: uint16(at)})
}

// copy returns a copy of a frame.
func (s *segments) copy(frame []byte) []byte {
	from := len(s.memory)
	s.memory = append(s.memory, frame...)
	return s.memory[from:len(s.memory):len(s.memory)]
}

// keptSegments is how much memory segments keep.
const keptSegments = 1 << 20

func (s *segments) clear() {
	if cap(s.memory) > keptSegments {
		*s = segments{}
		return
	}
	clear(s.frames)
	s.frames, s.memory = s.frames[:0], s.memory[:0]
}
