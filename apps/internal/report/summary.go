package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// Print writes the outcome for packets that flowed for elapsed: with asJSON the
// object for scripts to stdout and a summary for people to notes, otherwise the
// summary to stdout.
func (r *Report) Print(elapsed time.Duration, asJSON bool, stdout, notes io.Writer) error {
	if !asJSON {
		return r.writeSummary(stdout, elapsed)
	}
	return errors.Join(r.writeSummary(notes, elapsed), r.object(elapsed).writeJSON(stdout))
}

// writeSummary writes the totals of each port, for packets that flowed for elapsed.
func (r *Report) writeSummary(w io.Writer, elapsed time.Duration) error {
	var b bytes.Buffer
	var all driver.Stats
	ports := "ports"
	if len(r.Ports) == 1 {
		ports = "port"
	}
	fmt.Fprintf(&b, "\n%s: %.1f s, %d %s\n", r.App, elapsed.Seconds(), len(r.Ports), ports)
	for _, p := range r.Ports {
		n := p.Stats()
		fmt.Fprintf(&b, "\n  -------- Forward statistics for port %d: %s %s\n", p.Number, p.Name, p.Role)
		totals(&b, n)
		fmt.Fprintf(&b, "  Rx-pps:     %-13d Tx-pps:     %-13d (average)\n",
			perSecond(n.RxPackets, elapsed), perSecond(n.TxPackets, elapsed))
		if n.Resets > 0 {
			fmt.Fprintf(&b, "  resets: %d, each of which lost what the device had\n", n.Resets)
		}
		fmt.Fprintf(&b, "  path: %s\n", p.Path)
		all.RxPackets += n.RxPackets
		all.RxErrors += n.RxErrors
		all.TxPackets += n.TxPackets
		all.TxDropped += n.TxDropped
	}
	fmt.Fprintf(&b, "\n  ++++++++ Accumulated forward statistics for all ports\n")
	totals(&b, all)
	fmt.Fprintf(&b, "  Rx-pps:     %-13d Tx-pps:     %-13d (average)\n",
		perSecond(all.RxPackets, elapsed), perSecond(all.TxPackets, elapsed))
	if c := r.Cycles; c != nil {
		fmt.Fprintf(&b, "\n  CPU cycles/packet=%.2f (total cycles=%d / total %s packets=%d) at %.0f MHz Clock\n",
			c.PerPacket, c.Busy, c.Mode, c.Packets, c.MHz)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// totals writes the three figures of each direction that testpmd's summary has.
func totals(b *bytes.Buffer, n driver.Stats) {
	line := func(word string, packets, dropped uint64) {
		fmt.Fprintf(b, "  %s-packets: %-13d %s-dropped: %-13d %s-total: %d\n",
			word, packets, word, dropped, word, packets+dropped)
	}
	line("RX", n.RxPackets, n.RxErrors)
	line("TX", n.TxPackets, n.TxDropped)
}
