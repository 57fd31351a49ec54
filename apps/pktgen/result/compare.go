package result

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// CompareSchema names the version of the JSON document that WriteComparisonJSON writes.
const CompareSchema = "pktgen-compare/1"

// Comparison is what differs between two reports.
type Comparison struct {
	Schema string `json:"schema"` // "pktgen-compare/1"
	// A and B name the reports: A is the old one, B the new one.
	A string `json:"a"`
	B string `json:"b"`
	// Setup is what was different in how the reports were made.
	Setup []SetupDifference `json:"setup,omitempty"`
	// Figures are those that both reports have.
	Figures []FigureDifference `json:"figures,omitempty"`
	// OnlyA and OnlyB name the figures that one report has alone.
	OnlyA []string `json:"only_a,omitempty"`
	OnlyB []string `json:"only_b,omitempty"`
	// Rule says how a verdict is found.
	Rule string `json:"rule"`
	// Outcome sums up the verdicts.
	Outcome Outcome `json:"outcome"`
}

// SetupDifference is a member of identity or disclosure that is not the same.
type SetupDifference struct {
	Member string `json:"member"` // "disclosure.host.kernel"
	A      string `json:"a"`      // "absent" if the report does not have it
	B      string `json:"b"`
}

// FigureDifference compares one figure.
type FigureDifference struct {
	Name string `json:"name"`
	Unit string `json:"unit"` // "pps", "ns", "ratio", "packets"
	// HigherIsBetter says which way is the good one.
	HigherIsBetter bool     `json:"higher_is_better"`
	A              Estimate `json:"a"`
	B              Estimate `json:"b"`
	// Change is (b-a)/a; 0 if a is 0.
	Change  float64 `json:"change"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"` // of the verdict, with its numbers
}

// Estimate is a figure with its spread.
type Estimate struct {
	Median  float64 `json:"median"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Samples int     `json:"samples"`
}

// Verdict says what a difference of a figure is worth.
type Verdict string

// The verdicts.
const (
	Same       Verdict = "same"        // there is none, or no more than the spread
	Better     Verdict = "better"      // it is more than the spread, the good way
	Worse      Verdict = "worse"       // it is more than the spread, the bad way
	CannotTell Verdict = "cannot tell" // there are too few repetitions to know the spread
)

// Outcome sums up a comparison.
type Outcome string

// The outcomes.
const (
	AllSame     Outcome = "same"        // no figure differs by more than its spread
	SomeBetter  Outcome = "better"      // some are better, none is worse
	SomeWorse   Outcome = "worse"       // some are worse, none is better
	Mixed       Outcome = "mixed"       // some are better, some worse
	Undecided   Outcome = "cannot tell" // none differs that could be told, and some could not
	NothingSame Outcome = "nothing in common"
)

// alpha is the significance level, fewest how many values each side needs to reach it.
const (
	alpha  = 0.05
	fewest = 4
)

const rule = "Repeated measurements of a figure are compared by the Mann-Whitney U test, which assumes nothing " +
	"about their distribution: a difference is more than the spread if it would come by chance in less than 5 % " +
	"of the cases. That takes at least 4 measurements in each report. With fewer it cannot be told, unless " +
	"there is no difference at all or the bounds of the searches overlap. Changes are of the medians."

// Compare tells what differs between an old report a and a new one b.
func Compare(a, b *Report) *Comparison {
	c := &Comparison{Schema: CompareSchema, A: nameOf(a), B: nameOf(b), Setup: compareSetup(a, b), Rule: rule}
	inA, inB := samplesOf(a), samplesOf(b)
	for _, s := range inA {
		i := slices.IndexFunc(inB, func(o *sample) bool { return o.name == s.name })
		if i < 0 {
			c.OnlyA = append(c.OnlyA, s.name)
			continue
		}
		c.Figures = append(c.Figures, s.compare(inB[i]))
		inB = slices.Delete(inB, i, i+1)
	}
	for _, s := range inB {
		c.OnlyB = append(c.OnlyB, s.name)
	}
	c.Outcome = outcomeOf(c.Figures)
	return c
}

// Status returns an exit status for scripts: 0 if no figure is worse by more than its
// spread, 1 if one is, 3 if none is but it could not be told for all, or the reports have
// nothing in common. (2 is left to errors of the command line.)
func (c *Comparison) Status() int {
	switch c.Outcome {
	case SomeWorse, Mixed:
		return 1
	case NothingSame:
		return 3
	}
	if slices.ContainsFunc(c.Figures, func(f FigureDifference) bool { return f.Verdict == CannotTell }) {
		return 3
	}
	return 0
}

func nameOf(r *Report) string {
	name := cmp.Or(r.Title, "untitled")
	if id := r.Identity; id.Tool != "" {
		name += fmt.Sprintf(", %s %s", id.Tool, id.Version)
	}
	if !r.Identity.Start.IsZero() {
		name += ", " + r.Identity.Start.UTC().Format("2006-01-02 15:04:05Z")
	}
	return name
}

func outcomeOf(figures []FigureDifference) Outcome {
	found := map[Verdict]bool{}
	for _, f := range figures {
		found[f.Verdict] = true
	}
	switch {
	case len(figures) == 0:
		return NothingSame
	case found[Better] && found[Worse]:
		return Mixed
	case found[Worse]:
		return SomeWorse
	case found[Better]:
		return SomeBetter
	case found[CannotTell]:
		return Undecided
	}
	return AllSame
}

// sample is a figure of a report with all its measurements.
type sample struct {
	name, unit     string
	higherIsBetter bool
	values         []float64
	// low and high are the bounds within which each value is, if a search found them.
	low, high []float64
}

func (s *sample) estimate() Estimate {
	return Estimate{Median: median(s.values), Min: slices.Min(s.values), Max: slices.Max(s.values), Samples: len(s.values)}
}

// compare judges the difference from s, the old one, to o.
func (s *sample) compare(o *sample) FigureDifference {
	d := FigureDifference{Name: s.name, Unit: s.unit, HigherIsBetter: s.higherIsBetter, A: s.estimate(), B: o.estimate()}
	if d.A.Median != 0 {
		d.Change = (d.B.Median - d.A.Median) / d.A.Median
	}
	d.Verdict, d.Reason = s.judge(o)
	return d
}

func (s *sample) judge(o *sample) (Verdict, string) {
	n := fmt.Sprintf("n=%d+%d", len(s.values), len(o.values))
	a, b := median(s.values), median(o.values)
	if len(s.values) < fewest || len(o.values) < fewest {
		switch {
		case slices.Max(s.values) == slices.Min(o.values) && slices.Min(s.values) == slices.Max(o.values):
			return Same, n + ", equal"
		case s.bounded() && o.bounded() && overlap(s, o):
			return Same, n + ", the bounds overlap"
		case s.bounded() && o.bounded():
			return CannotTell, n + ", too few; the bounds do not overlap"
		}
		return CannotTell, n + ", too few"
	}
	thresholds := benchmath.DefaultThresholds
	thresholds.CompareAlpha = alpha
	test := benchmath.AssumeNothing.Compare(benchmath.NewSample(slices.Clone(s.values), &thresholds),
		benchmath.NewSample(slices.Clone(o.values), &thresholds))
	reason := fmt.Sprintf("p=%.3f, %s", test.P, n)
	switch {
	case math.IsNaN(test.P), test.P >= alpha, a == b:
		return Same, reason
	case (b > a) == s.higherIsBetter:
		return Better, reason
	}
	return Worse, reason
}

func (s *sample) bounded() bool { return len(s.low) == len(s.values) }

// overlap reports whether any bounds of two samples have a load in common.
func overlap(a, b *sample) bool {
	return slices.Min(a.low) <= slices.Max(b.high) && slices.Min(b.low) <= slices.Max(a.high)
}
