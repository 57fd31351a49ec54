package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// modeCommands change which packets ports receive.
func (t *tester) modeCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "set promisc (PORT|all) (on|off)", Section: inConfig, Help: "Set the promiscuous mode on a port, or all.", Do: t.setPromiscuous},
		{Form: "set allmulti (PORT|all) (on|off)", Section: inConfig, Help: "Set the allmulti mode on a port, or all.", Do: t.setAllMulticast},
		{Form: "rx_vlan (add|rm) (VLAN|all) PORT", Section: inConfig, Help: "Add a VLAN, or all, to those that a port receives, or remove it.", Do: t.setVLAN},
		{Form: "vlan set filter (on|off) PORT", Section: inConfig, Help: "Show whether the device filters VLANs. Its filter is on if the port has the key vlan=, whose VLANs pass at first.", Do: t.setVLANFilter},
		{Form: "vlan set strip (on|off) PORT", Section: inConfig, Help: "Take VLAN tags out of received packets.", Do: t.setStrip},
		{Form: "vlan set stripq (on|off) QUEUEOF", Section: inConfig, Help: "Take VLAN tags out of the packets of one queue: PORT,QUEUE.", Do: t.setQueueStrip},
		{Form: "tx_vlan set PORT VLAN [VLAN]", Section: inConfig, Help: "Put a VLAN tag, or two, into packets that are sent by a port.", Do: t.setInsert},
		{Form: "tx_vlan reset PORT", Section: inConfig, Help: "Put no more VLAN tags into packets.", Do: t.resetInsert},
		{Form: "mac_addr add PORT MAC", Section: inConfig, Help: "Receive packets for an address more.", Do: t.changeFilter},
		{Form: "mac_addr remove PORT MAC", Section: inConfig, Help: "Receive no more packets for an address.", Do: t.changeFilter},
		{Form: "mac_addr set PORT MAC", Section: inConfig, Help: "Set the address of a port.", Do: t.setAddress},
		{Form: "mcast_addr (add|remove) PORT MAC", Section: inConfig, Help: "Receive packets for a multicast address, or no more.", Do: t.changeFilter},
		{Form: "show port PORT (macs|mcast_macs)", Section: inDisplay, Help: "Display list of mac addresses added to port.", Do: t.showAddresses},
	}
}

// on returns what a word of a switch says, and the verb of testpmd for it.
func on(word string) (bool, string) {
	if word == "on" {
		return true, "enabling"
	}
	return false, "disabling"
}

func (t *tester) setPromiscuous(m grammar.Match) error {
	want, verb := on(m.Words[3])
	return t.each(m.Words[2], func(p *port) error {
		if err := p.dev.SetPromiscuous(t.ctx, want); err != nil {
			return fmt.Errorf("Error during %s promiscuous mode for port %d: %s", verb, p.number, because(err)) //nolint:staticcheck // the words of testpmd
		}
		return nil
	})
}

func (t *tester) setAllMulticast(m grammar.Match) error {
	want, verb := on(m.Words[3])
	return t.each(m.Words[2], func(p *port) error {
		if err := p.dev.SetAllMulticast(t.ctx, want); err != nil {
			return fmt.Errorf("Error during %s all-multicast mode for port %d: %s", verb, p.number, because(err)) //nolint:staticcheck // the words of testpmd
		}
		return nil
	})
}

// because begins with the word of the C library for what is not supported, which scripts search
// for.
func because(err error) string {
	if errors.Is(err, errors.ErrUnsupported) {
		return "Operation not supported: " + err.Error()
	}
	return err.Error()
}

func (t *tester) setVLAN(m grammar.Match) error {
	p, err := t.port(m.Words[3])
	if err != nil {
		return err
	}
	if !p.dev.Features().Has(virtio.NetCtrlVLAN) {
		return fmt.Errorf("Port %d: VLAN-filtering disabled\n  %s", p.number, noFilter) //nolint:staticcheck // the words of testpmd
	}
	first, last := 0, driver.MaxVLAN
	if m.Words[2] != "all" {
		first, last = m.Int(2), m.Int(2)
	}
	change := p.dev.AddVLAN
	if m.Words[1] == "rm" {
		change = p.dev.RemoveVLAN
	}
	for id := first; id <= last; id++ {
		if err := change(t.ctx, uint16(id)); err != nil {
			return fmt.Errorf("rte_eth_dev_vlan_filter(port_pi=%d, vlan_id=%d, on=%d) failed: %s", p.number, id, number01(m.Words[1] == "add"), because(err))
		}
	}
	return nil
}

const noFilter = "the device has not negotiated CTRL_VLAN; give the port the key vlan=, if its device has a filter"

func number01(on bool) int {
	if on {
		return 1
	}
	return 0
}

// setVLANFilter cannot change what was negotiated: a device that has a filter always filters.
func (t *tester) setVLANFilter(m grammar.Match) error {
	p, err := t.port(m.Words[4])
	if err != nil {
		return err
	}
	want, has := m.Words[3] == "on", p.dev.Features().Has(virtio.NetCtrlVLAN)
	switch {
	case want && !has:
		return fmt.Errorf("rx_vlan_filter_set(port_pi=%d, on=1) failed: Operation not supported: %s", p.number, noFilter)
	case !want && has:
		return fmt.Errorf("rx_vlan_filter_set(port_pi=%d, on=0) failed: Operation not supported: "+
			"a device that filters does so until it is set up without; rx_vlan add all %d lets every VLAN pass", p.number, p.number)
	}
	return nil
}

// tags are what is done to the VLAN tags of a port's packets.
type tags struct {
	strip  bool         // of every received packet
	queues map[int]bool // ... or of those of these queues
	insert []uint16     // the outermost last
}

// strips reports whether the packets of a receive queue lose their tags.
func (g *tags) strips(queue int) bool { return g.strip || g.queues[queue] }

func (t *tester) setStrip(m grammar.Match) error {
	p, err := t.port(m.Words[4])
	if err != nil {
		return err
	}
	p.tags.strip, _ = on(m.Words[3])
	p.tags.queues = nil
	t.rewatch()
	return nil
}

func (t *tester) setQueueStrip(m grammar.Match) error {
	number, text, _ := strings.Cut(m.Words[4], ",")
	p, err := t.port(number)
	if err != nil {
		return err
	}
	var queue int
	if _, err := fmt.Sscan(text, &queue); err != nil || queue < 0 || queue >= p.dev.Queues() {
		return fmt.Errorf("rx_vlan_strip_set_on_queue(port_pi=%d) failed: there is no queue %q; there are 0 to %d", p.number, text, p.dev.Queues()-1)
	}
	queues := map[int]bool{}
	for q := range p.dev.Queues() {
		queues[q] = p.tags.strips(q)
	}
	queues[queue], _ = on(m.Words[3])
	p.tags.strip, p.tags.queues = false, queues
	t.rewatch()
	return nil
}

func (t *tester) setInsert(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	if !p.stopped {
		return fmt.Errorf("Please stop port %d first", p.number) //nolint:staticcheck // the words of testpmd
	}
	p.tags.insert = []uint16{uint16(m.Int(3))}
	if len(m.Words) > 4 {
		p.tags.insert = append(p.tags.insert, uint16(m.Int(4)))
	}
	return nil
}

func (t *tester) resetInsert(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	if !p.stopped {
		return fmt.Errorf("Please stop port %d first", p.number) //nolint:staticcheck // the words of testpmd
	}
	p.tags.insert = nil
	return nil
}

// changeFilter adds an address to those that a port receives packets for, or removes it.
func (t *tester) changeFilter(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(m.Words[3])
	if err != nil {
		return err
	}
	if multicast := m.Words[0] == "mcast_addr"; multicast != (mac[0]&1 != 0) {
		if multicast {
			return fmt.Errorf("Invalid multicast address %s", m.Words[3]) //nolint:staticcheck // the words of testpmd
		}
		return fmt.Errorf("mac_addr_cmd error: (Invalid argument): %s is a multicast address; mcast_addr %s takes it", m.Words[3], m.Words[1])
	}
	change := p.dev.AddMAC
	if m.Words[1] == "remove" {
		change = p.dev.RemoveMAC
	}
	if err := change(t.ctx, mac); err != nil {
		return fmt.Errorf("%s_cmd error: (%s)", m.Words[0], because(err))
	}
	return nil
}

func (t *tester) setAddress(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	mac, err := net.ParseMAC(m.Words[3])
	if err != nil {
		return err
	}
	if err := p.dev.SetMAC(t.ctx, mac); err != nil {
		return fmt.Errorf("mac_addr_cmd error: (%s)", because(err))
	}
	return nil
}

func (t *tester) showAddresses(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	unicast, multicast := p.dev.MACFilter()
	if m.Words[3] == "mcast_macs" {
		return t.listAddresses("Multicast MAC address", multicast)
	}
	unicast = slices.DeleteFunc(unicast, func(a net.HardwareAddr) bool { return a.String() == p.dev.MAC().String() })
	return t.listAddresses("MAC address", append([]net.HardwareAddr{p.dev.MAC()}, unicast...))
}

func (t *tester) listAddresses(what string, list []net.HardwareAddr) error {
	fmt.Fprintf(t.screen, "Number of %s added: %d\n", what, len(list))
	for _, mac := range list {
		fmt.Fprintf(t.screen, "  %s\n", address(mac))
	}
	return nil
}

// writeReceiveModes shows which packets a port receives beside its own. A device without modes
// receives all of them.
func writeReceiveModes(b *strings.Builder, p *port) {
	mode, known := p.dev.RxMode(), p.dev.Features().Has(virtio.NetCtrlRx)
	word := func(on bool) string {
		if on {
			return "enabled"
		}
		return "disabled"
	}
	fmt.Fprintf(b, "Promiscuous mode: %s\nAllmulticast mode: %s\n", word(mode.Promiscuous || !known), word(mode.AllMulticast || !known))
}

// maxMACs returns how many addresses a port can have.
func maxMACs(p *port) int {
	if p.dev.Features().Has(virtio.NetCtrlRx) {
		return driver.MaxMACs
	}
	return 1
}
