package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// The blocks of statistics have the layout of testpmd of DPDK 22.11: scripts search for their
// lines.
const (
	forwardHead = "----------------------"
	forwardFoot = "----------------------------------------------------------------------------"
	totalHead   = "+++++++++++++++"
	totalFoot   = "++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++"
	portEdge    = "########################"
	portFoot    = "############################################################################"
)

// traffic is what a port did in a run.
type traffic struct {
	rx, rxDropped, rxErrors, noMbuf uint64
	tx, txDropped                   uint64
	badIP, badL4                    uint64 // checksums, counted by csum
}

// add adds the counts of another port.
func (t *traffic) add(o traffic) {
	t.rx += o.rx
	t.rxDropped += o.rxDropped
	t.rxErrors += o.rxErrors
	t.noMbuf += o.noMbuf
	t.tx += o.tx
	t.txDropped += o.txDropped
}

func (t *traffic) write(w io.Writer, csum bool) {
	fmt.Fprintf(w, "  RX-packets: %-14d RX-dropped: %-14dRX-total: %-d\n", t.rx, t.rxDropped, t.rx+t.rxDropped)
	if csum {
		fmt.Fprintf(w, "  Bad-ipcsum: %-14d Bad-l4csum: %-14dBad-outer-l4csum: %-14d\n", t.badIP, t.badL4, 0)
		fmt.Fprintf(w, "  Bad-outer-ipcsum: %-14d\n", 0)
	}
	if t.rxErrors+t.noMbuf > 0 {
		fmt.Fprintf(w, "  RX-error: %-d\n", t.rxErrors)
		fmt.Fprintf(w, "  RX-nombufs: %-14d\n", t.noMbuf)
	}
	fmt.Fprintf(w, "  TX-packets: %-14d TX-dropped: %-14dTX-total: %-d\n", t.tx, t.txDropped, t.tx+t.txDropped)
}

// writeTotal writes the counts of all ports.
func (t *traffic) writeTotal(w io.Writer) {
	fmt.Fprintf(w, "\n  %s Accumulated forward statistics for all ports%s\n", totalHead, totalHead)
	t.write(w, false)
	fmt.Fprintf(w, "  %s\n", totalFoot)
}

// rates are what a port moved a second since it was shown last.
type rates struct{ rxPackets, rxBits, txPackets, txBits uint64 }

// ratesOf returns the rates between two readings of the counters.
func ratesOf(now, last driver.Stats, since time.Duration) rates {
	each := func(now, last uint64) uint64 {
		if now < last || since <= 0 {
			return 0
		}
		return uint64(float64(now-last) / since.Seconds())
	}
	return rates{
		rxPackets: each(now.RxPackets, last.RxPackets), rxBits: 8 * each(now.RxBytes, last.RxBytes),
		txPackets: each(now.TxPackets, last.TxPackets), txBits: 8 * each(now.TxBytes, last.TxBytes),
	}
}

// writePortStats writes the counters of a port, without the line that ends them.
func writePortStats(w io.Writer, number int, n driver.Stats, r rates) {
	fmt.Fprintf(w, "\n  %s NIC statistics for port %-2d %s\n", portEdge, number, portEdge)
	fmt.Fprintf(w, "  RX-packets: %-10d RX-missed: %-10d RX-bytes:  %-d\n", n.RxPackets, n.RxMissed, n.RxBytes)
	fmt.Fprintf(w, "  RX-errors: %-d\n", n.RxErrors)
	fmt.Fprintf(w, "  RX-nombuf:  %-10d\n", n.RxNoMbuf)
	fmt.Fprintf(w, "  TX-packets: %-10d TX-errors: %-10d TX-bytes:  %-d\n", n.TxPackets, n.TxErrors+n.TxDropped, n.TxBytes)
	fmt.Fprintf(w, "\n  Throughput (since last show)\n")
	fmt.Fprintf(w, "  Rx-pps: %12d          Rx-bps: %12d\n", r.rxPackets, r.rxBits)
	fmt.Fprintf(w, "  Tx-pps: %12d          Tx-bps: %12d\n", r.txPackets, r.txBits)
}

// stars frames the title of a page about a port.
func stars(title string) string {
	edge := strings.Repeat("*", 21)
	return fmt.Sprintf("\n%s %s %s\n", edge, title, edge)
}
