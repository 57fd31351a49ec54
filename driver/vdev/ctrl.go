package vdev

import (
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// maxCommand is how many bytes of data a command has at most: those of the largest
// indirection table, with the longest key.
const maxCommand = 2*65536 + 512

// controlState is what the control queue has from DRIVER_OK to a reset.
type controlState struct {
	chain   chain
	data    []byte   // of the command at hand, a private copy
	result  []byte   // of the command at hand
	late    []chain  // taken and to be answered when Faults.Ctrl is not CtrlLate any more
	stats   ctrlSums // for DEVICE_STATS
	queried bool     // STATS_QUERY was answered
}

// faultCounts count commands since SetFaults.
type faultCounts struct{ skipped, faulty int }

// ctrlSums counts commands.
type ctrlSums struct{ received, ok uint64 }

// ctrlCommand is a command that a driver could send (5.1.9.5).
type ctrlCommand struct {
	class, code byte
	name        string

	// features are those of which one has to be negotiated, and rule is broken otherwise.
	features []virtio.Feature
	rule     string
	// length is that of the data; -1: run checks it.
	length int
	// run carries out the command and reports whether it did; nil: the device cannot.
	run func(*Device, *queue, []byte) bool
}

const (
	ruleFeature = "x/net/ctrl-feature"
	ruleLength  = "x/net/ctrl-length"
	ruleCtrlRx  = "net/ctrl-rx/1"
	ruleRxExtra = "net/ctrl-rx/2"
)

// ctrlCommands lists the commands of the classes that are numbered so far. A class
// with the same answer to all of its commands has one entry, with code anyCode.
var ctrlCommands = slices.Concat(rxCommands, macCommands, vlanCommands, mqCommands, coalCommands, statsCommands, []ctrlCommand{
	{virtio.CtrlAnnounce, virtio.CtrlAnnounceAck, "ANNOUNCE_ACK", []virtio.Feature{virtio.NetAnnounce}, ruleFeature, 0, (*Device).announced},
	{virtio.CtrlGuestOffloads, virtio.CtrlGuestOffloadsSet, "GUEST_OFFLOADS_SET",
		[]virtio.Feature{virtio.NetCtrlOffloads}, ruleFeature, 8, (*Device).setOffloads},
	{virtio.CtrlHashTunnel, virtio.CtrlHashTunnelSet, "HASH_TUNNEL_SET",
		[]virtio.Feature{virtio.NetHashTunnel}, "net/hash-tunnel/1", 4, (*Device).setTunnels},
	{9, anyCode, "RSS_CTX", []virtio.Feature{virtio.NetRSSContext}, "net/rss-ctx/1", -1, nil},
})

const anyCode = 0xff

// controlQueue returns the control queue if it is alive, nil otherwise.
func (d *Device) controlQueue() *queue {
	if !d.accepted.Has(virtio.NetCtrlVQ) {
		return nil
	}
	q := d.queue(virtio.CtrlQueueIndex(d.accepted, d.cfg.Pairs))
	if q == nil || !q.alive {
		return nil
	}
	return q
}

// control carries out commands on the control queue. It returns how many.
func (d *Device) control() int {
	q := d.controlQueue()
	if q == nil {
		return 0
	}
	n := 0
	if len(d.ctrl.late) > 0 {
		n = d.answerLate(q)
	}
	for c := &d.ctrl.chain; n < d.cfg.Burst && d.running && q.pop(c); n++ {
		if !d.handleCommand(q, c) {
			break
		}
	}
	q.flush()
	return n
}

// checkEarly looks for a command that was made available before DRIVER_OK.
func (d *Device) checkEarly() {
	q := d.controlQueue()
	if q == nil {
		return
	}
	if c := &d.ctrl.chain; q.pop(c) {
		q.rewind(c)
		d.violate("x/net/ctrl-early", q.index, "a command was made available before DRIVER_OK")
	}
}

// handleCommand carries out one command. It returns false if the device cannot go on,
// because the command has no room for the acknowledgement or by a fault.
func (d *Device) handleCommand(q *queue, c *chain) bool {
	if c.in == 0 || c.out < 2 {
		d.fail("x/net/ctrl-frame", q.index, "a command with %d readable and %d writable bytes", c.out, c.in)
		return false
	}
	q.stats.Chains++
	q.stats.Bytes += c.out + 1
	if d.ctrlFault() != CtrlWell {
		return d.mishandle(q, c)
	}
	q.push(c, d.carryOut(q, c))
	return d.running
}

// carryOut carries out a command, writes acknowledgement and result, and returns how
// many bytes that is.
func (d *Device) carryOut(q *queue, c *chain) int {
	d.ctrl.stats.received++
	ack := byte(virtio.CtrlErr)
	if d.execute(q, c) {
		ack = virtio.CtrlOK
		d.ctrl.stats.ok++
	} else {
		d.ctrl.result = d.ctrl.result[:0]
	}
	if d.cfg.Command != nil {
		d.reportCommand(c, ack)
	}
	answer := [2][]byte{{ack}, d.ctrl.result}
	return c.fill(&answer)
}

// reportCommand calls Config.Command.
func (d *Device) reportCommand(c *chain, ack byte) {
	b := make([]byte, min(int(c.out), maxCommand+2))
	c.gather(b, 0)
	d.cfg.Command(Command{Class: b[0], Command: b[1], Data: b[2:], Ack: ack})
}

// execute reports whether a command was carried out. Its result is in d.ctrl.result.
func (d *Device) execute(q *queue, c *chain) bool {
	var header [2]byte
	c.gather(header[:], 0)
	d.ctrl.result = d.ctrl.result[:0]
	k := findCommand(header[0], header[1])
	if k == nil {
		return false
	}
	if !slices.ContainsFunc(k.features, d.accepted.Has) {
		d.violate(k.rule, q.index, "%s (command %d of class %d) without %v", k.name, header[1], header[0], k.features)
		return false
	}
	n := int(c.out) - len(header)
	if k.length >= 0 && n != k.length || n > maxCommand {
		d.violate(ruleLength, q.index, "%s with %d bytes of data, which has %d", k.name, n, k.length)
		return false
	}
	if k.run == nil {
		return false
	}
	if n > cap(d.ctrl.data) {
		d.ctrl.data = make([]byte, n)
	}
	return k.run(d, q, c.gather(d.ctrl.data[:n], len(header)))
}

// findCommand returns a command, nil if there is no such one.
func findCommand(class, code byte) *ctrlCommand {
	for i := range ctrlCommands {
		if k := &ctrlCommands[i]; k.class == class && (k.code == code || k.code == anyCode) {
			return k
		}
	}
	return nil
}

// resultRoom returns how many bytes the command at hand has for its result.
func (d *Device) resultRoom() int { return int(d.ctrl.chain.in) - 1 }
