package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// name returns how the device of a port is called: a PCI function by its address, another as DPDK
// numbers its virtual devices.
func (p *port) name() string {
	if p.spec.Kind == devargs.PCI {
		return p.spec.Address.String()
	}
	return fmt.Sprintf("%s%d", driverName(p.spec), p.number)
}

// driverName names the driver of a port as DPDK calls it, where it has one like it.
func driverName(spec devargs.Spec) string {
	switch spec.Kind {
	case devargs.PCI:
		return "net_virtio"
	case devargs.VhostUser:
		return "net_virtio_user"
	}
	return "net_emu_" + spec.Backend
}

// showInfo shows what a port is, with the lines of testpmd, then what only this driver knows.
func (t *tester) showInfo(p *port) {
	var b strings.Builder
	info := p.dev.Info()
	b.WriteString(stars(fmt.Sprintf("Infos for port %-2d", p.number)))
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("MAC address: %s", address(p.dev.MAC()))
	line("Device name: %s", p.name())
	line("Driver name: %s", driverName(p.spec))
	line("Firmware-version: not available")
	line("Devargs: %s", p.spec.String())
	line("Connect to socket: 0")
	line("memory allocation on the socket: 0")
	line("Link status: %s", upDown(p.linkUp()))
	line("Link speed: %s", speed(p.dev.Link()))
	duplex := "full-duplex"
	if p.dev.Link().Duplex == driver.HalfDuplex {
		duplex = "half-duplex"
	}
	line("Link duplex: %s", duplex)
	line("Autoneg status: On")
	line("MTU: %d", p.dev.MTU())
	writeReceiveModes(&b, p)
	line("Maximum number of MAC addresses: %d", maxMACs(p))
	line("Maximum number of MAC addresses of hash filtering: 0")
	line("VLAN offload: \n  strip %s, filter %s, extend off, qinq strip off", onOff(p.tags.strip), onOff(p.dev.Features().Has(virtio.NetCtrlVLAN)))
	writeHashTypes(&b, p)
	line("Minimum size of RX buffer: 64")
	line("Maximum configurable length of RX packet: %d", maxPacket)
	line("Maximum configurable size of LRO aggregated packet: 0")
	for _, direction := range []string{"RX", "TX"} {
		line("Current number of %s queues: %d", direction, p.dev.Queues())
		line("Max possible %s queues: %d", direction, max(info.MaxPairs, p.dev.Queues()))
		line("Max possible number of %sDs per queue: %d", direction, virtio.MaxQueueSize)
		line("Min possible number of %sDs per queue: 1", direction)
		line("%sDs number alignment: 1", direction)
	}
	line("Max segment number per packet: %d", maxSegments)
	line("Max segment number per MTU/TSO: %d", maxSegments)
	line("Device capabilities: 0x0( )")
	line("Device error handling mode: proactive")
	fmt.Fprintf(&b, "\nPath: %s\n", info.Path)
	fmt.Fprintf(&b, "State: %s\n", info.State)
	fmt.Fprintf(&b, "Features: %s\n", strings.Join(p.dev.Features().Names(), " "))
	fmt.Fprint(t.screen, b.String())
}

// maxPacket is the longest packet that a port can be configured for, without its Ethernet header.
const maxPacket = 65535

func upDown(up bool) string {
	if up {
		return "up"
	}
	return "down"
}
