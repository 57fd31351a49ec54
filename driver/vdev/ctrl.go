package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Classes of control commands besides MQ that a driver could send (5.1.9.5),
// with the rule that forbids it without the feature.
var ctrlRules = map[byte]string{
	0: "net/ctrl-rx/1",
	1: "net/ctrl-mac/1",
	5: "net/offloads/1",
	6: "net/coal/2",
	7: "net/hash-tunnel/1",
	9: "net/rss-ctx/1",
}

// control carries out commands on the control queue. It returns how many.
func (d *Device) control() int {
	if !d.accepted.Has(virtio.NetCtrlVQ) {
		return 0
	}
	q := d.queue(virtio.CtrlQueueIndex(d.accepted, d.cfg.Pairs))
	if q == nil || !q.alive {
		return 0
	}
	n := 0
	for c := &d.command; n < d.cfg.Burst && d.running && q.pop(c); n++ {
		if !d.handleCommand(q, c) {
			break
		}
	}
	q.flush()
	return n
}

// handleCommand carries out one command. It returns false if the command has no
// room for the acknowledgement; the device has failed then.
func (d *Device) handleCommand(q *queue, c *chain) bool {
	if c.in == 0 || c.out < 2 {
		d.fail("x/net/ctrl-frame", q.index, "a command with %d readable and %d writable bytes", c.out, c.in)
		return false
	}
	var b [64]byte // no known command is longer
	command := c.gather(b[:], 0)
	ack := byte(virtio.CtrlErr)
	if d.execute(q, command[0], command[1], command[2:]) {
		ack = virtio.CtrlOK
	}
	c.segs[c.readable][0] = ack
	q.stats.Chains++
	q.stats.Bytes += c.out + 1
	q.push(c, 1)
	return true
}

func (d *Device) execute(q *queue, class, command byte, data []byte) bool {
	if class == virtio.CtrlMQ && command == virtio.CtrlMQPairsSet && d.accepted.Has(virtio.NetMQ) {
		return d.setPairs(q, data)
	}
	rule, known := ctrlRules[class]
	if class == virtio.CtrlMQ && command == 1 {
		rule, known = "net/rss/1", true
	}
	if known {
		d.violate(rule, q.index, "command %d of class %d, whose feature was not negotiated", command, class)
	}
	return false
}

// setPairs is VQ_PAIRS_SET (5.1.9.5.5).
func (d *Device) setPairs(q *queue, data []byte) bool {
	if len(data) != 2 {
		d.violate("x/net/ctrl-frame", q.index, "VQ_PAIRS_SET with %d bytes of data", len(data))
		return false
	}
	n := int(binary.LittleEndian.Uint16(data))
	if n < 1 || n > d.cfg.Pairs {
		d.violate("net/mq/2", q.index, "%d queue pairs asked for, the device has %d", n, d.cfg.Pairs)
		return false
	}
	for pair := range n {
		rx, tx := d.queues[virtio.RxQueueIndex(pair)], d.queues[virtio.TxQueueIndex(pair)]
		if !rx.alive || !tx.alive {
			d.violate("net/mq/1", q.index, "%d queue pairs asked for, but pair %d is not enabled", n, pair)
			return false
		}
	}
	// What was transmitted before the command may still go out.
	for pair := n; pair < d.active; pair++ {
		for left := d.cfg.QueueSize; left > 0 && d.running; {
			sent := d.transmit(pair)
			if sent == 0 {
				break
			}
			left -= sent
		}
		// Frames that a back end did not take with Hold are not a violation.
		var c chain
		i := virtio.TxQueueIndex(pair)
		if q := d.queues[i]; d.running && q.pop(&c) {
			q.rewind(&c)
			d.registers[i].inactiveReported = true
		}
	}
	for pair := range n {
		d.registers[virtio.TxQueueIndex(pair)].inactiveReported = false
	}
	d.active, d.pairsSet = n, true
	return d.running
}
