// Package report shows what the ports of a command do: a live screen for
// people, a summary when it ends, and one JSON object for scripts. The words
// are those of DPDK's testpmd, because people's scripts search for them.
package report

import (
	"slices"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// Report describes one run of a command over its ports.
type Report struct {
	App   string
	Ports []Port
	// Start is when the first packet could flow, Planned how long they are to
	// flow, 0 if until a signal.
	Start   time.Time
	Planned time.Duration
	// Pollers says in a few words who polls and how busy they are. It may be nil.
	Pollers func() string
	// Asleep returns how long the pollers have slept together. It is nil if they do not.
	Asleep func() time.Duration
	// Cycles is what packets cost, nil if that was not recorded.
	Cycles *Cycles
	// ShowInfo and XStats add what the ports are, and their extended statistics, to the
	// outcome.
	ShowInfo, XStats bool
	// Traffic is what a generator shows beside its ports.
	Traffic Traffic
}

// Port is one port as it is shown. The functions may be called from any
// goroutine, also while packets flow.
type Port struct {
	Number   int    // its place on the command line, from 0
	Name     string // as the command line gave it
	Role     string // what is done with its packets: "-> port 1"
	Path     string // the chosen receive and transmit path in words
	Features []string
	// State is the link's state in words.
	State func() string
	MTU   int // 0 if unknown
	// Info describes the port. It may be nil.
	Info func() driver.Info
	// Stats counts from the opening of the port.
	Stats func() driver.Stats
	// Extended is for a port whose extended statistics are not those of [driver.Stats]: it
	// is called in place of Stats, and returns both as they are at one moment.
	Extended func() (driver.Stats, []driver.ExtendedStat)
	// Full returns how many packets the command dropped because the transmit queues of the
	// port were full, queue by queue. It may be nil.
	Full func() []uint64
}

// counts are the counters of a port, with what the command dropped. At the end
// of a run, of all packets that were to leave by the port, TxPackets were sent, TxDropped
// dropped and TxErrors refused. Those of a queue pair count what was dropped because the
// queue was full, too.
type counts struct {
	driver.Stats
	extended []driver.ExtendedStat // the port's own, if it has some
	full     uint64                // of TxDropped
}

func (p *Port) counts() counts {
	var c counts
	if p.Extended != nil {
		c.Stats, c.extended = p.Extended()
	} else {
		c.Stats = p.Stats()
	}
	if p.Full != nil {
		c.Queues = slices.Clone(c.Queues)
		for q, n := range p.Full() {
			c.full += n
			if q < len(c.Queues) {
				c.Queues[q].Tx.Dropped += n
			}
		}
		c.TxDropped += c.full
	}
	return c
}

// sum returns the counters of all ports, without those of queues.
func sum(ports []counts) counts {
	var all counts
	for _, n := range ports {
		all.full += n.full
		all.RxPackets += n.RxPackets
		all.RxBytes += n.RxBytes
		all.RxErrors += n.RxErrors
		all.RxMissed += n.RxMissed
		all.RxFiltered += n.RxFiltered
		all.RxNoMbuf += n.RxNoMbuf
		all.TxPackets += n.TxPackets
		all.TxBytes += n.TxBytes
		all.TxDropped += n.TxDropped
		all.TxErrors += n.TxErrors
		all.TxLost += n.TxLost
		all.Polls += n.Polls
		all.EmptyPolls += n.EmptyPolls
		all.Kicks += n.Kicks
		all.Suppressed += n.Suppressed
		all.Waits += n.Waits
		all.Interrupts += n.Interrupts
		all.Faults.BrokenQueue += n.Faults.BrokenQueue
		all.Faults.NeedsReset += n.Faults.NeedsReset
		all.Faults.LostStatus += n.Faults.LostStatus
		all.Faults.Memory += n.Faults.Memory
		all.Faults.Removed += n.Faults.Removed
		all.Resets += n.Resets
		all.Disconnects += n.Disconnects
		all.Refusals += n.Refusals
	}
	return all
}

// sample returns the counters of all ports as they are now.
func (r *Report) sample() []counts {
	list := make([]counts, len(r.Ports))
	for i := range r.Ports {
		list[i] = r.Ports[i].counts()
	}
	return list
}
