package pcifn

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// notifyCap reads multiplier and length of the notification capabilities.
func notifyCaps(t *testing.T, f *Function) (list [][5]uint32) {
	caps, err := pci.Capabilities(f)
	if err != nil {
		t.Fatal(err)
	}
	for c := range pci.Vendor(caps) {
		b, err := c.Read(f)
		if err != nil {
			t.Fatal(err)
		}
		if b[3] == capNotify {
			le := binary.LittleEndian.Uint32
			list = append(list, [5]uint32{uint32(b[4]), le(b[8:]), le(b[12:]), le(b[16:])})
		}
	}
	return list
}

// The doorbell of a queue is where capability and queue_notify_off say, for
// every multiplier.
func TestDoorbellAddress(t *testing.T) {
	for _, mult := range []int{SharedDoorbell, 0, 2, 4, 4096} {
		t.Run(fmt.Sprint(mult), func(t *testing.T) {
			h := newHost(t, Config{NotifyMultiplier: mult, Device: vdev.Config{Pairs: 3}})
			h.up(minimal)
			cap := notifyCaps(t, h.f)[0]
			for q := range uint64(2) {
				h.put(cQueueSelect, 2, q)
				off := uint64(h.get(cQueueNotifyOff, 2)) * uint64(cap[3])
				if off+2 > uint64(cap[2]) {
					t.Errorf("the doorbell of queue %d is outside of the structure", q)
				}
				r, _ := h.f.Region(int(cap[0]))
				bell, err := r.Doorbell(uint64(cap[1])+off, 2)
				if err != nil {
					t.Fatal(err)
				}
				bell.Ring(uint32(q))
				if n := h.f.Device().QueueStats(int(q)).Doorbells; n != 1 {
					t.Errorf("queue %d: %d doorbells", q, n)
				}
			}
			wantRules(t, h.f.Device())
			if mult == 2 && h.f.Device().Offered().Has(virtio.NotificationData) {
				t.Error("32-bit doorbells every 2 bytes are offered")
			}
		})
	}
}

func TestPortDoorbell(t *testing.T) {
	h := newHost(t, Config{PIONotify: true})
	h.up(minimal)
	caps := notifyCaps(t, h.f)
	if len(caps) != 2 || caps[0][0] != portBAR || caps[1][0] != modernBAR {
		t.Fatalf("notification capabilities %v", caps)
	}
	if v, _ := h.f.ReadConfig(pci.RegBAR0+4*portBAR, 4); v&1 != 1 {
		t.Errorf("BAR %d is not in I/O space: %#x", portBAR, v)
	}
	r, err := h.f.Region(portBAR)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write16(0, 1); err != nil {
		t.Fatal(err)
	}
	if n := h.f.Device().QueueStats(1).Doorbells; n != 1 {
		t.Errorf("%d doorbells", n)
	}
	wantRules(t, h.f.Device())
}

func TestDoorbellRules(t *testing.T) {
	data, config := minimal.With(virtio.NotificationData), minimal.With(virtio.NotifConfigData)
	both := data.With(virtio.NotifConfigData)
	for name, c := range map[string]struct {
		f     virtio.Features
		off   uint64
		width int
		value uint32
		rule  string
	}{
		"right":                 {minimal, 4, 2, 1, ""},
		"32 bits":               {minimal, 4, 4, 1, "pci/notify/1"},
		"wrong queue":           {minimal, 4, 2, 0, "pci/notify/3"},
		"no queue":              {minimal, 2, 2, 0, "x/pci/notify-addr"},
		"right, data":           {data, 4, 4, 1, ""},
		"16 bits, data":         {data, 4, 2, 1, "pci/notify/2"},
		"wrong queue, data":     {data, 4, 4, 2, "pci/notify/4"},
		"wrong position":        {data, 4, 4, 5<<16 | 1, "x/notif-data"},
		"right, config data":    {config, 4, 2, 0xa5a4, ""},
		"queue for config data": {config, 4, 2, 1, "pci/notify/5"},
		"right, both":           {both, 4, 4, 0xa5a4, ""},
		"queue for both":        {both, 4, 4, 1, "pci/notify/6"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Config{})
			h.up(c.f)
			h.put(cQueueSelect, 2, 1)
			if v := h.get(cQueueNotifData, 2); v != 0xa5a4 {
				t.Errorf("queue_notif_config_data %#x", v)
			}
			bell, err := h.r.Doorbell(notifyOff+c.off, c.width)
			if err != nil {
				t.Fatal(err)
			}
			bell.Ring(c.value)
			if c.rule == "" {
				wantRules(t, h.f.Device())
			} else {
				wantRules(t, h.f.Device(), c.rule)
			}
		})
	}
}

func TestDoorbellBeforeDriverOK(t *testing.T) {
	h := newHost(t, Config{})
	h.negotiate(minimal)
	h.put(notifyOff, 2, 0)
	wantRules(t, h.f.Device(), "basic/init/7")
}

func TestFalseNotifyLayout(t *testing.T) {
	h := newHost(t, Config{NotifyOff: func(q int) uint16 { return uint16(1000 * q) }, NotifyLength: 2})
	h.put(cQueueSelect, 2, 1)
	if v := h.get(cQueueNotifyOff, 2); v != 1000 {
		t.Errorf("queue_notify_off %d", v)
	}
	if c := notifyCaps(t, h.f)[0]; c[2] != 2 {
		t.Errorf("the capability says %d bytes", c[2])
	}
}
