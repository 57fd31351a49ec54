package vm

import (
	"os"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
	"github.com/virtio-pmd/virtio-pmd/test/vm/qemu"
)

const (
	// frames is how many go each way in the test that matters most.
	frames = 100_000
	// fewFrames go each way where a variant of the device is tried.
	fewFrames = 2_000
	// transfer is how many bytes TCP carries each way.
	transfer = 64 << 20
)

// privileged reports whether network namespaces and TAP interfaces, which take
// root, are part of the tests. In CI they always are: without root making them
// fails there.
func privileged(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 || os.Getenv("CI") != "" {
		return true
	}
	t.Log("left out without root: network namespaces and TAP interfaces")
	return false
}

// hosts makes a network namespace with a TAP interface.
func hosts(t *testing.T, name, cidr string, queues int) *netlab.Namespace {
	t.Helper()
	ns, err := netlab.NewNamespace(name, cidr, queues, 1500)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// TestIOMMU runs a guest in which an IOMMU confines the functions.
func TestIOMMU(t *testing.T) {
	nics := []*nic{
		{id: "a"}, {id: "b", options: "packed=on"},
		{id: "neighbour1", bus: qemu.Bridge}, {id: "neighbour2", bus: qemu.Bridge},
		{id: "physical", options: "iommu_platform=off"},
		{id: "jumbo1", options: "host_mtu=9000"},
		{id: "jumbo2", options: "host_mtu=9000,packed=on"},
		{id: "onebuf", options: "host_mtu=9000,mrg_rxbuf=off"},
		{id: "page", options: "page-per-vq=on"}, {id: "pio", options: "modern-pio-notify=on"},
		{id: "plug1", bus: qemu.Port}, {id: "plug2", bus: qemu.Port},
		{id: "send1", peer: "under1"}, {id: "under1", peer: "send1"},
		{id: "send2", options: "packed=on", peer: "under2"}, {id: "under2", peer: "send2"},
	}
	bound := []string{"a", "b", "physical", "jumbo1", "jumbo2", "onebuf", "page", "pio",
		"plug1", "plug2", "send1", "send2", "under1", "under2"}
	taps := privileged(t)
	if taps {
		nics = append(nics, tapsIOMMU(t)...)
		bound = append(bound, "host1", "host2", "pairs1", "pairs2", "vectors1", "vectors0",
			"steer", "packed")
	}
	g := boot(t, "iommu", true, nics)
	t.Run("refuses what is not bound", func(t *testing.T) { g.testRefusesUnbound(t, "a") })
	t.Run("devbind refuses what is in use", func(t *testing.T) { g.testDevbindRefuses(t, "a") })
	t.Run("devbind dry run", func(t *testing.T) { g.testDryRun(t, "a") })
	g.testStatus(t, "a", "modern", "virtio-pci")
	g.bind(t, bound...)
	g.testStatus(t, "a", "modern", "vfio-pci")
	t.Run("forwards", func(t *testing.T) { g.testForward(t, ports("", "a", "b"), frames) })
	t.Run("pktgen", func(t *testing.T) {
		g.testPktgen(t, []string{"send1", "send2"}, []string{"under1", "under2"})
	})
	t.Run("a command line of DPDK", func(t *testing.T) { g.testDPDKLine(t, "a", "b", fewFrames) })
	t.Run("wakes", func(t *testing.T) {
		g.testWake(t, "send1", "under1")
		g.testWake(t, "under2", "send2")
	})
	t.Run("adaptive", func(t *testing.T) { g.testAdaptive(t, "a", "b") })
	t.Run("refuses too low a limit", func(t *testing.T) { g.testRefusesMemlock(t, "a") })
	t.Run("refuses half a group", func(t *testing.T) {
		g.testRefusesGroup(t, "neighbour1", "neighbour2")
	})
	t.Run("refuses physical addresses", func(t *testing.T) {
		g.refuses(t, []string{g.nics["physical"].address, "ACCESS_PLATFORM", "iommu_platform=on"},
			g.command(nil, ports("", "physical"))...)
	})
	if taps {
		g.testTaps(t)
		t.Run("refuses offloads", func(t *testing.T) { g.testRefusesOffloads(t, "host1") })
		t.Run("too few vectors", func(t *testing.T) { g.testPairs(t, "vectors1", "vectors0") })
		t.Run("steering", func(t *testing.T) { g.testSteering(t, "steer") })
		t.Run("steering, packed", func(t *testing.T) { g.testSteering(t, "packed") })
		t.Run("link without MSI-X", func(t *testing.T) { g.testLink(t, "vectors0", "vectors1") })
	}
	g.testCommon(t)
}

// steered are the properties of functions that spread packets.
const steered = "mq=on,vectors=10,rss=on,hash=on,queue_reset=on,rx_queue_size=1024"

// tapsIOMMU are the functions whose frames go to network namespaces.
func tapsIOMMU(t *testing.T) []*nic {
	t.Helper()
	return []*nic{
		{id: "host1", ns: hosts(t, "host1", "10.1.0.1/24", 1)},
		{id: "host2", ns: hosts(t, "host2", "10.1.0.2/24", 1)},
		{id: "pairs1", options: "mq=on,vectors=10", ns: hosts(t, "pairs1", "10.2.0.1/24", 4)},
		{id: "pairs2", options: "mq=on,vectors=10,packed=on",
			ns: hosts(t, "pairs2", "10.2.0.2/24", 4)},
		{id: "vectors1", options: "mq=on,vectors=2", ns: hosts(t, "vectors1", "10.3.0.1/24", 4)},
		{id: "vectors0", options: "mq=on,vectors=0", ns: hosts(t, "vectors0", "10.3.0.2/24", 4)},
		{id: "steer", options: steered, ns: hosts(t, "steer", "10.4.0.1/24", 4)},
		{id: "packed", options: steered + ",packed=on", ns: hosts(t, "packed", "10.5.0.1/24", 4)},
	}
}

// testTaps are the tests with network namespaces that both guests have.
func (g *guest) testTaps(t *testing.T) {
	t.Run("joins hosts", func(t *testing.T) { g.testHosts(t, "host1", "host2", transfer) })
	t.Run("offloads", func(t *testing.T) { g.testOffloads(t, "pairs1", "pairs2") })
	t.Run("four pairs", func(t *testing.T) { g.testPairs(t, "pairs1", "pairs2") })
}

// testCommon are the other tests that both guests have. The last ones remove
// functions.
func (g *guest) testCommon(t *testing.T) {
	t.Run("refuses a shortage", func(t *testing.T) { g.testRefusesShortage(t, "a") })
	t.Run("jumbo frames", func(t *testing.T) { g.testJumbo(t, "jumbo1", "jumbo2") })
	t.Run("jumbo frames in one buffer", func(t *testing.T) { g.testJumboOneBuffer(t, "onebuf") })
	t.Run("commands", func(t *testing.T) {
		g.testCommands(t, "jumbo1", false)
		g.testCommands(t, "jumbo2", true)
	})
	t.Run("other doorbells", func(t *testing.T) {
		g.testForward(t, ports("", "page", "pio"), fewFrames)
	})
	t.Run("doorbells in a port", func(t *testing.T) { g.testPortDoorbell(t, "pio") })
	t.Run("link", func(t *testing.T) { g.testLink(t, "a", "b") })
	t.Run("stopped", func(t *testing.T) { g.testStop(t, ports("", "a", "b")) })
	t.Run("killed", func(t *testing.T) { g.testKill(t, ports("", "a", "b"), 10) })
	t.Run("unplugged", func(t *testing.T) { g.testUnplug(t, "plug1", "plug2") })
	t.Run("restored", func(t *testing.T) { g.testRestore(t, "a", "b") })
}
