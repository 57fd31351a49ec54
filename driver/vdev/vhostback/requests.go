package vhostback

// kind describes a request of the protocol.
type kind struct {
	request request
	name    string
	// size is the length of the payload; -1: it varies, and the handler checks.
	size int
	// fds is how many descriptors come along at least and at most.
	least, most int
	// proto is the protocol feature it needs, -1 for none.
	proto int
	// replies is true if the reply is more than an acknowledgement.
	replies bool
	handle  func(*session, *message) ([]byte, error)
}

// kindOf returns the description of a request, nil if there is none.
func kindOf(r request) *kind {
	kinds := allKinds()
	for i := range kinds {
		if kinds[i].request == r {
			return &kinds[i]
		}
	}
	return nil
}

// allKinds is the table of requests.
func allKinds() []kind {
	return []kind{
		{reqGetFeatures, "GET_FEATURES", 0, 0, 0, -1, true, (*session).getFeatures},
		{reqSetFeatures, "SET_FEATURES", numberSize, 0, 0, -1, false, (*session).setFeatures},
		{reqSetOwner, "SET_OWNER", 0, 0, 0, -1, false, (*session).setOwner},
		{reqResetOwner, "RESET_OWNER", 0, 0, 0, -1, false, (*session).resetDevice},
		{reqSetMemTable, "SET_MEM_TABLE", -1, 0, maxFDs, -1, false, (*session).setMemTable},
		{reqSetVringNum, "SET_VRING_NUM", stateSize, 0, 0, -1, false, (*session).setVringNum},
		{reqSetVringAddr, "SET_VRING_ADDR", addrSize, 0, 0, -1, false, (*session).setVringAddr},
		{reqSetVringBase, "SET_VRING_BASE", stateSize, 0, 0, -1, false, (*session).setVringBase},
		{reqGetVringBase, "GET_VRING_BASE", stateSize, 0, 0, -1, true, (*session).getVringBase},
		{reqSetVringKick, "SET_VRING_KICK", numberSize, 0, 1, -1, false, (*session).setVringKick},
		{reqSetVringCall, "SET_VRING_CALL", numberSize, 0, 1, -1, false, (*session).setVringCall},
		{reqSetVringErr, "SET_VRING_ERR", numberSize, 0, 1, -1, false, (*session).setVringErr},
		{reqGetProtocol, "GET_PROTOCOL_FEATURES", 0, 0, 0, -1, true, (*session).getProtocol},
		{reqSetProtocol, "SET_PROTOCOL_FEATURES", numberSize, 0, 0, -1, false, (*session).setProtocol},
		{reqGetQueueNum, "GET_QUEUE_NUM", 0, 0, 0, protoMQ, true, (*session).getQueueNum},
		{reqSetVringEnable, "SET_VRING_ENABLE", stateSize, 0, 0, -1, false, (*session).setVringEnable},
		{reqSendRARP, "SEND_RARP", numberSize, 0, 0, protoRARP, false, (*session).sendRARP},
		{reqNetSetMTU, "NET_SET_MTU", numberSize, 0, 0, protoMTU, false, (*session).setMTU},
		{reqGetConfig, "GET_CONFIG", -1, 0, 0, protoConfig, true, (*session).getConfig},
		{reqSetConfig, "SET_CONFIG", -1, 0, 0, protoConfig, false, (*session).setConfig},
		{reqGetInflight, "GET_INFLIGHT_FD", -1, 0, 0, protoInflight, true, (*session).getInflight},
		{reqSetInflight, "SET_INFLIGHT_FD", -1, 1, 1, protoInflight, false, (*session).setInflight},
		{reqResetDevice, "RESET_DEVICE", 0, 0, 0, protoReset, false, (*session).resetDevice},
		{reqGetMaxMemSlots, "GET_MAX_MEM_SLOTS", 0, 0, 0, protoMemSlots, true, (*session).getMaxMemSlots},
		{reqAddMemRegion, "ADD_MEM_REG", 8 + regionSize, 1, 1, protoMemSlots, false, (*session).addMemRegion},
		// There are front ends that attach a descriptor to this one: it is closed.
		{reqRemoveMemRegion, "REM_MEM_REG", 8 + regionSize, 0, 1, protoMemSlots, false, (*session).removeMemRegion},
		{reqSetStatus, "SET_STATUS", numberSize, 0, 0, protoStatus, false, (*session).setStatus},
		{reqGetStatus, "GET_STATUS", 0, 0, 0, protoStatus, true, (*session).getStatus},
	}
}
