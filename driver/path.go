package driver

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Path says in words how packets are received and transmitted, and why not
// faster.
type Path struct {
	Rx string `json:"rx"`
	Tx string `json:"tx"`
	// Rejected are the faster paths that were not chosen, with the reason, the one
	// that would gain most first.
	Rejected []Rejected `json:"rejected,omitempty"`
}

// Rejected is a faster path and why it was not chosen.
type Rejected struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}

// String returns the path on one line.
func (p Path) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "RX %s; TX %s", p.Rx, p.Tx)
	for _, r := range p.Rejected {
		fmt.Fprintf(&b, "; no %s: %s", r.Path, r.Reason)
	}
	return b.String()
}

// faster lists the features that make a path faster, the one that gains most first.
var faster = []struct {
	feature virtio.Feature
	word    string
}{
	{virtio.RingPacked, "packed ring"},
	{virtio.InOrder, "in-order completion"},
	{virtio.RingEventIdx, "event index"},
	{virtio.RingIndirectDesc, "indirect descriptors"},
	{virtio.NetMrgRxbuf, "mergeable receive buffers"},
}

// path describes what was negotiated.
func (n *negotiated) path(refuse virtio.Features) Path {
	f := n.features
	ring := []string{"split"}
	if f.Has(virtio.RingPacked) {
		ring[0] = "packed"
	}
	if f.Has(virtio.InOrder) {
		ring = append(ring, "in-order")
	}
	if f.Has(virtio.RingEventIdx) {
		ring = append(ring, "event-idx")
	}
	rx, tx := append([]string(nil), ring...), ring
	if f.Has(virtio.NetMrgRxbuf) {
		rx = append(rx, "mergeable")
	}
	if f.Has(virtio.RingIndirectDesc) {
		tx = append(tx, "indirect")
	}
	p := Path{Rx: strings.Join(rx, ", "), Tx: strings.Join(tx, ", ")}
	for _, w := range faster {
		if f.Has(w.feature) {
			continue
		}
		reason := fmt.Sprintf("the device does not offer %v", w.feature)
		switch {
		case !n.offered.Has(w.feature):
		case refuse.Has(w.feature):
			reason = fmt.Sprintf("%v is refused by the configuration", w.feature)
		default:
			reason = fmt.Sprintf("%v was not offered when the port was opened; open it again", w.feature)
		}
		p.Rejected = append(p.Rejected, Rejected{Path: w.word, Reason: reason})
	}
	return p
}
