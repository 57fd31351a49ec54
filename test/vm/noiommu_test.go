package vm

import (
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/vm/qemu"
)

// TestNoIOMMU runs a guest without an IOMMU, whose vfio was told to do without.
func TestNoIOMMU(t *testing.T) {
	nics := []*nic{
		{id: "a"}, {id: "b", options: "packed=on"},
		{id: "old1", options: "disable-legacy=off"},
		{id: "old2", options: "disable-legacy=off,packed=on"},
		{id: "ancient", options: "disable-legacy=off,disable-modern=on"},
		{id: "jumbo1", options: "host_mtu=9000"}, {id: "jumbo2", options: "host_mtu=9000"},
		{id: "onebuf", options: "host_mtu=9000,mrg_rxbuf=off"},
		{id: "page", options: "page-per-vq=on"}, {id: "pio", options: "modern-pio-notify=on"},
		{id: "plug1", bus: qemu.Port}, {id: "plug2", bus: qemu.Port},
	}
	bound := []string{"a", "b", "old1", "old2", "jumbo1", "jumbo2", "onebuf", "page", "pio",
		"plug1", "plug2"}
	taps := privileged(t)
	if taps {
		nics = append(nics,
			&nic{id: "host1", ns: hosts(t, "host1", "10.1.0.1/24", 1)},
			&nic{id: "host2", ns: hosts(t, "host2", "10.1.0.2/24", 1)},
			&nic{id: "pairs1", options: "mq=on,vectors=10",
				ns: hosts(t, "pairs1", "10.2.0.1/24", 4)},
			&nic{id: "pairs2", options: "mq=on,vectors=10",
				ns: hosts(t, "pairs2", "10.2.0.2/24", 4)})
		bound = append(bound, "host1", "host2", "pairs1", "pairs2")
	}
	g := boot(t, "noiommu", false, nics)
	t.Run("refuses what is not bound", func(t *testing.T) { g.testRefusesUnbound(t, "a") })
	t.Run("devbind dry run", func(t *testing.T) { g.testDryRun(t, "a") })
	t.Run("devbind refuses a legacy device", func(t *testing.T) {
		g.refuses(t, []string{g.nics["ancient"].address, "legacy"}, "/bin/devbind", "bind",
			g.nics["ancient"].address)
	})
	g.testStatus(t, "a", "modern", "virtio-pci")
	g.testStatus(t, "old1", "transitional", "virtio-pci")
	g.testStatus(t, "ancient", "legacy", "virtio-pci")
	g.bind(t, bound...)
	g.testStatus(t, "a", "modern", "vfio-pci")
	t.Run("refuses unless asked to do without", func(t *testing.T) {
		g.refuses(t, []string{g.nics["a"].address, "noiommu=1"}, "/bin/l2fwd", g.nics["a"].address)
	})
	t.Run("refuses a legacy device", func(t *testing.T) {
		g.must(t, "/bin/devbind", "bind", "--force", g.nics["ancient"].address)
		g.refuses(t, []string{g.nics["ancient"].address, "legacy"},
			g.command(nil, ports("", "ancient"))...)
	})
	t.Run("forwards", func(t *testing.T) { g.testForward(t, ports("", "a", "b"), frames) })
	t.Run("transitional", func(t *testing.T) {
		id := strings.TrimSpace(g.must(t, "/init", "cat", "/sys/bus/pci/devices/"+
			g.nics["old1"].address+"/device"))
		if id != "0x1000" {
			t.Errorf("the function has the id %s, not that of a transitional device", id)
		}
		g.testForward(t, ports("", "old1", "old2"), fewFrames)
	})
	if taps {
		g.testTaps(t)
	}
	g.testCommon(t)
}
