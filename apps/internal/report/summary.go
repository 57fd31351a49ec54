package report

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// WriteSummary writes what each port did in all, for packets that flowed for
// elapsed.
func (s *Session) WriteSummary(w io.Writer, elapsed time.Duration) error {
	var b bytes.Buffer
	var all driver.Stats
	ports := "ports"
	if len(s.Ports) == 1 {
		ports = "port"
	}
	fmt.Fprintf(&b, "\n%s: %.1f s, %d %s\n", s.App, elapsed.Seconds(), len(s.Ports), ports)
	for _, p := range s.Ports {
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
	_, err := w.Write(b.Bytes())
	return err
}

// totals writes the three figures of each direction that testpmd's summary has.
func totals(b *bytes.Buffer, n driver.Stats) {
	line := func(word string, packets, dropped uint64) {
		fmt.Fprintf(b, "  %s-packets: %-13d %s-dropped: %-13d %s-total: %d\n", word, packets, word, dropped, word, packets+dropped)
	}
	line("RX", n.RxPackets, n.RxErrors)
	line("TX", n.TxPackets, n.TxDropped)
}
