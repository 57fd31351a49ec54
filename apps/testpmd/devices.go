package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// deviceCommands show devices and what they can do.
func (t *tester) deviceCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "show device info (all|DEVICE)", Section: inDisplay, Help: "Show general information about devices probed.", Do: t.showDevices},
		{Form: "show port PORT (rx_offload|tx_offload) (capabilities|configuration)", Section: inDisplay, Help: "List which offloads the device offers, or has in use.", Do: t.showOffloads},
		{Form: "port config PORT rx_offload " + rxWords + " (on|off)", Section: inPorts, Help: "Switch an offload of received packets; the port must be stopped, and negotiates it when it is started.", Do: t.setOffload},
		{Form: "port config PORT tx_offload " + txWords + " (on|off)", Section: inPorts, Help: "Switch an offload of packets that are sent; the port must be stopped, and negotiates it when it is started.", Do: t.setOffload},
		{Form: "show port PORT ptypes", Section: inDisplay, Help: "Show port supported ptypes for a specific port.", Do: t.showTypes},
		{Form: "port config mtu PORT N", Section: inPorts, Help: "Set the longest payload of a frame. If its buffers allow it the port takes it when it is started next.", Do: t.setMTU},
		{Form: "port config all max-pkt-len N", Section: inPorts, Help: "Set the longest frame of all ports, which must be stopped.", Do: t.setMaxFrame},
	}
}

// The offloads that dpdk-testpmd knows, some of which a virtio device has.
const (
	rxWords = "(vlan_strip|ipv4_cksum|udp_cksum|tcp_cksum|tcp_lro|qinq_strip|outer_ipv4_cksum|macsec_strip|header_split|vlan_filter|" +
		"vlan_extend|jumbo_frame|scatter|buffer_split|timestamp|security|keep_crc|rss_hash)"
	txWords = "(vlan_insert|ipv4_cksum|udp_cksum|tcp_cksum|sctp_cksum|tcp_tso|udp_tso|outer_ipv4_cksum|qinq_insert|vxlan_tnl_tso|gre_tnl_tso|" +
		"ipip_tnl_tso|geneve_tnl_tso|macsec_insert|mt_lockfree|multi_segs|mbuf_fast_free|security|send_on_timestamp)"
)

func (t *tester) showDevices(m grammar.Match) error {
	var b strings.Builder
	for _, p := range t.ports {
		if p == nil || m.Words[3] != "all" && m.Words[3] != p.name() {
			continue
		}
		bus := "vdev"
		if p.spec.Kind == devargs.PCI {
			bus = "pci"
		}
		b.WriteString(stars("Infos for device " + p.name()))
		fmt.Fprintf(&b, "Bus name: %s\nBus information: \nDriver name: %s\nDevargs: %s\nConnect to socket: 0\n", bus, driverName(p.spec), p.spec.String())
		fmt.Fprintf(&b, "\n\tPort id: %d \n\tMAC address: %s\n\tDevice name: %s\n\tDevice speed capability: Autonegotiate (all speeds)\n", p.number, address(p.dev.MAC()), p.name())
	}
	if b.Len() == 0 {
		return fmt.Errorf("no port has the device %s; show device info all lists them", m.Words[3])
	}
	fmt.Fprint(t.screen, b.String())
	return nil
}

// showTypes says which headers are told apart: by software, in verbose output and by the modes.
func (t *tester) showTypes(m grammar.Match) error {
	if _, err := t.port(m.Words[2]); err != nil {
		return err
	}
	for _, layer := range []string{"L2", "L3", "L4", "Tunnel", "Inner L2", "Inner L3", "Inner L4"} {
		fmt.Fprintf(t.screen, "%s ptypes unsupported\n", layer)
	}
	return nil
}

func (t *tester) setMTU(m grammar.Match) error {
	p, err := t.port(m.Words[3])
	if err != nil {
		return err
	}
	return t.changeMTU(p, m.Int(4))
}

// changeMTU sets the MTU of a port, at once if it is stopped, else when it is stopped and
// started.
func (t *tester) changeMTU(p *port, mtu int) error {
	if t.forwards(p) {
		return fmt.Errorf("Set MTU failed. Port %d is forwarding: stop first", p.number) //nolint:staticcheck // as testpmd
	}
	spec := p.wanted()
	spec.MTU = mtu
	if _, err := devargs.Parse(spec.String()); err != nil {
		return fmt.Errorf("Set MTU failed. %w", reasonOf(err)) //nolint:staticcheck // the words of testpmd
	}
	if frame := mtu + 22; spec.Refuse.Has(virtio.NetMrgRxbuf) && frame > t.set.Pool.DataRoom() {
		return fmt.Errorf("Set MTU failed. A frame of %d bytes does not fit buffers of %d, and mrg_rxbuf=0 gives it one; start testpmd with --mbuf-size=%d", //nolint:staticcheck // the words of testpmd
			frame, t.set.Pool.DataRoom(), frame+headroom)
	}
	if p.stopped {
		p.want(spec)
		return nil
	}
	if err := t.reopen(p, spec); err != nil { // testpmd changes it at once
		return fmt.Errorf("Set MTU failed. %w", err) //nolint:staticcheck // the words of testpmd
	}
	return nil
}

// reasonOf returns an error of the text of a port without the text, which the user has not
// written.
func reasonOf(err error) error {
	var bad *devargs.Error
	if errors.As(err, &bad) {
		return fmt.Errorf("%s %s: %s", bad.Key, bad.Value, bad.Reason)
	}
	return err
}

// headroom is what a buffer of DPDK has before the data.
const headroom = 128

func (t *tester) setMaxFrame(m grammar.Match) error {
	if err := t.stopFirst(); err != nil {
		return err
	}
	return t.each("all", func(p *port) error { return t.changeMTU(p, m.Int(4)-18) })
}
