package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

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
		{Form: "vlan set filter (on|off) PORT", Section: inConfig, Help: "Have the device drop packets of VLANs, but those of rx_vlan add. In promiscuous mode, which set promisc ends, many devices drop none.", Do: t.setVLANFilter},
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

// because is the word of the C library for what is not supported, which scripts search for, and
// the reason on the next line.
func because(err error) string {
	if errors.Is(err, errors.ErrUnsupported) {
		return notSupported + "\n  " + err.Error()
	}
	return err.Error()
}

const notSupported = "Operation not supported"

// missing is an error that says what a device does not have.
type missing string

func (m missing) Error() string { return string(m) }

// Is reports whether target is [errors.ErrUnsupported].
func (m missing) Is(target error) bool { return target == errors.ErrUnsupported }

// failed is the error of an operation in the words of the library of DPDK, with its number and
// the reason on the next line.
func failed(err error, format string, args ...any) error {
	diag := unix.EINVAL
	if errors.Is(err, errors.ErrUnsupported) {
		diag = unix.EOPNOTSUPP
	}
	return fmt.Errorf("%s diag=%d\n  %w", fmt.Sprintf(format, args...), -int(diag), err)
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
			return fmt.Errorf("Invalid multicast addr %s", address(mac)) //nolint:staticcheck // the words of testpmd
		}
		return fmt.Errorf("mac_addr_cmd error: (Invalid argument)\n  %s is a multicast address; mcast_addr %s takes it", m.Words[3], m.Words[1])
	}
	if m.Words[0] == "mcast_addr" {
		return t.changeGroups(p, mac, m.Words[1] == "add")
	}
	change := p.dev.AddMAC
	if m.Words[1] == "remove" {
		change = p.dev.RemoveMAC
	}
	if bytes.Equal(mac, make([]byte, len(mac))) {
		return fmt.Errorf("Port %d: Cannot %s NULL MAC address\nmac_addr_cmd error: (Invalid argument)", p.number, m.Words[1]) //nolint:staticcheck // the words of testpmd
	}
	if err := change(t.ctx, mac); err != nil {
		return addressError(err)
	}
	return nil
}

// addressError is the error of mac_addr in the words of testpmd.
func addressError(err error) error {
	word, detail, _ := strings.Cut(because(err), "\n")
	if detail != "" {
		detail = "\n" + detail
	}
	return fmt.Errorf("mac_addr_cmd error: (%s)%s", word, detail)
}

// changeGroups adds a multicast address to those of a port, or removes it.
func (t *tester) changeGroups(p *port, mac net.HardwareAddr, add bool) error {
	_, groups := p.dev.MACFilter()
	has := slices.ContainsFunc(groups, func(g net.HardwareAddr) bool { return bytes.Equal(g, mac) })
	n, change := len(groups)+1, p.dev.AddMAC
	switch {
	case add && has:
		return fmt.Errorf("multicast address already filtered by port %d", p.number)
	case !add && !has:
		return fmt.Errorf("multicast address not filtered by port %d", p.number)
	case !add:
		n, change = len(groups)-1, p.dev.RemoveMAC
	}
	if err := change(t.ctx, mac); err != nil {
		return failed(err, "rte_eth_dev_set_mc_addr_list(port=%d, nb=%d) failed.", p.number, n)
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
		return addressError(err)
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
