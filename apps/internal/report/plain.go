package report

import (
	"bytes"
	"fmt"
)

// plain returns a sample as lines that a script may read.
func plain(app string, v sample) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s\n", app, v.head())
	for _, p := range v.ports {
		p.write(&b)
	}
	if len(v.ports) > 1 {
		v.total.write(&b)
	}
	for _, s := range v.streams {
		s.write(&b)
	}
	for _, l := range v.latencies {
		l.write(&b)
	}
	return b.Bytes()
}

func (p *portSample) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "%s\n", p.title())
	fmt.Fprintf(b, "  RX-packets: %-12d RX-bytes: %-14d RX-errors: %-3d RX-nombuf:  %d\n",
		p.RxPackets, p.RxBytes, p.RxErrors, p.RxNoMbuf)
	fmt.Fprintf(b, "  TX-packets: %-12d TX-bytes: %-14d TX-errors: %-3d TX-dropped: %d\n",
		p.TxPackets, p.TxBytes, p.TxErrors, p.TxDropped)
	rates := func(word string, pps, bps uint64) {
		fmt.Fprintf(b, "  %s-pps:     %-12d %s-bps:   %-14d %9s  %s\n",
			word, pps, word, bps, inUnits(pps, "pps"), inUnits(bps, "bit/s"))
	}
	rates("Rx", p.rxPPS, p.rxBPS)
	rates("Tx", p.txPPS, p.txBPS)
	fmt.Fprintf(b, "  Polls: %d, %s empty; kicks: %d; resets: %d\n",
		p.Polls, Share(p.EmptyPolls, p.Polls), p.Kicks, p.Resets)
	if p.RxFiltered > 0 {
		fmt.Fprintf(b, "  RX-filtered: %d\n", p.RxFiltered)
	}
	if p.recovered() {
		fmt.Fprintf(b, "  RX-missed: %d; TX-lost: %d; disconnects: %d; refusals: %d\n",
			p.RxMissed, p.TxLost, p.Disconnects, p.Refusals)
	}
}

func (s *streamSample) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "stream %s  %s  %s\n", s.Name, s.Route, s.Rate)
	fmt.Fprintf(b, "  TX-packets: %-12d TX-bytes: %-14d Tx-pps: %-12d %9s\n",
		s.TxPackets, s.TxBytes, s.txPPS, inUnits(s.txPPS, "pps"))
	if !s.Tracked {
		return
	}
	fmt.Fprintf(b, "  RX-packets: %-12d RX-bytes: %-14d Rx-pps: %-12d %9s\n",
		s.RxPackets, s.RxBytes, s.rxPPS, inUnits(s.rxPPS, "pps"))
	fmt.Fprintf(b, "  lost: %d  reordered: %d  duplicates: %d  corrupt: %d\n",
		s.Lost, s.Reordered, s.Duplicates, s.Corrupt)
}

func (l *Latency) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "latency %s  packets: %d", l.Name, l.Packets)
	if l.Packets > 0 {
		for _, t := range l.times() {
			fmt.Fprintf(b, "  %s: %s", t.name, inTime(t.d))
		}
	}
	b.WriteByte('\n')
}

// plainTrials returns a line for each trial.
func plainTrials(app string, trials []Trial) []byte {
	var b bytes.Buffer
	for _, t := range trials {
		fmt.Fprintf(&b, "%s: trial %d: ", app, t.Number)
		if t.What != "" {
			fmt.Fprintf(&b, "%s: ", t.What)
		}
		fmt.Fprintf(&b, "%s for %s: loss %s", inPPS(t.Load), inTime(t.Duration), percent(t.Loss))
		if t.Outcome != "" {
			fmt.Fprintf(&b, ": %s", t.Outcome)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
