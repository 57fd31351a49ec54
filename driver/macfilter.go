package driver

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// MaxMACs is how many addresses [Port.SetMACFilter] takes. A device may have room for
// fewer, and receive more packets than it was asked to then: QEMU's has room for 64.
const MaxMACs = (ctrlq.MinData - 2*macCountBytes) / macBytes

const macCountBytes = 4 // le32 in front of each list

// primaryMAC is the address that the port has in place of the device's own.
type primaryMAC struct {
	address net.HardwareAddr // nil: the device's own
}

// macNeeds are the features of a command that sets the primary address. CTRL_MAC_ADDR is
// made for it, and without CTRL_RX no command of its class may be sent (5.1.9.5.2).
var macNeeds = virtio.FeatureSet(virtio.NetCtrlRx, virtio.NetCtrlMACAddr)

// restore tells the device of an address that is not the one in its configuration. If it
// cannot be told, the feature MAC was not accepted, and the address is the driver's alone.
func (m *primaryMAC) restore(c *commander) error {
	if m.address == nil || !macNeeds.Minus(c.n.features).Empty() {
		return nil
	}
	if c.n.features.Has(virtio.NetMAC) {
		own := make(net.HardwareAddr, macBytes)
		if err := c.device.t.ReadConfig(virtio.NetConfigMAC, 1, own); err != nil {
			return err
		}
		if bytes.Equal(own, m.address) {
			return nil
		}
	}
	_, err := c.send(virtio.CtrlMAC, virtio.CtrlMACAddrSet, m.address, nil)
	return err
}

// SetMAC gives the port another Ethernet address: the device receives packets for it, and
// [Port.MAC] returns it. It needs CTRL_RX and CTRL_MAC_ADDR. Errors are those of
// [Port.SetPromiscuous], and an [*Error] for an address that is not that of one interface.
func (p *Port) SetMAC(ctx context.Context, mac net.HardwareAddr) error {
	const op = "set the address"
	d := p.device
	if !usable(mac) {
		return &Error{Device: d.name, Op: op, Field: "MAC", Value: mac,
			Reason: "not the address of one Ethernet interface", Remedy: macRemedy}
	}
	mac = slices.Clone(mac)
	return d.configure(ctx, op, func(c *commander) error {
		if err := c.require(macNeeds); err != nil {
			return err
		}
		if _, err := c.send(virtio.CtrlMAC, virtio.CtrlMACAddrSet, mac, nil); err != nil {
			return err
		}
		d.settings.update(func(s *settings) { s.mac.address = mac })
		n := *c.n
		n.mac = mac
		d.current.Store(&n)
		return nil
	})
}

// macTable are further addresses that the device receives packets for (5.1.9.5.2).
type macTable struct {
	unicast, multicast []net.HardwareAddr // replaced, never changed
	set                bool
}

// data returns the command's data: two lists, each with its length in front.
func (t *macTable) data() []byte {
	var b []byte
	for _, list := range [][]net.HardwareAddr{t.unicast, t.multicast} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
		for _, mac := range list {
			b = append(b, mac...)
		}
	}
	return b
}

func (t *macTable) send(c *commander) error {
	if err := c.require(virtio.FeatureSet(virtio.NetCtrlRx)); err != nil {
		return err
	}
	_, err := c.send(virtio.CtrlMAC, virtio.CtrlMACTableSet, t.data(), nil)
	return err
}

func (t *macTable) restore(c *commander) error {
	if !t.set {
		return nil
	}
	return t.send(c)
}

// setMACs sends the table that edit makes of the one in force, and remembers it.
func (p *Port) setMACs(ctx context.Context, edit func(t macTable) macTable) error {
	d := p.device
	return d.configure(ctx, "address filter", func(c *commander) error {
		table := edit(d.settings.macs)
		if n := len(table.unicast) + len(table.multicast); n > MaxMACs {
			return &Error{Device: d.name, Op: "address filter", Field: "addresses", Value: n,
				Reason: fmt.Sprintf("more than the %d that fit into a command", MaxMACs),
				Remedy: "switch promiscuous or all-multicast mode on"}
		}
		if err := table.send(c); err != nil {
			return err
		}
		table.set = true
		d.settings.update(func(s *settings) { s.macs = table })
		return nil
	})
}

// SetMACFilter has the device receive packets for these addresses besides the port's own,
// and for no others than these, with CTRL_RX. Both lists may be empty, and an address may
// be there twice. Errors are those of [Port.SetPromiscuous], and an [*Error] for more than
// [MaxMACs], or for an address in the wrong list.
func (p *Port) SetMACFilter(ctx context.Context, unicast, multicast []net.HardwareAddr) error {
	for _, list := range []struct {
		macs      []net.HardwareAddr
		multicast bool
	}{{unicast, false}, {multicast, true}} {
		for _, mac := range list.macs {
			if err := p.checkFiltered(mac); err != nil {
				return err
			}
			if isMulticast(mac) != list.multicast {
				return &Error{Device: p.device.name, Op: "address filter", Field: "MAC", Value: mac,
					Reason: "in the wrong list",
					Remedy: "the lowest bit of the first byte is 1 in a multicast address"}
			}
		}
	}
	table := macTable{unicast: unique(unicast), multicast: unique(multicast)}
	return p.setMACs(ctx, func(macTable) macTable { return table })
}

// AddMAC adds an address, unicast or multicast, to the filter of [Port.SetMACFilter].
func (p *Port) AddMAC(ctx context.Context, mac net.HardwareAddr) error {
	if err := p.checkFiltered(mac); err != nil {
		return err
	}
	return p.editMACs(ctx, mac, func(list []net.HardwareAddr) []net.HardwareAddr {
		return unique(append(slices.Clone(list), mac))
	})
}

// RemoveMAC removes an address from the filter. One that is not there is no error.
func (p *Port) RemoveMAC(ctx context.Context, mac net.HardwareAddr) error {
	if err := p.checkFiltered(mac); err != nil {
		return err
	}
	return p.editMACs(ctx, mac, func(list []net.HardwareAddr) []net.HardwareAddr {
		return slices.DeleteFunc(slices.Clone(list), func(a net.HardwareAddr) bool {
			return bytes.Equal(a, mac)
		})
	})
}

// editMACs has edit change the list of the table that mac belongs to.
func (p *Port) editMACs(ctx context.Context, mac net.HardwareAddr,
	edit func(list []net.HardwareAddr) []net.HardwareAddr) error {
	return p.setMACs(ctx, func(t macTable) macTable {
		if isMulticast(mac) {
			t.multicast = edit(t.multicast)
		} else {
			t.unicast = edit(t.unicast)
		}
		return t
	})
}

// MACFilter returns the addresses that were set by [Port.SetMACFilter], [Port.AddMAC] and
// [Port.RemoveMAC].
func (p *Port) MACFilter() (unicast, multicast []net.HardwareAddr) {
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	return unique(s.macs.unicast), unique(s.macs.multicast)
}

// checkFiltered refuses what no filter can have.
func (p *Port) checkFiltered(mac net.HardwareAddr) error {
	if len(mac) == macBytes && !bytes.Equal(mac, make([]byte, macBytes)) {
		return nil
	}
	return &Error{Device: p.device.name, Op: "address filter", Field: "MAC", Value: mac,
		Reason: "not an Ethernet address", Remedy: "6 bytes, not all zero"}
}

func isMulticast(mac net.HardwareAddr) bool { return mac[0]&1 != 0 }

// unique returns a copy of a list without its repetitions.
func unique(list []net.HardwareAddr) []net.HardwareAddr {
	var once []net.HardwareAddr
	seen := make(map[string]bool, len(list))
	for _, mac := range list {
		if !seen[string(mac)] {
			seen[string(mac)] = true
			once = append(once, slices.Clone(mac))
		}
	}
	return once
}
