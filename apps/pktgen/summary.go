package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// summary returns the report for people, without what only files have room for.
func (m *measurement) summary() []byte {
	var b bytes.Buffer
	for i := range m.report.Trials {
		writeTrial(&b, &m.report.Trials[i])
	}
	for _, n := range m.report.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n.Text)
	}
	return b.Bytes()
}

// writeTrial writes one trial.
func writeTrial(b *bytes.Buffer, t *result.Trial) {
	fmt.Fprintf(b, "\npktgen: %s for %.3g s\n", t.Size, time.Duration(t.Duration).Seconds())
	rate := func(name string, r result.Rate) {
		fmt.Fprintf(b, "  %-9s %s  L2 %s  L1 %s\n", name, inUnits(r.PPS, "pps"), inUnits(r.L2BPS, "bit/s"), inUnits(r.L1BPS, "bit/s"))
	}
	rate("intended", t.Intended)
	rate("achieved", t.Achieved)
	rate("received", t.Received)
	fmt.Fprintf(b, "  sent %d, unsent %d, lost %d (%s); up to %d packets together\n",
		t.Sent, t.Unsent, t.Lost, percent(t.LossRatio), t.Quantum)
	for _, s := range t.Streams {
		writeStream(b, &s)
	}
	for _, p := range t.Ports {
		fmt.Fprintf(b, "  %s: TX-packets: %d RX-packets: %d RX-errors: %d RX-nombuf: %d unknown: %d\n",
			p.Name, p.TxPackets, p.RxPackets, p.RxErrors, p.RxNoMbuf, p.RxUnknown)
	}
	for _, c := range t.Criteria {
		if c.Passed {
			fmt.Fprintf(b, "  passed: %s\n", met(c))
		} else {
			fmt.Fprintf(b, "  FAILED: %s\n", failed(c))
		}
	}
	for _, e := range t.Examples {
		fmt.Fprintf(b, "  corrupt: %s\n", strings.ReplaceAll(strings.TrimSpace(e), "\n", "\n    "))
	}
}

func writeStream(b *bytes.Buffer, s *result.Stream) {
	fmt.Fprintf(b, "  stream %s: TX-packets: %d", s.Name, s.TxPackets)
	if s.Tracked {
		fmt.Fprintf(b, " RX-packets: %d lost: %d reordered: %d duplicates: %d late: %d",
			s.RxPackets, s.Lost, s.Reordered, s.Duplicates, s.Late)
		if c := s.Corrupt; c != (result.Corrupt{}) {
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
	fmt.Fprintf(b, "    latency: min %s  p50 %s  p90 %s  p99 %s  p99.9 %s  p99.99 %s  max %s\n", ns(l.Min), ns(l.P50),
		ns(l.P90), ns(l.P99), ns(l.P999), ns(l.P9999), ns(l.Max))
	fmt.Fprintf(b, "             mean %s  stddev %s  jitter %s  of %d packets\n", ns(int64(l.Mean)), ns(int64(l.StdDev)),
		ns(int64(l.Jitter)), l.Samples)
}

func met(c result.Criterion) string { return c.Name + " " + value(c.Measured, c.Unit) }

func failed(c result.Criterion) string {
	if c.Unit == "ns" && c.Measured == 0 {
		return c.Name + ": no latency was measured"
	}
	return fmt.Sprintf("%s: %s, more than %s", c.Name, value(c.Measured, c.Unit), value(c.Limit, c.Unit))
}

func value(v float64, unit string) string {
	if unit == "ns" {
		return ns(int64(v))
	}
	return percent(v)
}

func percent(ratio float64) string { return fmt.Sprintf("%.4g %%", 100*ratio) }

// ns returns nanoseconds with three digits.
func ns(v int64) string {
	f, unit := float64(v), "ns"
	for _, u := range []string{"µs", "ms", "s"} {
		if f < 1000 {
			break
		}
		f, unit = f/1000, u
	}
	return fmt.Sprintf("%.3g %s", f, unit)
}

// inUnits returns a rate with an SI prefix.
func inUnits(v float64, unit string) string {
	prefix := ""
	for _, p := range []string{"k", "M", "G", "T"} {
		if v < 1000 {
			break
		}
		v, prefix = v/1000, p
	}
	return fmt.Sprintf("%.4g %s%s", v, prefix, unit)
}
