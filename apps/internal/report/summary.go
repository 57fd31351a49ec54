package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// Print writes the outcome for packets that flowed for elapsed: with asJSON the
// object for scripts to stdout and a summary for people to notes, otherwise the
// summary to stdout. It returns an [*UnsentError] for each port that sent nothing of what
// was to leave by it.
func (r *Report) Print(elapsed time.Duration, asJSON bool, stdout, notes io.Writer) error {
	all := r.sample()
	var errs []error
	for i := range r.Ports {
		errs = append(errs, r.Ports[i].unsentError(all[i]))
	}
	if !asJSON {
		return errors.Join(append(errs, r.writeSummary(stdout, elapsed, all))...)
	}
	o := r.object(elapsed, all)
	r.describe(&o, all)
	errs = append(errs, r.writeSummary(notes, elapsed, all), o.writeJSON(stdout))
	return errors.Join(errs...)
}

// writeSummary writes the totals of each port, for packets that flowed for elapsed.
func (r *Report) writeSummary(w io.Writer, elapsed time.Duration, all []counts) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "\n%s: %.1f s, %d %s\n", r.App, elapsed.Seconds(), len(r.Ports), plural(len(r.Ports), "port"))
	for i, p := range r.Ports {
		n := all[i]
		fmt.Fprintf(&b, "\n  -------- Forward statistics for port %d: %s %s\n", p.Number, p.Name, p.Role)
		totals(&b, n, elapsed)
		if n.RxFiltered > 0 {
			fmt.Fprintf(&b, "  not received: %d were kept away by the filters of the port: promisc=, allmulti=, vlan=, mac=\n", n.RxFiltered)
		}
		if why := n.unsent().words(p.MTU); why != "" {
			fmt.Fprintf(&b, "  not sent: %s\n", why)
		}
		if n.Resets+n.Disconnects+n.Refusals+n.TxLost > 0 {
			fmt.Fprintf(&b, "  %s\n", n.recoveries())
		}
		fmt.Fprintf(&b, "  path: %s\n", p.Path)
	}
	if r.XStats {
		for i := range r.Ports {
			r.Ports[i].writeXStats(&b, all[i])
		}
	}
	fmt.Fprintf(&b, "\n  ++++++++ Accumulated forward statistics for all ports\n")
	totals(&b, sum(all), elapsed)
	if c := r.Cycles; c != nil {
		fmt.Fprintf(&b, "\n  CPU cycles/packet=%.2f (total cycles=%d / total %s packets=%d) at %.0f MHz Clock\n",
			c.PerPacket, c.Busy, c.Mode, c.Packets, c.MHz)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// recoveries says how often the port was recovered, and what that has cost.
func (n counts) recoveries() string {
	text := fmt.Sprintf("resets: %d; the device had %d of the TX-packets then, sent or not", n.Resets, n.TxLost)
	if n.Disconnects+n.Refusals > 0 {
		text += fmt.Sprintf("; disconnects: %d; refusals: %d", n.Disconnects, n.Refusals)
	}
	return text
}

// totals writes the figures of each direction that testpmd's summary has, and errors if
// there are any. A total is the sum of the others on its line and of the errors.
func totals(b *bytes.Buffer, n counts, elapsed time.Duration) {
	line := func(word string, packets, dropped, errors uint64) {
		fmt.Fprintf(b, "  %s-packets: %-13d %s-dropped: %-13d %s-total: %d\n",
			word, packets, word, dropped, word, packets+dropped+errors)
		if errors > 0 {
			fmt.Fprintf(b, "  %s-errors:  %d\n", word, errors)
		}
	}
	line("RX", n.RxPackets, n.RxErrors+n.RxMissed, 0)
	line("TX", n.TxPackets, n.TxDropped, n.TxErrors)
	fmt.Fprintf(b, "  Rx-pps:     %-13d Tx-pps:     %-13d (average)\n",
		perSecond(n.RxPackets, elapsed), perSecond(n.TxPackets, elapsed))
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
