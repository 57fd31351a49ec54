package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// checksumCommands say how the mode csum makes checksums and segments.
func (t *tester) checksumCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "csum set (udp|tcp) (hw|sw) PORT", Section: inConfig,
			Help: "Leave the checksum to the transmit queue of a port, which has the device do it if that can, or make it before, in the csum forward engine.", Do: t.setChecksum},
		{Form: "csum set (ip|sctp|outer-ip|outer-udp) (hw|sw) PORT", Section: inConfig,
			Help: "That of IPv4 is always made in software, and the others are left as they are: a virtio device makes those of TCP and UDP only.", Do: t.setOtherChecksum},
		{Form: "csum parse-tunnel off PORT", Section: inConfig, Help: "Treat tunnel packets as non-tunneled packets, as always.",
			Do: func(m grammar.Match) error { _, err := t.port(m.Words[3]); return err }},
		{Form: "csum parse-tunnel on PORT", Section: inConfig, Refused: "tunnels are not looked into"},
		{Form: "csum show PORT", Section: inConfig, Help: "Display tx checksum offload configuration.", Do: t.showChecksum},
		{Form: "tso set N PORT", Section: inConfig, Help: "Cut TCP packets into segments of N bytes of payload in the csum forward engine; 0 leaves them as they are.", Do: t.setTSO},
		{Form: "tso show PORT", Section: inConfig, Help: "Display the status of TCP Segmentation Offload.", Do: t.showTSO},
		{Form: "set port PORT gso (on|off)", Section: inConfig, Help: "Enable or disable Generic Segmentation Offload in csum forwarding engine.", Do: t.setGSO},
		{Form: "set gso segsz N", Section: inConfig, Help: "Set max packet length for output GSO segments, including packet header.", Do: t.setGSOLength},
		{Form: "show port PORT gso", Section: inDisplay, Help: "Show GSO configuration.", Do: t.showGSO},
		{Form: "tunnel_tso (set|show) ...", Section: inConfig, Refused: "tunnels are not looked into; tso set cuts packets without one"},
		{Form: "set port PORT gro (on|off)", Section: inConfig, Refused: "packets are not merged in software; give the port the key lro=1, and the device merges them"},
		{Form: "show port PORT gro", Section: inDisplay, Refused: "packets are not merged in software; show port info lists what the device does"},
		{Form: "set gro flush N", Section: inConfig, Refused: "packets are not merged in software"},
	}
}

// stoppedPort returns a port, which must be stopped.
func (t *tester) stoppedPort(word string) (*port, error) {
	p, err := t.port(word)
	if err == nil && !p.stopped {
		err = fmt.Errorf("Please stop port %d first", p.number) //nolint:staticcheck // the words of testpmd
	}
	return p, err
}

func (t *tester) setChecksum(m grammar.Match) error {
	p, err := t.stoppedPort(m.Words[4])
	if err != nil {
		return err
	}
	offload := m.Words[3] == "hw"
	if m.Words[2] == "tcp" {
		p.csum.tcp = offload
	} else {
		p.csum.udp = offload
	}
	p.askOffloads()
	t.writeChecksum(p)
	return nil
}

// setOtherChecksum leaves a checksum as it is made, and says so if a device is to make it.
func (t *tester) setOtherChecksum(m grammar.Match) error {
	p, err := t.stoppedPort(m.Words[4])
	if err != nil {
		return err
	}
	if m.Words[3] == "hw" {
		name := map[string]string{"ip": "IP", "sctp": "SCTP", "outer-ip": "Outer IP", "outer-udp": "Outer UDP"}[m.Words[2]]
		fmt.Fprintf(t.errors, "%s checksum offload is not supported by port %d\n", name, p.number)
	}
	t.writeChecksum(p)
	return nil
}

// askOffloads has a port negotiate, when it is started, what its packets need of the device, as
// far as that offers it.
func (p *port) askOffloads() {
	spec := p.wanted()
	spec.Offloads &^= devargs.TxChecksum | devargs.TSO
	spec.Offloads |= p.given
	if (p.csum.tcp || p.csum.udp) && p.offers(virtio.NetCSUM) {
		spec.Offloads |= devargs.TxChecksum
	}
	if p.csum.segment > 0 && p.offers(segmentation...) {
		spec.Offloads |= devargs.TSO
	}
	if spec.Offloads != p.wanted().Offloads {
		p.want(spec)
	}
}

// segmentation is what a device has to offer to cut TCP packets.
var segmentation = []virtio.Feature{virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6}

func (t *tester) showChecksum(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	t.writeChecksum(p)
	return nil
}

func (t *tester) writeChecksum(p *port) {
	how := func(offload bool) string {
		if offload {
			return "hw"
		}
		return "sw"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Parse tunnel is off\nIP checksum offload is sw\nUDP checksum offload is %s\nTCP checksum offload is %s\n", how(p.csum.udp), how(p.csum.tcp))
	fmt.Fprintf(&b, "SCTP checksum offload is sw\nOuter-Ip checksum offload is sw\nOuter-Udp checksum offload is sw\n")
	if (p.csum.udp || p.csum.tcp) && !p.offers(virtio.NetCSUM) {
		fmt.Fprintf(&b, "  the device does not offer CSUM: the transmit queue of port %d makes them in software\n", p.number)
	}
	fmt.Fprint(t.screen, b.String())
}

func (t *tester) setTSO(m grammar.Match) error {
	p, err := t.stoppedPort(m.Words[3])
	if err != nil {
		return err
	}
	n := m.Int(2)
	if n > maxPacket {
		return fmt.Errorf("tso set %d: a segment has at most %d bytes", n, maxPacket)
	}
	p.csum.segment = n
	p.askOffloads()
	t.writeTSO(p)
	return nil
}

func (t *tester) showTSO(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	t.writeTSO(p)
	return nil
}

func (t *tester) writeTSO(p *port) {
	if p.csum.segment == 0 {
		fmt.Fprintln(t.screen, "TSO for non-tunneled packets is disabled")
		return
	}
	fmt.Fprintf(t.screen, "TSO segment size for non-tunneled packets is %d\n", p.csum.segment)
	if !p.offers(segmentation...) {
		fmt.Fprintf(t.screen, "  the device does not offer HOST_TSO: the transmit queue of port %d cuts them in software\n", p.number)
	}
}

// defaultGSO is the length that GSO cuts packets into unless another is set.
const defaultGSO = 1514

func (t *tester) setGSO(m grammar.Match) error {
	p, err := t.stoppedPort(m.Words[2])
	if err != nil {
		return err
	}
	p.csum.gso, _ = on(m.Words[4])
	return nil
}

func (t *tester) setGSOLength(m grammar.Match) error {
	if t.busy {
		return textError("Before setting GSO segsz, please first stop forwarding")
	}
	n := m.Int(3)
	if n < 128 || n > maxPacket {
		return fmt.Errorf("gso_size should be larger than 128 and at most %d; you have set %d", maxPacket, n)
	}
	t.gsoLen = n
	return nil
}

func (t *tester) showGSO(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	if !p.csum.gso {
		fmt.Fprintf(t.screen, "GSO is not enabled on Port %d\n", p.number)
		return nil
	}
	fmt.Fprintf(t.screen, "Max GSO'd packet size: %dB\nSupported GSO types: TCP/IPv4, TCP/IPv6\n", t.gsoLen)
	return nil
}

// checksums returns how csum makes the checksums of packets, for all ports.
func (t *tester) checksums() map[int]checksums {
	all := map[int]checksums{}
	for _, p := range t.ports {
		if p != nil {
			how := p.csum
			how.gsoLen = t.gsoLen
			all[p.number] = how
		}
	}
	return all
}
