package vpci_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
)

// TestDescribe: the description has what the function's configuration space says, and a queue
// without a vector none.
func TestDescribe(t *testing.T) {
	d := open(t, function(t, pcifn.Config{Address: "0000:00:07.0"}))
	kind, details := d.Describe()
	said := map[string]string{}
	for _, d := range details {
		said[d.Name] = d.Value
	}
	if kind != "PCI" || said["function"] != "0000:00:07.0" || said["identity"] != "vendor 0x1af4, device 0x1041, revision 1" ||
		said["interrupts"] == "" || said["addresses"] == "" {
		t.Errorf("%s: %q", kind, said)
	}
	if v := d.QueueVector(0); v != -1 {
		t.Errorf("vector %d", v)
	}
}
