package result

import (
	"bytes"
	"fmt"
	"strings"
)

// writeTrial writes one trial.
func writeTrial(b *bytes.Buffer, t *Trial) {
	fmt.Fprintf(b, "\npktgen: %s for %s\n", t.Size, durationText(t.Duration))
	rate := func(name string, r Rate) {
		fmt.Fprintf(b, "  %-9s %s  L2 %s  L1 %s\n", name, PPSText(r.PPS), bpsText(r.L2BPS), bpsText(r.L1BPS))
	}
	rate("intended", t.Intended)
	rate("achieved", t.Achieved)
	rate("received", t.Received)
	fmt.Fprintf(b, "  sent %d, unsent %d, lost %d (%s); at most %s at once\n",
		t.Sent, t.Unsent, t.Lost, ratioText(t.LossRatio), plural(t.Quantum, "packet"))
	for i := range t.Streams {
		writeStream(b, &t.Streams[i])
	}
	for i := range t.Ports {
		writePort(b, &t.Ports[i])
	}
	for _, c := range t.Criteria {
		word := "FAILED"
		if c.Passed {
			word = "passed"
		}
		fmt.Fprintf(b, "  %s: %s\n", word, c)
	}
	for _, e := range t.Examples {
		fmt.Fprintf(b, "  corrupt: %s\n", strings.ReplaceAll(strings.TrimSpace(e), "\n", "\n    "))
	}
}

func writePort(b *bytes.Buffer, p *Port) {
	fmt.Fprintf(b, "  %s: TX-packets: %d RX-packets: %d RX-errors: %d RX-nombuf: %d unknown: %d",
		p.Name, p.TxPackets, p.RxPackets, p.RxErrors, p.RxNoMbuf, p.RxUnknown)
	if p.Resets+p.Disconnects > 0 {
		fmt.Fprintf(b, " resets: %d disconnects: %d", p.Resets, p.Disconnects)
	}
	b.WriteByte('\n')
}

func writeStream(b *bytes.Buffer, s *Stream) {
	fmt.Fprintf(b, "  stream %s: TX-packets: %d", s.Name, s.TxPackets)
	if s.TxUnsent > 0 {
		fmt.Fprintf(b, " unsent: %d", s.TxUnsent)
	}
	if s.Tracked {
		fmt.Fprintf(b, " RX-packets: %d lost: %d reordered: %d duplicates: %d late: %d",
			s.RxPackets, s.Lost, s.Reordered, s.Duplicates, s.Late)
		if c := s.Corrupt; c != (Corrupt{}) {
			fmt.Fprintf(b, " bad checksum: %d bad length: %d bad payload: %d", c.Checksum, c.Length, c.Payload)
		}
		if s.Stale > 0 {
			fmt.Fprintf(b, " of an earlier trial: %d", s.Stale)
		}
	}
	b.WriteByte('\n')
	l := s.Latency
	if l == nil {
		return
	}
	fmt.Fprintf(b, "    latency: min %s  p50 %s  p90 %s  p99 %s  p99.9 %s  p99.99 %s  max %s\n", durationText(l.Min),
		durationText(l.P50), durationText(l.P90), durationText(l.P99), durationText(l.P999), durationText(l.P9999), durationText(l.Max))
	fmt.Fprintf(b, "             mean %s  stddev %s  jitter %s  of %s\n", nsText(l.Mean), nsText(l.StdDev),
		nsText(l.Jitter), plural(int(l.Samples), "packet"))
}

// String says what was measured, and what it must not exceed if it does.
func (c Criterion) String() string {
	value := ratioText
	if c.Unit == "ns" {
		value = nsText
	}
	switch {
	case c.Unit == "ns" && c.Measured == 0:
		return c.Name + ": no latency was measured"
	case c.Passed:
		return fmt.Sprintf("%s: %s", c.Name, value(c.Measured))
	case c.Measured < c.Limit:
		return fmt.Sprintf("%s: %s, less than %s", c.Name, value(c.Measured), value(c.Limit))
	}
	return fmt.Sprintf("%s: %s, more than %s", c.Name, value(c.Measured), value(c.Limit))
}
