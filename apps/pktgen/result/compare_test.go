package result

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// repeated is a report of a search with 60-byte frames, once for each lower bound.
func repeated(bounds ...float64) *Report {
	r := &Report{}
	for i, pps := range bounds {
		r.Searches = append(r.Searches, Search{Size: FixedSize(60), Repetition: i + 1, Goals: []GoalResult{{
			Goal: Goal{Name: "ndr"}, LowerBound: &Bound{Load: NewRate(pps, 60)}, UpperBound: &Bound{Load: NewRate(pps*1.005, 60)},
		}}})
	}
	return r
}

// TestVerdicts: throughput of an old and a new report.
func TestVerdicts(t *testing.T) {
	few := []float64{10e6, 10.1e6, 9.9e6}
	many := []float64{10e6, 10.1e6, 9.9e6, 10.05e6, 9.95e6}
	scale := func(values []float64, by float64) []float64 {
		scaled := slices.Clone(values)
		for i := range scaled {
			scaled[i] *= by
		}
		return scaled
	}
	for name, c := range map[string]struct {
		a, b    []float64
		verdict Verdict
		reason  string
		status  int
	}{
		"better":                  {many, scale(many, 1.05), Better, "p=0.008, n=5+5", 0},
		"worse":                   {many, scale(many, 0.95), Worse, "p=0.008, n=5+5", 1},
		"within the spread":       {many, scale(many, 1.002), Same, "n=5+5", 0},
		"four are enough":         {many[:4], scale(many[:4], 0.9), Worse, "p=0.029, n=4+4", 1},
		"too few":                 {few, scale(few, 2), CannotTell, "n=3+3, too few; the bounds do not overlap", 3},
		"too few, overlapping":    {few, scale(few, 1.01), Same, "the bounds overlap", 0},
		"one each":                {few[:1], scale(few[:1], 1.1), CannotTell, "n=1+1, too few; the bounds do not overlap", 3},
		"one each, overlapping":   {few[:1], scale(few[:1], 1.004), Same, "the bounds overlap", 0},
		"one each, equal":         {few[:1], few[:1], Same, "equal", 0},
		"many and too few":        {many, scale(few, 0.5), CannotTell, "n=5+3", 3},
		"all equal and too equal": {scale(many[:1], 1), many[:1], Same, "n=1+1, equal", 0},
	} {
		got := Compare(repeated(c.a...), repeated(c.b...))
		if len(got.Figures) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		if f := got.Figures[0]; f.Verdict != c.verdict || !strings.Contains(f.Reason, c.reason) || got.Status() != c.status {
			t.Errorf("%s: %s, %q, status %d", name, f.Verdict, f.Reason, got.Status())
		}
	}
}

// TestLowerIsBetter: for latencies and losses.
func TestLowerIsBetter(t *testing.T) {
	report := func(p50 int64, loss float64) *Report {
		r := &Report{}
		for i := range int64(5) {
			r.Trials = append(r.Trials, Trial{Name: "soak", Sent: 100, LossRatio: loss + float64(i)/1e4, Received: NewRate(1e6+float64(i), 60),
				Streams: []Stream{{Name: "probe", Latency: &Latency{Samples: 9, P50: p50 + i}}}})
		}
		return r
	}
	c := Compare(report(1000, 0.1), report(2000, 0.05))
	verdicts := map[string]Verdict{}
	for _, f := range c.Figures {
		verdicts[f.Name] = f.Verdict
	}
	if verdicts["latency p50 stream probe, soak"] != Worse || verdicts["loss, soak"] != Better || verdicts["received, soak"] != Same {
		t.Errorf("%v", verdicts)
	}
	if c.Outcome != Mixed || c.Status() != 1 {
		t.Errorf("outcome %s, status %d", c.Outcome, c.Status())
	}
}

// TestFalseAlarms: of reports that differ by chance alone, few are said to differ, and of
// those that differ by three times the deviation, nearly all.
func TestFalseAlarms(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	draw := func(mean float64) *Report {
		values := make([]float64, 6)
		for i := range values {
			values[i] = mean + 1e5*rng.NormFloat64()
		}
		return repeated(values...)
	}
	const runs = 400
	alarms, found := 0, 0
	for range runs {
		if Compare(draw(10e6), draw(10e6)).Outcome != AllSame {
			alarms++
		}
		if Compare(draw(10e6), draw(10.3e6)).Outcome == SomeBetter {
			found++
		}
	}
	if alarms == 0 || alarms > runs*8/100 || found < runs*90/100 {
		t.Errorf("of %d comparisons %d false alarms, %d real differences found", runs, alarms, found)
	}
}

// TestCompareIsSymmetric: what is better one way is worse the other way.
func TestCompareIsSymmetric(t *testing.T) {
	bounds := rapid.SliceOfN(rapid.Float64Range(1e5, 2e5), 1, 8)
	rapid.Check(t, func(t *rapid.T) {
		a, b := repeated(bounds.Draw(t, "a")...), repeated(bounds.Draw(t, "b")...)
		there, back := Compare(a, b).Figures[0], Compare(b, a).Figures[0]
		want := map[Verdict]Verdict{Better: Worse, Worse: Better, Same: Same, CannotTell: CannotTell}[there.Verdict]
		if back.Verdict != want || there.A != back.B || there.B != back.A {
			t.Fatalf("%+v, but %+v", there, back)
		}
		if self := Compare(a, a); self.Outcome != AllSame || self.Status() != 0 || len(self.Setup) > 0 {
			t.Fatalf("with itself: %+v", self)
		}
	})
}

func TestCompareSetup(t *testing.T) {
	a, b := smallReport(), smallReport()
	b.Identity.Version, b.Identity.Start, b.Identity.CommandLine = "v1.3.0", b.Identity.End, []string{"pktgen", "--x"}
	b.Disclosure.Host.Governor = "powersave"
	b.Disclosure.Host.Hugepages[0].Free--
	b.Disclosure.Devices = b.Disclosure.Devices[:1]
	b.Disclosure.Devices[0].InOrder = false
	b.Disclosure.Latency.Bias = nil
	b.Disclosure.Search.Goals[1].LossRatio = 0.01
	found := map[string]SetupDifference{}
	for _, d := range Compare(a, b).Setup {
		found[d.Member] = d
	}
	for _, want := range []SetupDifference{
		{"identity.version", "v1.2.3", "v1.3.0"},
		{"identity.command_line", "pktgen emu:cable=a", "pktgen --x"},
		{"disclosure.host.governor", "performance", "powersave"},
		{"disclosure.devices[0].in_order", "true", "false"},
		{"disclosure.devices[1].ring", "packed", "absent"},
		{"disclosure.search.goals[1].loss_ratio", "0.005", "0.01"},
	} {
		if found[want.Member] != want {
			t.Errorf("%+v, not %+v", found[want.Member], want)
		}
	}
	for _, member := range []string{"identity.start", "disclosure.host.hugepages[0].free", "disclosure.latency.bias.samples"} {
		if d, ok := found[member]; ok {
			t.Errorf("%+v says nothing of the set-up", d)
		}
	}
}

// TestCompareDifferentReports: figures that one report has alone are named, not compared.
func TestCompareDifferentReports(t *testing.T) {
	c := Compare(repeated(1e6), smallReport())
	if c.Outcome != Undecided || len(c.Figures) != 1 || len(c.OnlyA) != 0 || !slices.Contains(c.OnlyB, "received, one second") ||
		!slices.Contains(c.OnlyB, "latency p99 at 50 % of lower bound of goal ndr, 60 (64) bytes") {
		t.Errorf("%+v", c)
	}
	if c := Compare(&Report{}, smallReport()); c.Outcome != NothingSame || c.Status() != 3 {
		t.Errorf("with an empty report: %s, %d", c.Outcome, c.Status())
	}
}

// compared is a comparison with every part.
func compared() *Comparison {
	a, b := smallReport(), smallReport()
	b.Identity.Version, b.Disclosure.Host.Kernel = "v1.3.0", "6.1.0-42-amd64"
	a.Searches = append(repeated(9e6, 9.1e6, 9.2e6, 9.3e6).Searches, a.Searches...)
	b.Searches = append(repeated(7e6, 7.1e6, 7.2e6, 7.3e6).Searches, b.Searches...)
	b.Trials[0].Streams[0].Latency = &Latency{Samples: 10, Min: 800, P50: 1400, P90: 2000, P99: 2500, P999: 3000, P9999: 3000, Max: 3000}
	a.LossCurves[0].Points = a.LossCurves[0].Points[:1]
	return Compare(a, b)
}

func TestCompareGolden(t *testing.T) {
	var b bytes.Buffer
	if err := WriteComparison(&b, compared()); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.txt", b.Bytes())
	b.Reset()
	if err := WriteComparisonJSON(&b, compared()); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.json", b.Bytes())
	var again Comparison
	if err := json.Unmarshal(b.Bytes(), &again); err != nil || again.Schema != CompareSchema || again.Outcome != SomeWorse {
		t.Errorf("read again: %v, %+v", err, again)
	}
}
