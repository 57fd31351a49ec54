package driver

import (
	"fmt"
	"net"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// settingsInfo lists what the application has set, as far as it differs from what a port
// begins with.
func (p *Port) settingsInfo() []ConfigField {
	var list []ConfigField
	add := func(given bool, name, format string, args ...any) {
		if given {
			list = append(list, ConfigField{name, fmt.Sprintf(format, args...)})
		}
	}
	add(p.ActivePairs() != p.Queues(), "active queue pairs", "%d", p.ActivePairs())
	modes := p.setModes()
	add(modes != nil, "receive modes", "%s", strings.Join(modes, ", "))
	unicast, multicast := p.MACFilter()
	add(unicast != nil, "unicast filter", "%s", macTexts(unicast))
	add(multicast != nil, "multicast filter", "%s", macTexts(multicast))
	add(p.Features().Has(virtio.NetCtrlVLAN), "VLAN filter", "%s", orNone(numberTexts(p.VLANs())))
	if r, ok := p.RSS(); ok {
		add(true, "RSS", "of%s", typeNames(uint64(r.Types), hashTypeNames))
		add(true, "RSS key", "%s", keyText(r.Key))
		add(true, "RSS table", "%s", tableText(r.Table))
		add(r.Unclassified != 0, "RSS, no hash", "queue %d", r.Unclassified)
		add(p.Features().Has(virtio.NetHashReport), "hash", "reported with each packet")
	}
	if h, ok := p.Hash(); ok {
		add(true, "hash", "of%s", typeNames(uint64(h.Types), hashTypeNames))
		add(true, "hash key", "%s", keyText(h.Key))
	}
	inner := p.InnerHash()
	add(inner != 0, "inner header hash", "of%s", typeNames(uint64(inner), tunnelTypeNames))
	offloads := p.ReceiveOffloads()
	add(!offloads.Empty(), "receive offloads", "%v", offloads)
	none := Coalescing{}
	rx, tx := p.RxCoalescing(), p.TxCoalescing()
	add(rx != none, "receive coalescing", "%d packets, %v", rx.Packets, rx.Delay)
	add(tx != none, "transmit coalescing", "%d packets, %v", tx.Packets, tx.Delay)
	add(p.device.cfg.Interrupts, "interrupts", "a goroutine can sleep until the device interrupts")
	return list
}

// setModes returns the receive modes that were set, on or off.
func (p *Port) setModes() []string {
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for command, name := range [modes]string{
		virtio.CtrlRxPromisc: "promiscuous", virtio.CtrlRxAllMulti: "all-multicast",
		virtio.CtrlRxAllUni: "all-unicast", virtio.CtrlRxNoMulti: "no multicast",
		virtio.CtrlRxNoUni: "no unicast", virtio.CtrlRxNoBcast: "no broadcast",
	} {
		switch {
		case !s.rx.known[command]:
		case s.rx.on[command]:
			list = append(list, name+" on")
		default:
			list = append(list, name+" off")
		}
	}
	return list
}

func macTexts(list []net.HardwareAddr) string {
	var words []string
	for _, mac := range list {
		words = append(words, mac.String())
	}
	return orNone(strings.Join(words, " "))
}

func numberTexts(list []uint16) string { return strings.Trim(fmt.Sprint(list), "[]") }

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// typeNames returns the names of types, each after a space.
func typeNames(types uint64, names []string) string {
	return " " + strings.Trim(bitNames(types, names...), " ()")
}

var (
	hashTypeNames   = []string{"IPv4", "TCPv4", "UDPv4", "IPv6", "TCPv6", "UDPv6", "IPv6_EX", "TCPv6_EX", "UDPv6_EX"}
	tunnelTypeNames = []string{"GRE_2784", "GRE_2890", "GRE_7676", "GRE_UDP", "VXLAN", "VXLAN_GPE", "GENEVE", "IPIP", "NVGRE"}
)

// keyText returns a key in groups of 4 bytes, which a line can be broken between.
func keyText(key []byte) string {
	var words []string
	for len(key) > 0 {
		n := min(4, len(key))
		words = append(words, fmt.Sprintf("%x", key[:n]))
		key = key[n:]
	}
	return strings.Join(words, " ")
}

// tableText returns a table, whose first entries may stand for all that follow.
func tableText(table []uint16) string {
	period := len(table)
	for p := 1; p < period; p++ {
		repeats := true
		for i := p; i < len(table) && repeats; i++ {
			repeats = table[i] == table[i-p]
		}
		if repeats {
			period = p
		}
	}
	text := numberTexts(table[:period])
	if period < len(table) {
		text += " in turn"
	}
	return fmt.Sprintf("%d entries: %s", len(table), text)
}
