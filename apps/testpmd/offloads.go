package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// offload is an offload of DPDK that a virtio port has: in its device, or in software.
type offload struct {
	bit  int // of the masks of DPDK
	name string
	// needs are the features of the device that it takes, none for one in software.
	needs []virtio.Feature
	// in reports whether it is in use, beside what needs says; nil if that says it.
	in func(*tester, *port) bool
	// set changes how a port is opened, or what is done with its packets.
	set func(p *port, spec *devargs.Spec, on bool)
}

// always is the set of an offload that there is in any case.
func always(*port, *devargs.Spec, bool) {}

// ask returns the set of an offload that the text of a port asks for.
func ask(o devargs.Offload) func(*port, *devargs.Spec, bool) {
	return func(p *port, spec *devargs.Spec, on bool) {
		p.given, spec.Offloads = p.given&^o, spec.Offloads&^o
		if on {
			p.given, spec.Offloads = p.given|o, spec.Offloads|o
		}
	}
}

// rxOffloads are the offloads of received packets, in the order of their bits.
func rxOffloads() []offload {
	return []offload{
		{bit: 0, name: "VLAN_STRIP", in: func(_ *tester, p *port) bool { return p.tags.strip },
			set: func(p *port, _ *devargs.Spec, on bool) { p.tags.strip, p.tags.queues = on, nil }},
		{bit: 2, name: "UDP_CKSUM", needs: []virtio.Feature{virtio.NetGuestCSUM}, set: ask(devargs.RxChecksum)},
		{bit: 3, name: "TCP_CKSUM", needs: []virtio.Feature{virtio.NetGuestCSUM}, set: ask(devargs.RxChecksum)},
		{bit: 4, name: "TCP_LRO", needs: []virtio.Feature{virtio.NetGuestTSO4, virtio.NetGuestTSO6}, set: ask(devargs.LRO)},
		{bit: 9, name: "VLAN_FILTER", needs: []virtio.Feature{virtio.NetCtrlVLAN},
			set: func(p *port, spec *devargs.Spec, on bool) { *spec = p.filtering(on) }},
		{bit: 13, name: "SCATTER", needs: []virtio.Feature{virtio.NetMrgRxbuf}, in: (*tester).scatters, set: always},
		{bit: 19, name: "RSS_HASH", needs: []virtio.Feature{virtio.NetHashReport},
			set: func(_ *port, spec *devargs.Spec, on bool) { spec.Hash = on }},
	}
}

// txOffloads are those of packets that are sent.
func txOffloads() []offload {
	inserts := func(_ *tester, p *port) bool { return len(p.tags.insert) > 0 }
	return []offload{
		{bit: 0, name: "VLAN_INSERT", in: inserts, set: always},
		{bit: 2, name: "UDP_CKSUM", needs: []virtio.Feature{virtio.NetCSUM}, set: ask(devargs.TxChecksum)},
		{bit: 3, name: "TCP_CKSUM", needs: []virtio.Feature{virtio.NetCSUM}, set: ask(devargs.TxChecksum)},
		{bit: 5, name: "TCP_TSO", needs: []virtio.Feature{virtio.NetHostTSO4, virtio.NetHostTSO6}, set: ask(devargs.TSO)},
		{bit: 6, name: "UDP_TSO", needs: []virtio.Feature{virtio.NetHostUSO}, set: ask(devargs.USO)},
		{bit: 15, name: "MULTI_SEGS", in: func(t *tester, _ *port) bool { return len(t.plan.segments) > 1 }, set: always},
	}
}

// scatters reports whether a port receives frames that are longer than a buffer.
func (t *tester) scatters(p *port) bool {
	return p.dev.Features().Has(virtio.NetMrgRxbuf) && p.dev.MTU()+22 > t.set.Pool.DataRoom()
}

// used returns those of a list that a port has in use.
func (t *tester) used(p *port, list []offload) []offload {
	var in []offload
	for _, o := range list {
		if virtio.FeatureSet(o.needs...).Minus(p.dev.Features()).Empty() && (o.in == nil || o.in(t, p)) {
			in = append(in, o)
		}
	}
	return in
}

// mask returns the bits of offloads.
func mask(list []offload) uint64 {
	var m uint64
	for _, o := range list {
		m |= 1 << o.bit
	}
	return m
}

// offloadNames lists offloads as testpmd does, each behind a space.
func offloadNames(list []offload) string {
	var b strings.Builder
	for _, o := range list {
		b.WriteString(" " + o.name)
	}
	return b.String()
}

// direction returns the offloads of rx_offload or tx_offload, and how testpmd calls it.
func direction(word string) (list []offload, title string) {
	if word == "rx_offload" {
		return rxOffloads(), "Rx"
	}
	return txOffloads(), "Tx"
}

func (t *tester) showOffloads(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	list, title := direction(m.Words[3])
	if m.Words[4] == "capabilities" {
		var can []offload
		for _, o := range list {
			if p.offers(o.needs...) {
				can = append(can, o)
			}
		}
		fmt.Fprintf(t.screen, "%s Offloading Capabilities of port %d :\n  Per Queue :\n  Per Port  :%s\n\n", title, p.number, offloadNames(can))
		return nil
	}
	used := offloadNames(t.used(p, list))
	var b strings.Builder
	fmt.Fprintf(&b, "%s Offloading Configuration of port %d :\n  Port :%s\n", title, p.number, used)
	for q := range p.dev.Queues() {
		fmt.Fprintf(&b, "  Queue[%2d] :%s\n", q, used)
	}
	fmt.Fprintln(t.screen, b.String())
	return nil
}

// setOffload switches an offload of a port, which negotiates it when it is started.
func (t *tester) setOffload(m grammar.Match) error {
	p, err := t.port(m.Words[2])
	if err != nil {
		return err
	}
	if !p.stopped {
		return fmt.Errorf("Error: Can't config offload when Port %d is not stopped", p.number) //nolint:staticcheck // the words of testpmd
	}
	list, title := direction(m.Words[3])
	on := m.Words[5] == "on"
	for _, o := range list {
		if !strings.EqualFold(o.name, m.Words[4]) {
			continue
		}
		if on && !p.offers(o.needs...) {
			return fmt.Errorf("Error: port %d does not support %s offload %s\n  its device does not offer %v", p.number, title, m.Words[4], o.needs) //nolint:staticcheck // as testpmd
		}
		spec := p.wanted()
		if o.set(p, &spec, on); len(o.needs) > 0 {
			p.want(spec)
		}
		return nil
	}
	if !on {
		return nil // it always is
	}
	return fmt.Errorf("Error: port %d does not support %s offload %s\n  a virtio device has%s", p.number, title, m.Words[4], offloadNames(list)) //nolint:staticcheck // as testpmd
}
