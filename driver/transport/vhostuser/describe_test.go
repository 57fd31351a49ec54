package vhostuser_test

import (
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

// TestDescribe: the description names the protocol features, and what the back end offers and
// the front end cannot pass on, with the reason.
func TestDescribe(t *testing.T) {
	b := newBackend(t)
	b.protocols |= 1 << slots
	b.features |= 1<<18 | 1<<40 // CTRL_RX, RING_RESET
	b.listen()
	kind, details := open(t, b, vhostuser.Options{}).Describe()
	said := map[string]string{}
	for _, d := range details {
		said[d.Name] += d.Value + "\n"
	}
	if kind != "vhost-user" || said["socket"] != b.path+"\n" || !strings.HasPrefix(said["role"], "client") ||
		said["protocol"] != "MQ REPLY_ACK CONFIGURE_MEM_SLOTS STATUS\n" || !strings.Contains(said["memory"], "of at most 32") ||
		!strings.Contains(said["withheld"], "CTRL_RX: a back end has no control queue") {
		t.Errorf("%s: %q", kind, said)
	}
}
