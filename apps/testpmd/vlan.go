package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func (t *tester) setVLAN(m grammar.Match) error {
	p, err := t.port(m.Words[3])
	if err != nil {
		return err
	}
	if !p.dev.Features().Has(virtio.NetCtrlVLAN) {
		return fmt.Errorf("Port %d: VLAN-filtering disabled\n  vlan set filter on %d switches it on", p.number, p.number) //nolint:staticcheck // the words of testpmd
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
			return failed(err, "rte_eth_dev_vlan_filter(port_pi=%d, vlan_id=%d, on=%d) failed", p.number, id, number01(m.Words[1] == "add"))
		}
	}
	return nil
}

func number01(on bool) int {
	if on {
		return 1
	}
	return 0
}

// setVLANFilter switches a filter: a device that has negotiated it always filters.
func (t *tester) setVLANFilter(m grammar.Match) error {
	p, err := t.port(m.Words[4])
	if err != nil {
		return err
	}
	want, has := m.Words[3] == "on", p.dev.Features().Has(virtio.NetCtrlVLAN)
	if want == has {
		return nil
	}
	return t.filter(p, want)
}

// filter opens a port again with its filter or without.
func (t *tester) filter(p *port, on bool) (err error) {
	switch {
	case t.forwards(p):
		err = textError("the device has to be set up again for that, and packets are being forwarded; stop first")
	case on && !p.offers(virtio.NetCtrlVLAN):
		err = missing("the device does not offer CTRL_VLAN, a filter of VLANs")
	default:
		err = t.reopen(p, p.filtering(on))
	}
	if err != nil {
		return failed(err, "rx_vlan_filter_set(port_pi=%d, on=%d) failed", p.number, number01(on))
	}
	return nil
}

// filtering returns how a port is opened with a filter of VLANs, which has those that it had
// before, or without.
func (p *port) filtering(on bool) devargs.Spec {
	spec := p.wanted()
	if !on {
		p.vlans, spec.VLANs = p.dev.VLANs(), nil
		return spec
	}
	spec.VLANs = append([]uint16{}, p.vlans...) // without any there is a filter as well
	return spec
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
		reason := fmt.Errorf("there is no queue %q; write it like %d,0, of the queues 0 to %d", text, p.number, p.dev.Queues()-1)
		return failed(reason, "rx_vlan_strip_set_on_queue(port_pi=%d, queue_id=%s, on=%d) failed", p.number, text, number01(m.Words[3] == "on"))
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
