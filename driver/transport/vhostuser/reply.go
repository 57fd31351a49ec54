package vhostuser

// header is what every message begins with.
type header struct {
	request request
	flags   uint32
	size    uint32 // of the payload, bytes
}

// decodeHeader reads the first 12 bytes of a message.
func decodeHeader(b *[headerLen]byte) header {
	return header{
		request: request(order.Uint32(b[0:])),
		flags:   order.Uint32(b[4:]),
		size:    order.Uint32(b[8:]),
	}
}

// expectation is the one reply that may come next.
type expectation struct {
	request request
	size    int  // of the payload, bytes
	orNone  bool // an empty payload will do too: it says that the request failed
}

// check compares the header of a reply with what may come. nil is nothing at
// all. The size is settled here, so no payload is longer than was expected.
func (e *expectation) check(h header) error {
	if e == nil {
		return &ProtocolError{Message: h.request.String(), Field: "request", Got: uint64(h.request),
			Reason: "a message came that was not asked for"}
	}
	wrong := &ProtocolError{Message: e.request.String()}
	switch {
	case h.flags&maskVersion != flagVersion:
		wrong.Field, wrong.Got, wrong.Want = "version", uint64(h.flags&maskVersion), flagVersion
		wrong.Reason = "the reply is of another version of the protocol"
	case h.flags&flagReply == 0:
		wrong.Field, wrong.Got, wrong.Want = "flags", uint64(h.flags), flagVersion|flagReply
		wrong.Reason = "the message is not marked as a reply"
	case h.request != e.request:
		wrong.Field, wrong.Got, wrong.Want = "request", uint64(h.request), uint64(e.request)
		wrong.Reason = "the reply is to another request, " + h.request.String()
	case int64(h.size) != int64(e.size) && (h.size != 0 || !e.orNone):
		wrong.Field, wrong.Got, wrong.Want = "size", uint64(h.size), uint64(e.size)
		wrong.Reason = "the payload of the reply has another size"
	default:
		return nil
	}
	return wrong
}

// decodeState reads the payload of GET_VRING_BASE and checks that it is about
// ring i.
func decodeState(b []byte, i int) (uint32, error) {
	if len(b) != stateLen {
		return 0, sizeError(getVringBase, len(b), stateLen)
	}
	if got := order.Uint32(b); got != uint32(i) {
		return 0, &ProtocolError{Message: getVringBase.String(), Field: "index", Got: uint64(got), Want: uint64(i),
			Reason: "the reply is about another ring"}
	}
	return order.Uint32(b[4:]), nil
}

// decodeNumber reads a payload of one number.
func decodeNumber(r request, b []byte) (uint64, error) {
	if len(b) != u64Len {
		return 0, sizeError(r, len(b), u64Len)
	}
	return order.Uint64(b), nil
}

// decodeConfig reads the payload of GET_CONFIG for the first n bytes of device
// configuration. The fields in front of them have to be as they were sent.
func decodeConfig(b []byte, n int) ([]byte, error) {
	if len(b) != configHead+n {
		return nil, sizeError(getConfig, len(b), configHead+n)
	}
	if off := order.Uint32(b); off != 0 {
		return nil, &ProtocolError{Message: getConfig.String(), Field: "offset", Got: uint64(off),
			Reason: "the reply is about another part of the configuration"}
	}
	if size := order.Uint32(b[4:]); size != uint32(n) {
		return nil, &ProtocolError{Message: getConfig.String(), Field: "size of the configuration", Got: uint64(size), Want: uint64(n),
			Reason: "the reply is about another part of the configuration"}
	}
	return b[configHead:], nil
}

func sizeError(r request, got, want int) error {
	return &ProtocolError{Message: r.String(), Field: "size", Got: uint64(got), Want: uint64(want),
		Reason: "the payload of the reply has another size"}
}
