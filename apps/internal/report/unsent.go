package report

import (
	"fmt"
	"strings"
)

// Unsent says why packets were not sent. Dropped are those of the first three kinds,
// errors the others.
type Unsent struct {
	Full   uint64 `json:"queue_full"`   // the queue had no room
	Length uint64 `json:"length"`       // longer than the MTU allows, or shorter than a header
	Device uint64 `json:"device"`       // the device dropped them, as when the link is down
	Chain  uint64 `json:"segments"`     // more segments than the ring takes
	Pool   uint64 `json:"foreign_pool"` // in a pool that the port does not have
	Owner  uint64 `json:"freed"`        // nil, or freed or sent before
	// Offload are those with a request that they cannot have, or without buffers to cut them.
	Offload uint64 `json:"offload"`
}

// unsent returns why packets were not sent.
func (n counts) unsent() Unsent {
	u := Unsent{Full: n.full}
	for _, q := range n.Queues {
		u.Length += q.Tx.LengthDrops
		u.Chain += q.Tx.ChainDrops
		u.Pool += q.Tx.PoolDrops
		u.Owner += q.Tx.OwnerDrops
		u.Offload += q.Tx.OffloadDrops
	}
	if rest := u.Full + u.Length; n.TxDropped > rest {
		u.Device = n.TxDropped - rest
	}
	return u
}

// words lists the reasons that there are, with the number of packets.
func (u Unsent) words(mtu int) string {
	limit := ""
	if mtu > 0 {
		limit = fmt.Sprintf(" of %d", mtu)
	}
	var list []string
	for _, reason := range []struct {
		n    uint64
		text string
	}{
		{u.Full, "found the queue full"},
		{u.Length, "are longer than the MTU" + limit + ", or shorter than a header"},
		{u.Device, "were dropped by the device"},
		{u.Chain, "have too many segments"},
		{u.Pool, "are in a pool that the port does not have"},
		{u.Owner, "were freed or sent before"},
		{u.Offload, "cannot be cut or have their checksum completed"},
	} {
		if reason.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", reason.n, reason.text))
		}
	}
	return strings.Join(list, "; ")
}

// UnsentError is a port that sent nothing of what was to leave by it.
type UnsentError struct {
	Number  int    // of the port
	Name    string // as the command line gave it
	Packets uint64
	Reason  string
	Remedy  string // "" if there is none
}

func (e *UnsentError) Error() string {
	text := fmt.Sprintf("port %d: %s: not one of %d packets was sent: %s", e.Number, e.Name, e.Packets, e.Reason)
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// unsentError returns an [*UnsentError] if the port sent nothing of what was to leave by
// it.
func (p *Port) unsentError(n counts) error {
	packets := n.TxDropped + n.TxErrors
	if n.TxPackets > 0 || packets == 0 {
		return nil
	}
	u := n.unsent()
	e := &UnsentError{Number: p.Number, Name: p.Name, Packets: packets, Reason: u.words(p.MTU)}
	switch {
	case u.Length > 0:
		e.Remedy = "give the port a larger mtu=, where its device allows one, or make the packets shorter"
	case u.Device > 0 || u.Full > 0:
		e.Remedy = "see whether its link is up and its peer takes packets: " + p.State()
	}
	return e
}
