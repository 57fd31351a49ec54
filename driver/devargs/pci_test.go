package devargs

import (
	"errors"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// TestOpenPCIRefuses: a function that cannot be opened is refused with an error
// that names it and the remedy, and nothing on the machine is written.
func TestOpenPCIRefuses(t *testing.T) {
	legacy := sysfstest.VirtioNet("0000:00:04.0", 0x1000, "eth1")
	legacy.Config = sysfstest.Config(0x1000, false)
	block := sysfstest.VirtioNet("0000:00:05.0", 0x1042)
	loop := sysfstest.VirtioNet("0000:00:06.0", 0x1000)
	loop.Config = sysfstest.Config(0x1000, true)
	loop.Config[0x71] = 0x98 // the last capability leads back to the first
	unbound := sysfstest.VirtioNet("0000:00:07.0", 0x1041)
	unbound.Driver = ""
	noIOMMU := sysfstest.VirtioNet("0000:00:08.0", 0x1041)
	noIOMMU.Driver = "vfio-pci"
	noNode := sysfstest.VirtioNet("0000:00:09.0", 0x1041)
	noNode.Driver, noNode.Group = "vfio-pci", 7
	machine := sysfstest.New(t, sysfstest.VirtioNet("0000:00:03.0", 0x1041, "eth0"), legacy, block, loop, unbound, noIOMMU, noNode)

	for _, c := range []struct {
		port   string
		is     func(error) bool
		phrase string
	}{
		{"0000:00:01.0", is[*sysfs.Error], "0000:00:01.0"},
		{"0000:00:03.0", is[*vfio.NotBoundError], "devbind bind 0000:00:03.0"},
		{"pci:00:03.0,queues=2", is[*vfio.NotBoundError], "virtio-pci"},
		{"0000:00:04.0", is[*vpci.UnsupportedError], "disable-legacy=on"},
		{"0000:00:05.0", is[*vpci.UnsupportedError], "1af4:1042"},
		{"0000:00:06.0", is[*pci.Error], "0000:00:06.0: capability list: at offset 0x71 the list is a loop"},
		{"0000:00:07.0", is[*vfio.NotBoundError], "no driver"},
		{"0000:00:08.0", is[*vfio.Error], "noiommu=1"},
		{"0000:00:08.0,noiommu=1", is[*vfio.Error], "enable_unsafe_noiommu_mode"},
		{"0000:00:09.0", is[*vfio.Error], "dev/vfio/7"},
	} {
		port, err := Open(t.Context(), c.port, Options{Root: machine.Root})
		if err == nil {
			t.Errorf("%s was opened", c.port)
			_ = port.Close()
			continue
		}
		if !c.is(err) || !strings.Contains(err.Error(), c.phrase) {
			t.Errorf("%s: error %T %q; it should be of another type or contain %q", c.port, err, err, c.phrase)
		}
	}
	if len(machine.Writes) != 0 {
		t.Errorf("something was written: %v", machine.Writes)
	}
}

func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}
