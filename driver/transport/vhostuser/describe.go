package vhostuser

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// protocolNames are the names of the protocol features that are implemented.
var protocolNames = []struct {
	bit  int
	name string
}{
	{protocolMQ, "MQ"}, {protocolRARP, "RARP"}, {protocolReplyAck, "REPLY_ACK"}, {protocolConfig, "CONFIG"},
	{protocolReset, "RESET_DEVICE"}, {protocolMemSlots, "CONFIGURE_MEM_SLOTS"},
	{protocolStatus, "STATUS"},
}

// Describe implements transport.Describer.
func (d *Device) Describe() (kind string, details []transport.Detail) {
	add := func(name, format string, args ...any) {
		details = append(details, transport.Detail{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	const front = "vhost-user"
	add("socket", "%s", d.path)
	role := "client: connects to the back end"
	if d.opt.Server {
		role = "server: the back end connects"
	}
	add("role", "%s", role)
	s, err := d.current()
	if err != nil {
		add("connection", "none: %v", err)
		return front, details
	}
	var names []string
	for _, p := range protocolNames {
		if s.has(p.bit) {
			names = append(names, p.name)
		}
	}
	add("protocol", "%s", strings.Join(names, " "))
	add("memory", "%d regions of at most %d", len(s.memory), s.slots)
	// What the back end offers and the front end does not pass on.
	withheld := s.backEnd().Minus(d.offer(s))
	for _, w := range []struct {
		features virtio.Features
		why      string
	}{
		{controlled, "a back end has no control queue"},
		{unimplemented, "the front end does not implement it"},
		{configured, "the back end reports no device configuration"},
	} {
		if f := withheld.And(w.features); !f.Empty() {
			add("withheld", "%v: %s", f, w.why)
			withheld = withheld.Minus(f)
		}
	}
	return front, details
}

// QueueVector implements transport.Describer: interrupts are eventfds here.
func (d *Device) QueueVector(int) int { return -1 }
