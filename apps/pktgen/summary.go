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
	r := &m.report
	for i := range r.Trials {
		writeTrial(&b, &r.Trials[i])
	}
	for i := range r.Searches {
		writeSearch(&b, &r.Searches[i], r.Disclosure.Search)
	}
	for _, rate := range r.MRR {
		fmt.Fprintf(&b, "\npktgen: %s: receive rate at %s: median %s, %s to %s in %d trials\n", rate.Size, inUnits(rate.Offered.PPS, "pps"),
			inUnits(rate.Median, "pps"), inUnits(rate.Min, "pps"), inUnits(rate.Max, "pps"), len(rate.Trials))
	}
	for i := range r.LossCurves {
		writeCurve(&b, &r.LossCurves[i])
	}
	for i := range r.LatencyAtLoad {
		writeLatencies(&b, &r.LatencyAtLoad[i])
	}
	for _, t := range r.BackToBack {
		fmt.Fprintf(&b, "\npktgen: %s: longest burst without loss at %s: mean %.0f packets, %d to %d, stddev %.3g, in %d searches\n",
			t.Size, inUnits(t.SendRate.PPS, "pps"), t.Mean, t.Min, t.Max, t.StdDev, len(t.Bursts))
	}
	if bias := r.Disclosure.Latency.Bias; bias != nil {
		fmt.Fprintf(&b, "\n  pktgen itself, over a cable: latency min %s  p50 %s  p99 %s  max %s, which is part of the above\n",
			ns(bias.Min), ns(bias.P50), ns(bias.P99), ns(bias.Max))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n.Text)
	}
	return b.Bytes()
}

// writeSearch writes what was found for each goal of a search.
func writeSearch(b *bytes.Buffer, s *result.Search, method *result.SearchMethod) {
	fmt.Fprintf(b, "\npktgen: %s: search %d, %d trials in %.3g s, loads are the sum of %.0f ports\n", s.Size, s.Repetition, len(s.Trials),
		time.Duration(s.Elapsed).Seconds(), method.ScopeFactor)
	bound := func(at *result.Bound) string {
		if at == nil {
			return "none"
		}
		return inUnits(at.Load.PPS, "pps")
	}
	for _, g := range s.Goals {
		fmt.Fprintf(b, "  goal %s (loss up to %s): relevant lower bound %s, upper bound %s, conditional throughput %s",
			g.Goal.Name, percent(g.Goal.LossRatio), bound(g.LowerBound), bound(g.UpperBound), inUnits(g.ConditionalThroughput.PPS, "pps"))
		if g.LowerBound != nil {
			fmt.Fprintf(b, ", L1 %s", inUnits(g.LowerBound.Load.L1BPS, "bit/s"))
		}
		if g.Irregular != "" {
			fmt.Fprintf(b, "; irregular: %s", g.Irregular)
		}
		b.WriteByte('\n')
	}
}

func writeCurve(b *bytes.Buffer, c *result.LossCurve) {
	fmt.Fprintf(b, "\npktgen: %s: loss by load, 100 %% is %s\n", c.Size, inUnits(c.MaxLoad.PPS, "pps"))
	for _, p := range c.Points {
		fmt.Fprintf(b, "  %5.1f %%  %10s  loss %s\n", p.Percent, inUnits(p.Offered.PPS, "pps"), percent(p.LossRatio))
	}
}

func writeLatencies(b *bytes.Buffer, l *result.LatencyAtLoad) {
	fmt.Fprintf(b, "\npktgen: %s: latency by load, 100 %% is %s, the %s\n", l.Size, inUnits(l.ReferenceRate.PPS, "pps"), l.Reference)
	for _, p := range l.Points {
		at := &p.Latency
		fmt.Fprintf(b, "  %5.1f %%  min %s  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s  loss %s\n", p.Percent, ns(at.Min), ns(at.P50),
			ns(at.P90), ns(at.P99), ns(at.P999), ns(at.Max), percent(p.LossRatio))
	}
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
	if c.Name == achieved {
		return fmt.Sprintf("%s: %s of what was intended, less than %s", c.Name, value(c.Measured, c.Unit), value(c.Limit, c.Unit))
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
