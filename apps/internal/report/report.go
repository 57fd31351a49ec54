// Package report shows what the ports of a command do: a live screen for
// people, a summary when it ends, and one JSON object for scripts. The words
// are those of DPDK's testpmd, because people's scripts search for them.
package report

import (
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
	// Cycles is what packets cost, nil if that was not recorded.
	Cycles *Cycles
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
	// Stats counts from the opening of the port. TxDropped includes what the
	// command dropped because the queue was full.
	Stats func() driver.Stats
}
