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
	orEmpty bool // an empty payload is accepted too: it says that the request failed
}

// check compares the header of a reply with what is expected. A nil expectation
// accepts no message. The size is checked here, so that no payload is longer than
// expected.
func (e *expectation) check(h header) error {
	if e == nil {
		return protocolError(h.request.String(), "request", uint64(h.request), 0,
			"a message came that was not asked for")
	}
	wrong := func(field string, got, want uint64, reason string) error {
		return protocolError(e.request.String(), field, got, want, reason)
	}
	switch {
	case h.flags&maskVersion != flagVersion:
		return wrong("version", uint64(h.flags&maskVersion), flagVersion,
			"the reply is of another version of the protocol")
	case h.flags&flagReply == 0:
		return wrong("flags", uint64(h.flags), flagVersion|flagReply,
			"the message is not marked as a reply")
	case h.request != e.request:
		return wrong("request", uint64(h.request), uint64(e.request),
			"the reply is to another request, "+h.request.String())
	case int64(h.size) != int64(e.size) && (h.size != 0 || !e.orEmpty):
		return wrong("size", uint64(h.size), uint64(e.size),
			"the payload of the reply has another size")
	}
	return nil
}

// decodeState reads the payload of GET_VRING_BASE and checks that it is about
// ring i.
func decodeState(b []byte, i int) (uint32, error) {
	if len(b) != stateLen {
		return 0, sizeError(getVringBase, len(b), stateLen)
	}
	if got := order.Uint32(b); got != uint32(i) {
		return 0, protocolError(getVringBase.String(), "index", uint64(got), uint64(i),
			"the reply is about another ring")
	}
	return order.Uint32(b[4:]), nil
}

// decodeU64 reads a payload of one u64.
func decodeU64(r request, b []byte) (uint64, error) {
	if len(b) != u64Len {
		return 0, sizeError(r, len(b), u64Len)
	}
	return order.Uint64(b), nil
}

// decodeConfig reads the payload of GET_CONFIG for the first n bytes of device
// configuration. Offset and size say which bytes these are, and have to be as they
// were sent. The flags are not looked at: the description of the protocol gives
// them a meaning in messages of the front end only.
func decodeConfig(b []byte, n int) ([]byte, error) {
	if len(b) != configHead+n {
		return nil, sizeError(getConfig, len(b), configHead+n)
	}
	if off := order.Uint32(b); off != 0 {
		return nil, protocolError(getConfig.String(), "offset", uint64(off), 0,
			"the reply is about another part of the configuration")
	}
	if size := order.Uint32(b[4:]); size != uint32(n) {
		return nil, protocolError(getConfig.String(), "size of the configuration", uint64(size),
			uint64(n),
			"the reply is about another part of the configuration")
	}
	return b[configHead:], nil
}

func sizeError(r request, got, want int) error {
	return protocolError(r.String(), "size", uint64(got), uint64(want),
		"the payload of the reply has another size")
}
