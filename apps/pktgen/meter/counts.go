package meter

// Counts are what was received of one stream.
type Counts struct {
	InOrder   uint64 // with the next expected number, or a larger one
	Reordered uint64 // with a smaller number, for the first time
	Duplicate uint64 // with a number that was received before
	Late      uint64 // too far behind for the window: reordered or a duplicate
	Stale     uint64 // of an earlier trial
	Corrupt   Corrupt

	Bytes   uint64 // of all these
	Skipped uint64 // numbers that a packet in order was ahead of the next expected one

	ExtentSum uint64 // of the extents of reordered packets
	ExtentMax uint64
}

// Corrupt counts packets that failed verification. Their numbers count as not received,
// as a receiver would have dropped them.
type Corrupt struct{ Length, Checksum, Payload uint64 }

// Packets returns how many packets that are.
func (c *Corrupt) Packets() uint64 { return c.Length + c.Checksum + c.Payload }

// Packets returns how many packets of the stream were received.
func (c *Counts) Packets() uint64 {
	return c.Unique() + c.Duplicate + c.Late + c.Stale + c.Corrupt.Packets()
}

// Unique returns how many sequence numbers of the trial are known to be received.
func (c *Counts) Unique() uint64 { return c.InOrder + c.Reordered }

// Missing returns how many numbers before the largest received one were not received.
// Packets counted as Late may be among them.
func (c *Counts) Missing() uint64 { return c.Skipped - c.Reordered }

// Span returns how many numbers there are from the first of the trial to the largest
// received. If that is more than were sent, a number was received that never was sent.
func (c *Counts) Span() uint64 { return c.InOrder + c.Skipped }

// Lost returns how many of the packets that were sent in the trial were not received,
// including those that are corrupt. Packets counted as Late may be among them. It is 0
// if more numbers were received than were sent.
func (c *Counts) Lost(sent uint64) uint64 {
	if u := c.Unique(); u < sent {
		return sent - u
	}
	return 0
}

// add adds the counts of a later part of the same trial.
func (c *Counts) add(d *Counts) {
	c.InOrder += d.InOrder
	c.Reordered += d.Reordered
	c.Duplicate += d.Duplicate
	c.Late += d.Late
	c.Stale += d.Stale
	c.Corrupt.Length += d.Corrupt.Length
	c.Corrupt.Checksum += d.Corrupt.Checksum
	c.Corrupt.Payload += d.Corrupt.Payload
	c.Bytes += d.Bytes
	c.Skipped += d.Skipped
	c.ExtentSum += d.ExtentSum
	c.ExtentMax = max(c.ExtentMax, d.ExtentMax)
}

// Tally counts packets that belong to no stream.
type Tally struct{ Packets, Bytes uint64 }

func (t *Tally) count(n int) {
	t.Packets++
	t.Bytes += uint64(n)
}

func (t *Tally) add(d Tally) {
	t.Packets += d.Packets
	t.Bytes += d.Bytes
}
