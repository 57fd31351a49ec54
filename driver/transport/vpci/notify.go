package vpci

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
)

// doorbell returns the doorbell of the selected queue q (4.1.4.4): at
// queue_notify_off times the multiplier, not at a number of bytes. A multiplier
// of 0 is one doorbell for all queues. The product has 48 bits at most.
func (d *Device) doorbell(q int, areas transport.Queue) (transport.Notifier, error) {
	offset, err := d.read16(regQueueNotifyOff)
	if err != nil {
		return transport.Notifier{}, err
	}
	id, err := d.doorbellID(q, areas)
	if err != nil {
		return transport.Notifier{}, err
	}
	width := 2
	if areas.NotificationData {
		width = 4
	}
	notify := d.regs.notify
	refused := func(reason string) error {
		return &Error{Device: d.Name(), Field: fmt.Sprintf("virtqueue %d", q),
			Value: fmt.Sprintf("queue_notify_off %d", offset),
			Reason: fmt.Sprintf("its doorbell of %d bytes at %#x + %d × %d %s (the notification structure has %#x bytes)",
				width, notify.base(), offset, notify.multiplier, reason, notify.size),
			Remedy: brokenDevice}
	}
	off := uint64(offset) * uint64(notify.multiplier)
	if !notify.covers(off, width) {
		return transport.Notifier{}, refused("would lie outside the notification structure")
	}
	off += notify.base()
	if off%uint64(width) != 0 {
		return transport.Notifier{}, refused("would not be aligned")
	}
	doorbell, err := notify.region.Doorbell(off, width)
	if err != nil {
		return transport.Notifier{}, err
	}
	return transport.Notifier{Doorbell: doorbell, ID: id}, nil
}

// doorbellID returns the low 16 bits of the value that is written to the doorbell.
func (d *Device) doorbellID(q int, areas transport.Queue) (uint16, error) {
	if !areas.NotifConfigData {
		return uint16(q), nil
	}
	if !d.regs.common.covers(regQueueNotifyData, 2) {
		return 0, d.queueError(q, "queue_notif_config_data", 0,
			"the device does not have this register, so NOTIF_CONFIG_DATA cannot be used")
	}
	return d.read16(regQueueNotifyData)
}
