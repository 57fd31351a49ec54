package result

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// WriteText writes a report for people to read in a terminal, without what only files have
// room for. It writes nothing if nothing was measured.
func WriteText(w io.Writer, r *Report) error {
	if r.Empty() {
		return nil
	}
	var b bytes.Buffer
	for i := range r.Trials {
		writeTrial(&b, &r.Trials[i])
	}
	for i := range r.Searches {
		writeSearch(&b, &r.Searches[i], r.Disclosure.Search)
	}
	for _, m := range r.MRR {
		fmt.Fprintf(&b, "\npktgen: %s: receive rate at %s: median %s, %s to %s in %s\n", m.Size, PPSText(m.Offered.PPS),
			PPSText(m.Median), PPSText(m.Min), PPSText(m.Max), plural(len(m.Trials), "trial"))
	}
	for i := range r.LossCurves {
		writeCurve(&b, &r.LossCurves[i])
	}
	for i := range r.LatencyAtLoad {
		writeLatencies(&b, &r.LatencyAtLoad[i])
	}
	for _, t := range r.BackToBack {
		fmt.Fprintf(&b, "\npktgen: %s: longest burst without loss at %s: mean %.0f packets, %d to %d, stddev %.0f, repetitions: %d\n",
			t.Size, PPSText(t.SendRate.PPS), t.Mean, t.Min, t.Max, t.StdDev, len(t.Bursts))
	}
	if bias := r.Disclosure.Latency.Bias; bias != nil {
		fmt.Fprintf(&b, "\n  pktgen itself, over a cable: latency min %s  p50 %s  p99 %s  max %s, which is part of the above\n",
			durationText(bias.Min), durationText(bias.P50), durationText(bias.P99), durationText(bias.Max))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n.Text)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeSearch writes what was found for each goal of a search.
func writeSearch(b *bytes.Buffer, s *Search, method *SearchMethod) {
	fmt.Fprintf(b, "\npktgen: %s: search %d, %s in %s", s.Size, s.Repetition, plural(len(s.Trials), "trial"), durationText(s.Elapsed))
	if method != nil && method.ScopeFactor > 1 {
		fmt.Fprintf(b, ", loads are the sum of %.0f ports", method.ScopeFactor)
	}
	b.WriteByte('\n')
	for i := range s.Goals {
		writeGoal(b, &s.Goals[i])
	}
}

func writeGoal(b *bytes.Buffer, g *GoalResult) {
	bound := func(at *Bound) string {
		if at == nil {
			return "none"
		}
		return PPSText(at.Load.PPS)
	}
	fmt.Fprintf(b, "  goal %s (loss up to %s): relevant lower bound %s, upper bound %s, conditional throughput %s",
		g.Goal.Name, ratioText(g.Goal.LossRatio), bound(g.LowerBound), bound(g.UpperBound), PPSText(g.ConditionalThroughput.PPS))
	if g.LowerBound != nil {
		fmt.Fprintf(b, ", L1 %s", bpsText(g.LowerBound.Load.L1BPS))
	}
	if g.Irregular != "" {
		fmt.Fprintf(b, "; irregular: %s", g.Irregular)
		writeLikely(b, g)
	}
	b.WriteByte('\n')
}

// writeLikely writes between which loads a goal was looked for last, where that says more
// than the bounds.
func writeLikely(b *bytes.Buffer, g *GoalResult) {
	lower, upper := g.LikelyLower.PPS, g.LikelyUpper.PPS
	switch {
	case lower > 0 && upper > 0 && (g.LowerBound == nil || g.UpperBound == nil):
		fmt.Fprintf(b, ", likely between %s and %s", PPSText(lower), PPSText(upper))
	case lower > 0 && g.LowerBound == nil:
		fmt.Fprintf(b, ", likely above %s", PPSText(lower))
	case upper > 0 && g.UpperBound == nil:
		fmt.Fprintf(b, ", likely below %s", PPSText(upper))
	}
}

func writeCurve(b *bytes.Buffer, c *LossCurve) {
	fmt.Fprintf(b, "\npktgen: %s: loss by load, 100 %% is %s\n", c.Size, PPSText(c.MaxLoad.PPS))
	for _, p := range c.Points {
		fmt.Fprintf(b, "  %5.1f %%  %10s  loss %s\n", p.Percent, PPSText(p.Offered.PPS), ratioText(p.LossRatio))
	}
}

func writeLatencies(b *bytes.Buffer, l *LatencyAtLoad) {
	fmt.Fprintf(b, "\npktgen: %s: latency by load, 100 %% is %s, the %s\n", l.Size, PPSText(l.ReferenceRate.PPS), l.Reference)
	for _, p := range l.Points {
		at := &p.Latency
		fmt.Fprintf(b, "  %5.1f %%  min %s  p50 %s  p90 %s  p99 %s  p99.9 %s  max %s  loss %s\n", p.Percent, durationText(at.Min),
			durationText(at.P50), durationText(at.P90), durationText(at.P99), durationText(at.P999), durationText(at.Max),
			ratioText(p.LossRatio))
	}
}

// plural returns a number and a word for so many.
func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return strconv.Itoa(n) + " " + word
}
