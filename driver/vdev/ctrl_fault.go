package vdev

import "slices"

// CtrlFault is what a device makes of a command in place of carrying it out and answering
// it.
type CtrlFault int

const (
	// CtrlWell is no fault.
	CtrlWell CtrlFault = iota
	// CtrlSilent takes the command and never answers it.
	CtrlSilent
	// CtrlLate takes the command, and carries it out and answers it when Faults.Ctrl is
	// something else, and memory was not unmapped meanwhile.
	CtrlLate
	// CtrlTwice answers it twice.
	CtrlTwice
	// CtrlUnknownAck answers with a value that is neither OK nor ERR.
	CtrlUnknownAck
	// CtrlShort carries it out and returns the buffer without having written to it.
	CtrlShort
	// CtrlRefuse answers ERR to everything.
	CtrlRefuse
	// CtrlReset resets the device in place of an answer.
	CtrlReset
	// CtrlNeedsReset sets DEVICE_NEEDS_RESET in place of an answer.
	CtrlNeedsReset
)

// unknownAck is what CtrlUnknownAck answers.
const unknownAck = 0x5a

// ctrlFault returns what happens to the next command, and counts it.
func (d *Device) ctrlFault() CtrlFault {
	f := &d.faults
	switch {
	case f.Ctrl == CtrlWell:
		return CtrlWell
	case d.ctrlFaults.skipped < f.CtrlAfter:
		d.ctrlFaults.skipped++
		return CtrlWell
	case f.CtrlTimes > 0 && d.ctrlFaults.faulty == f.CtrlTimes:
		return CtrlWell
	}
	d.ctrlFaults.faulty++
	return f.Ctrl
}

// mishandle does to a command what Faults.Ctrl says. It returns false if the device cannot
// go on.
func (d *Device) mishandle(q *queue, c *chain) bool {
	switch d.faults.Ctrl {
	case CtrlLate:
		late := *c
		late.segs = slices.Clone(c.segs)
		d.ctrl.late = append(d.ctrl.late, late)
	case CtrlTwice:
		n := d.carryOut(q, c)
		q.push(c, n)
		q.push(c, n)
	case CtrlUnknownAck:
		n := d.carryOut(q, c)
		c.writeAck(unknownAck)
		q.push(c, n)
	case CtrlShort:
		// The driver finds what it put there itself.
		before := c.readAck()
		d.carryOut(q, c)
		c.writeAck(before)
		q.push(c, 0)
	case CtrlRefuse:
		c.writeAck(1)
		q.push(c, 1)
	case CtrlReset:
		d.clear()
		d.reset = resetState{}
	case CtrlNeedsReset:
		d.needsReset()
	}
	return d.running
}

func (c *chain) readAck() byte     { return c.segs[c.readable][0] }
func (c *chain) writeAck(ack byte) { c.segs[c.readable][0] = ack }

// answerLate carries out the commands that CtrlLate kept, unless it still does, and
// returns how many.
func (d *Device) answerLate(q *queue) int {
	if d.faults.Ctrl == CtrlLate {
		return 0
	}
	late := d.ctrl.late
	d.ctrl.late = nil
	for i := range late {
		d.ctrl.chain = late[i]
		q.push(&late[i], d.carryOut(q, &late[i]))
	}
	return len(late)
}
