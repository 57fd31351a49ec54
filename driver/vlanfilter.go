package driver

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// MaxVLAN is the largest VLAN ID. 4095 is reserved (IEEE 802.1Q).
const MaxVLAN = 4094

// vlanNeeds is the feature of the VLAN filter.
var vlanNeeds = virtio.FeatureSet(virtio.NetCtrlVLAN)

// vlanTable are the VLANs whose packets the device receives (5.1.9.5.3).
type vlanTable struct{ ids map[uint16]bool }

func (t *vlanTable) restore(c *commander) error {
	if len(t.ids) == 0 {
		return nil
	}
	if err := c.require(vlanNeeds); err != nil {
		return err
	}
	var refused error
	for _, id := range slices.Sorted(maps.Keys(t.ids)) {
		if err := unlessRefused(t.send(c, virtio.CtrlVLANAdd, id), &refused); err != nil {
			return err
		}
	}
	return refused
}

func (t *vlanTable) send(c *commander, command uint8, id uint16) error {
	_, err := c.send(virtio.CtrlVLAN, command, binary.LittleEndian.AppendUint16(nil, id), nil)
	return err
}

// AddVLAN has the device receive packets that are tagged with this VLAN, 0 to [MaxVLAN].
// It needs CTRL_VLAN, which is accepted if Config.Request has it: the filter of a device
// that has one starts empty, and drops every tagged packet then. Packets without a tag
// do not pass through it. Errors are those of [Port.SetPromiscuous], and an [*Error] for
// another ID.
func (p *Port) AddVLAN(ctx context.Context, id uint16) error {
	return p.editVLANs(ctx, virtio.CtrlVLANAdd, id)
}

// RemoveVLAN undoes AddVLAN. A VLAN that was not added is left to the device, and no error
// of this method.
func (p *Port) RemoveVLAN(ctx context.Context, id uint16) error {
	return p.editVLANs(ctx, virtio.CtrlVLANDel, id)
}

func (p *Port) editVLANs(ctx context.Context, command uint8, id uint16) error {
	const op = "VLAN filter"
	d := p.device
	if id > MaxVLAN {
		return &Error{Device: d.name, Op: op, Field: "VLAN", Value: id,
			Reason: "not between 0 and 4094", Remedy: "12 bits, of which 4095 is reserved"}
	}
	return d.configure(ctx, op, func(c *commander) error {
		if err := c.require(vlanNeeds); err != nil {
			return err
		}
		if err := d.settings.vlans.send(c, command, id); err != nil {
			return err
		}
		d.settings.update(func(s *settings) {
			if s.vlans.ids == nil {
				s.vlans.ids = make(map[uint16]bool)
			}
			if command == virtio.CtrlVLANAdd {
				s.vlans.ids[id] = true
			} else {
				delete(s.vlans.ids, id)
			}
		})
		return nil
	})
}

// VLANs returns the VLANs of the filter in their order.
func (p *Port) VLANs() []uint16 {
	s := &p.device.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.vlans.ids))
}
