package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

var (
	notfCoal   = []virtio.Feature{virtio.NetNotfCoal}
	vqNotfCoal = []virtio.Feature{virtio.NetVQNotfCoal}
)

// coalCommands are those of notification coalescing (5.1.9.5, Notifications Coalescing).
//
// The text has the parameters that VQ_GET returns before the acknowledgement in one
// place, as the end of its data, and behind it in another, as the result of a command.
// Here they are behind it, where all results are.
var coalCommands = []ctrlCommand{
	{virtio.CtrlNotfCoal, virtio.CtrlNotfCoalTxSet, "NOTF_COAL_TX_SET", notfCoal, "net/coal/2", 8, func(d *Device, q *queue, data []byte) bool {
		return d.setCoalescing(q, 1, data)
	}},
	{virtio.CtrlNotfCoal, virtio.CtrlNotfCoalRxSet, "NOTF_COAL_RX_SET", notfCoal, "net/coal/2", 8, func(d *Device, q *queue, data []byte) bool {
		return d.setCoalescing(q, 0, data)
	}},
	{virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQSet, "NOTF_COAL_VQ_SET", vqNotfCoal, "net/coal/3", 12, (*Device).setQueueCoalescing},
	{virtio.CtrlNotfCoal, virtio.CtrlNotfCoalVQGet, "NOTF_COAL_VQ_GET", vqNotfCoal, "net/coal/3", 4, (*Device).queueCoalescing},
}

func parseCoalescing(data []byte) Coalescing {
	return Coalescing{Packets: binary.LittleEndian.Uint32(data), Microseconds: binary.LittleEndian.Uint32(data[4:])}
}

// setCoalescing sets the parameters of all receiveqs, with direction 0, or all transmitqs,
// with 1, those that are not enabled included. They are the queues before the control queue.
func (d *Device) setCoalescing(q *queue, direction int, data []byte) bool {
	d.coalDefault[direction] = parseCoalescing(data)
	for i := direction; i < q.index; i += 2 {
		d.queues[i].coalesce(d.coalDefault[direction])
	}
	return true
}

// coalescingQueue returns the queue that VQ_SET or VQ_GET names; nil if it is no enabled
// receiveq or transmitq.
func (d *Device) coalescingQueue(q *queue, data []byte) *queue {
	i := int(binary.LittleEndian.Uint16(data))
	if i >= q.index || !d.queues[i].alive {
		d.violate("net/coal/1", q.index, "coalescing of virtqueue %d, which is no enabled receiveq or transmitq", i)
		return nil
	}
	return d.queues[i]
}

func (d *Device) setQueueCoalescing(q *queue, data []byte) bool {
	to := d.coalescingQueue(q, data)
	if to == nil {
		return false
	}
	to.coalesce(parseCoalescing(data[4:]))
	return true
}

func (d *Device) queueCoalescing(q *queue, data []byte) bool {
	of := d.coalescingQueue(q, data)
	if of == nil {
		return false
	}
	if room := d.resultRoom(); room < 8 {
		d.violate("x/net/ctrl-result", q.index, "NOTF_COAL_VQ_GET with %d bytes for its result of 8", room)
		return false
	}
	d.ctrl.result = binary.LittleEndian.AppendUint32(d.ctrl.result, of.coal.Packets)
	d.ctrl.result = binary.LittleEndian.AppendUint32(d.ctrl.result, of.coal.Microseconds)
	return true
}
