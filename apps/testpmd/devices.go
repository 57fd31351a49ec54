package main

import (
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
		{Form: "show port PORT ptypes", Section: inDisplay, Help: "Show port supported ptypes for a specific port.", Do: t.showTypes},
		{Form: "port config mtu PORT N", Section: inPorts, Help: "Set the longest payload of a frame. If its buffers allow it the port takes it when it is started next.", Do: t.setMTU},
		{Form: "port config all max-pkt-len N", Section: inPorts, Help: "Set the longest frame of all ports, which must be stopped.", Do: t.setMaxFrame},
	}
}

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
		fmt.Fprintf(&b, "\nBus name: %s\nBus information: \nDriver name: %s\nDevargs: %s\nConnect to socket: 0\n", bus, driverName(p.spec), p.spec.String())
		fmt.Fprintf(&b, "\n\tPort id: %d \n\tMAC address: %s\n\tDevice name: %s\n\tDevice speed capability: Autonegotiate (all speeds)\n", p.number, address(p.dev.MAC()), p.name())
	}
	if b.Len() == 0 {
		return fmt.Errorf("no port has the device %s; show device info all lists them", m.Words[3])
	}
	fmt.Fprint(t.screen, b.String())
	return nil
}

// offloads are the features of a device that are offloads, by the names of DPDK.
var offloads = map[string][]struct {
	feature virtio.Feature
	name    string
}{
	"rx_offload": {
		{virtio.NetGuestCSUM, "UDP_CKSUM TCP_CKSUM"}, {virtio.NetGuestTSO4, "TCP_LRO"}, {virtio.NetCtrlVLAN, "VLAN_FILTER"},
		{virtio.NetMrgRxbuf, "SCATTER"}, {virtio.NetHashReport, "RSS_HASH"},
	},
	"tx_offload": {
		{virtio.NetCSUM, "UDP_CKSUM TCP_CKSUM"}, {virtio.NetHostTSO4, "TCP_TSO"}, {virtio.NetHostUSO, "UDP_TSO"},
	},
}

func (t *tester) showOffloads(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	has := p.dev.Features()
	title := map[string]string{"rx_offload": "Rx", "tx_offload": "Tx"}[m.Words[3]] + " Offloading "
	if m.Words[4] == "capabilities" {
		has = virtio.Features{}
		for _, f := range p.dev.Info().Features {
			if f.Offered {
				has = has.With(f.Feature)
			}
		}
		title += "Capabilities"
	} else {
		title += "Configuration"
	}
	// Stripping and insertion of VLAN tags and chains to send are there in any case.
	names := map[string]string{"rx_offload": "VLAN_STRIP", "tx_offload": "VLAN_INSERT MULTI_SEGS"}[m.Words[3]]
	for _, o := range offloads[m.Words[3]] {
		if has.Has(o.feature) {
			names += " " + o.name
		}
	}
	fmt.Fprintf(t.screen, "%s of port %d :\n  Per Queue :\n  Per Port  : %s\n\n", title, p.number, names)
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
	spec := p.spec
	spec.MTU = mtu
	again, err := devargs.Parse(spec.String())
	if err != nil {
		return fmt.Errorf("Set MTU failed. %w", err) //nolint:staticcheck // the words of testpmd
	}
	if frame := mtu + 22; spec.Refuse.Has(virtio.NetMrgRxbuf) && frame > t.set.Pool.DataRoom() {
		return fmt.Errorf("Set MTU failed. A frame of %d bytes does not fit buffers of %d, and mrg_rxbuf=0 gives it one; start testpmd with --mbuf-size=%d", //nolint:staticcheck // the words of testpmd
			frame, t.set.Pool.DataRoom(), frame+headroom)
	}
	again.Text = p.spec.Text
	p.spec, p.renew = again, true
	if p.stopped {
		return nil
	}
	// testpmd changes it at once.
	if err := t.renew(p); err != nil {
		return err
	}
	p.stopped, p.renew = false, false
	return nil
}

// headroom is what a buffer of DPDK has before the data.
const headroom = 128

func (t *tester) setMaxFrame(m grammar.Match) error {
	if err := t.stopFirst(); err != nil {
		return err
	}
	return t.each("all", func(p *port) error { return t.changeMTU(p, m.Int(4)-18) })
}
