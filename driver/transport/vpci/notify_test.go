package vpci_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// pci/notify/1 to pci/notify/6, x/pci/notify-addr: address, width and value of
// the doorbells with every multiplier. The device checks them too.
func TestDoorbells(t *testing.T) {
	data, config := virtio.FeatureSet(virtio.NotificationData),
		virtio.FeatureSet(virtio.NotifConfigData)
	for name, c := range map[string]struct {
		with  virtio.Features
		width int
		data  bool
	}{
		"pci/notify/1 pci/notify/3 number":    {virtio.Features{}, 2, false},
		"pci/notify/2 pci/notify/4 data":      {data, 4, false},
		"pci/notify/5 configured":             {config, 2, true},
		"pci/notify/6 data of the device too": {data.Or(config), 4, true},
	} {
		for _, multiplier := range []int{pcifn.SharedDoorbell, 2, 4, 8, 4096} {
			if multiplier == 2 && c.width == 4 {
				continue // would not be aligned; see below
			}
			t.Run(fmt.Sprintf("%s, multiplier %d", name, multiplier), func(t *testing.T) {
				// The emulated device offers no other bit that changes the value.
				offer := features.Or(c.with)
				fn, d := emulate(t, pcifn.Config{NotifyMultiplier: multiplier,
					Device: vdev.Config{Offer: offer}})
				for q, notifier := range bringUp(t, d, offer) {
					want := uint16(q)
					if c.data {
						want = 0xa5a5 ^ uint16(q)
					}
					if notifier.ID != want {
						t.Errorf("queue %d: the doorbell's value is %#x, not %#x", q, notifier.ID,
							want)
					}
					fn.ClearLog()
					notifier.Doorbell.Ring(uint32(notifier.ID))
					rings := log(fn)
					if len(rings) != 1 {
						t.Fatalf("a doorbell made %d accesses", len(rings))
					}
					off := uint64(notifyOff + q*max(multiplier, 0))
					if a := rings[0]; a.BAR != modernBAR || a.Offset != off || a.Width != c.width ||
						a.Value != uint32(want) || !a.Write {
						t.Errorf("queue %d: %v at %#x, wanted %#x", q, a, a.Offset, off)
					}
				}
			})
		}
	}
}

// x/pci/notify-bound, fault/35, fault/36: a doorbell outside its structure
// or not aligned is refused before the queue is enabled.
func TestDoorbellsOutsideTheStructure(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   pcifn.Config
		mult  uint32 // poked into the capability unless 0
		with  virtio.Features
		queue int
		text  string
	}{
		"one past the end": {pcifn.Config{NotifyLength: 4 + 1}, 0, virtio.Features{}, 1, "outside"},
		"two bytes fit": {pcifn.Config{NotifyLength: 4 + 2}, 0,
			virtio.Features{}, 1, ""},
		"four bytes do not": {pcifn.Config{NotifyLength: 4 + 2}, 0,
			virtio.FeatureSet(virtio.NotificationData), 1, "outside"},
		"largest offset": {pcifn.Config{NotifyOff: func(int) uint16 { return 0xffff }}, 0,
			virtio.Features{}, 0, "0x3000 + 65535 × 4 would lie outside"},
		"product beyond 32 bits": {pcifn.Config{NotifyOff: func(int) uint16 { return 2 }},
			0x80000000,
			virtio.Features{}, 0, "outside"},
		"largest product": {pcifn.Config{NotifyOff: func(int) uint16 { return 0xffff }}, 0xfffffffe,
			virtio.Features{}, 0, "outside"},
		"unaligned for 32 bits": {pcifn.Config{NotifyMultiplier: 2, NotifyLength: 16,
			Device: vdev.Config{Offer: features.With(virtio.NotificationData)}}, 0,
			virtio.FeatureSet(virtio.NotificationData), 1, "would not be aligned"},
	} {
		t.Run(name, func(t *testing.T) {
			fn := function(t, c.cfg)
			if c.mult != 0 {
				put32(fn, fn.Capability(capNotify)+fieldMult, c.mult)
			}
			d := open(t, fn)
			accepted := negotiate(t, d, features.Or(c.with))
			_, err := d.SetQueue(c.queue, areas(page, 64, accepted))
			if c.text == "" {
				must(t, err)
				reset(t, d)
				return
			}
			e := as[*vpci.Error](t, err)
			if e.Field != fmt.Sprintf("virtqueue %d", c.queue) ||
				!strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
			if count(fn, "queue_enable", true) != 0 {
				t.Error("the queue was enabled")
			}
		})
	}
}

// The length field exceeds the BAR: the BAR bounds the doorbells.
func TestDoorbellsBeyondTheBAR(t *testing.T) {
	_, d := emulate(t, pcifn.Config{NotifyLength: 0xffffffff,
		NotifyOff: func(int) uint16 { return 0x1000 }})
	accepted := negotiate(t, d, features)
	_, err := d.SetQueue(0, areas(page, 64, accepted))
	if e := as[*vpci.Error](t, err); !strings.Contains(e.Reason, "has 0x1000 bytes") {
		t.Errorf("the size of the structure is not the BAR's: %v", err)
	}
}
