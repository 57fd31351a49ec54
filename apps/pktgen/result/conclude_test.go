package result

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// noted returns the texts of the notes of a kind, after Conclude.
func noted(r *Report, kind NoteKind) []string {
	r.Conclude()
	var list []string
	for _, n := range r.Notes {
		if n.Kind == kind {
			list = append(list, n.Text)
		}
	}
	return list
}

// searched is a report of one search that is RFC 2544's in all but the sizes.
func searched(pps float64) *Report {
	goal := Goal{Name: "rfc2544", FinalTrialDuration: int64(time.Minute), DurationSum: int64(time.Minute)}
	bound := &Bound{Load: NewRate(pps, 60), Trials: 1}
	r := &Report{Searches: []Search{{Size: FixedSize(60), Repetition: 1,
		Goals: []GoalResult{{Goal: goal, LowerBound: bound, UpperBound: bound}}}}}
	r.Disclosure.Search = &SearchMethod{Goals: []Goal{goal}, WaitAfter: 2e9, Settle: 5e9, Learning: true}
	return r
}

// TestGeneratorBound: from 95 % of the generator's own maximum on.
func TestGeneratorBound(t *testing.T) {
	for pps, want := range map[float64]bool{9.4e6: false, 9.5e6: true, 10e6: true, 11e6: true} {
		r := searched(pps)
		r.Disclosure.Limits.Loopback = []LoopbackMaximum{{Size: FixedSize(1514), Rate: NewRate(1e6, 1514)},
			{Size: FixedSize(60), Rate: NewRate(10e6, 60)}}
		r.MRR = []MRR{sampleMRR(60, pps, pps/2)}
		r.Trials = []Trial{{Name: "soak", Size: FixedSize(60), Received: NewRate(pps, 60)}}
		notes := noted(r, GeneratorBound)
		if got := r.Searches[0].GeneratorBound; got != want || r.MRR[0].GeneratorBound != want || (len(notes) == 3) != want {
			t.Errorf("%g pps of 10 Mpps: search %v, MRR %v, notes %q", pps, got, r.MRR[0].GeneratorBound, notes)
		}
		if len(noted(r, Procedure)) > 0 {
			t.Error("the maximum was measured, and a note says it was not")
		}
	}
	if notes := noted(searched(1), Procedure); len(notes) != 1 || !strings.Contains(notes[0], "not measured") {
		t.Errorf("without the generator's maximum: %q", notes)
	}
}

func TestEmulatedDevicesAreNoted(t *testing.T) {
	r := &Report{}
	if notes := noted(r, EmulatedDevice); len(notes) > 0 {
		t.Errorf("without devices: %q", notes)
	}
	r.Disclosure.Devices = []Device{{Name: "0", Emulated: true}, {Name: "1"}}
	if notes := noted(r, EmulatedDevice); len(notes) != 1 || !strings.HasPrefix(notes[0], "0: ") {
		t.Errorf("%q", notes)
	}
}

func TestPassed(t *testing.T) {
	r := &Report{Trials: []Trial{{Criteria: []Criterion{{Passed: true}}}, {}}}
	if r.Conclude(); !r.Passed || !r.Trials[0].Passed || !r.Trials[1].Passed {
		t.Error("all criteria are met, and the report failed")
	}
	r.Trials[1].Criteria = []Criterion{{Passed: true}, {Passed: false}}
	if r.Conclude(); r.Passed || !r.Trials[0].Passed || r.Trials[1].Passed {
		t.Error("a criterion is not met, and the report passed")
	}
}

func TestShortRatesAndIrregularResultsAreNoted(t *testing.T) {
	r := searched(1)
	r.Searches[0].Goals[0].Irregular = "max load passes"
	r.Searches[0].Goals = append(r.Searches[0].Goals, GoalResult{Goal: Goal{Name: "none"}})
	r.Trials = []Trial{{Name: "a", Sent: 90, Unsent: 10}, {Name: "b", Intended: NewRate(1, 60)}}
	if notes := noted(r, ShortRate); len(notes) != 2 || !strings.Contains(notes[0], "10 %") {
		t.Errorf("short rates: %q", notes)
	}
	if notes := noted(r, Irregular); len(notes) != 2 || !strings.Contains(notes[0], "max load passes") {
		t.Errorf("irregular results: %q", notes)
	}
}

// TestRFC2544Deviations: each part of the procedure that differs is said, and no other.
func TestRFC2544Deviations(t *testing.T) {
	all := func() *Report {
		r := searched(1)
		first := r.Searches[0]
		for _, n := range rfcSizes[1:] {
			s := first
			s.Size = FixedSize(n)
			s.Goals = slices.Clone(first.Goals)
			r.Searches = append(r.Searches, s)
		}
		return r
	}
	if notes := noted(all(), RFC2544); len(notes) > 0 {
		t.Errorf("RFC 2544's own procedure deviates: %q", notes)
	}
	for want, change := range map[string]func(*Report){
		"trials last 1 s":           func(r *Report) { r.Searches[0].Goals[0].Goal.FinalTrialDuration = 1e9 },
		"0.5 % loss is accepted":    func(r *Report) { r.Searches[0].Goals[0].Goal.LossRatio = 0.005 },
		"up to 50 % of the trials":  func(r *Report) { r.Searches[0].Goals[0].Goal.ExceedRatio = 0.5 },
		"not measured: 64":          func(r *Report) { r.Searches = r.Searches[1:] },
		"last frames is 100 ms":     func(r *Report) { r.Disclosure.Search.WaitAfter = 1e8 },
		"1 s to settle":             func(r *Report) { r.Disclosure.Search.Settle = 1e9 },
		"no learning frames":        func(r *Report) { r.Disclosure.Search.Learning = false },
		"imix is a mix of sizes":    func(r *Report) { r.Searches = append(r.Searches, Search{Size: Size{"imix", 357, 60, 1514}}) },
		"steps of up to 20 %":       func(r *Report) { r.LossCurves = []LossCurve{{Points: lossAt(60e9, 100, 80)}} },
		"frame loss trials last":    func(r *Report) { r.LossCurves = []LossCurve{{Points: lossAt(1e9, 100, 90)}} },
		"repeated 2 times":          func(r *Report) { r.BackToBack = []BackToBack{{Bursts: []int64{1, 2}}} },
		"latency is that of probe ": func(r *Report) { r.LatencyAtLoad = []LatencyAtLoad{{}} },
	} {
		r := all()
		change(r)
		if notes := noted(r, RFC2544); len(notes) != 1 || !strings.Contains(notes[0], want) {
			t.Errorf("instead of %q: %q", want, notes)
		}
	}
}

func lossAt(duration int64, percents ...float64) []LossPoint {
	var points []LossPoint
	for _, p := range percents {
		points = append(points, LossPoint{Percent: p, Duration: duration})
	}
	return points
}

func TestRates(t *testing.T) {
	// 14.88 Mpps of 64-byte frames with FCS fill 10 Gbit/s.
	if r := NewRate(10e9/672, 60); r.L1BPS != 10e9 || int(r.L2BPS/1e6) != 7619 {
		t.Errorf("%+v", r)
	}
	for want, s := range map[string]Size{
		"60 bytes (64 with FCS)": FixedSize(60), "imix, mean 357.8 bytes (361.8 with FCS)": {"imix", 357.83, 60, 1514},
	} {
		if s.String() != want {
			t.Errorf("%q, not %q", s, want)
		}
	}
	if LossRatio(0, 0) != 0 || LossRatio(4, 1) != 0.25 {
		t.Error("loss ratio")
	}
}

func TestTexts(t *testing.T) {
	for want, got := range map[string]string{
		"0 pps": PPSText(0), "999 pps": PPSText(999), "1 kpps": PPSText(999.6), "1.49 Mpps": PPSText(1488095),
		"14.9 Mpps": PPSText(14880952), "10 Gbit/s": bpsText(1e10), "0 ns": nsText(0), "1.23 µs": nsText(1234),
		"1 ms": nsText(999960), "60 s": nsText(60e9), "0 %": ratioText(0), "0.05 %": ratioText(0.0005),
		"1.0e-06 %": ratioText(1e-8), "100 %": ratioText(1), "1,234,567": countText(1234567), "999": countText(999),
		"1.5 KiB": bytesText(1536), "unknown": bytesText(0),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
