package result

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What RFC 2544 asks for.
const (
	rfcTrial       = 60 * time.Second  // section 24, at least
	rfcLatency     = 120 * time.Second // section 26.2, at least
	rfcRepetitions = 20                // section 26.2, at least
	rfcWaitAfter   = 2 * time.Second   // section 23
	rfcSettle      = 5 * time.Second   // section 23, at least
	rfcLossStep    = 10.0              // section 26.3, percent at most
	rfcBursts      = 50                // section 26.4, at least
)

// rfcSizes are the frame sizes of section 9.1 without FCS.
var rfcSizes = []int{60, 124, 252, 508, 1020, 1276, 1514}

// rfc2544Deviations says how the measurements differ from the procedure of RFC 2544. It is
// empty for a report of single trials, which are none of its tests.
func (r *Report) rfc2544Deviations() []string {
	var list []string
	add := func(differs bool, format string, args ...any) {
		if text := fmt.Sprintf(format, args...); differs && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	r.searchDeviations(add)
	for _, c := range r.LossCurves {
		add(lossStep(c) > rfcLossStep+0.001, "the frame loss curve has steps of up to %.0f %% of the maximum "+
			"load; RFC 2544 asks for %.0f %% at most", lossStep(c), rfcLossStep)
		for _, p := range c.Points {
			add(p.Duration < int64(rfcTrial), "frame loss trials last %s; RFC 2544 asks for %s at least",
				durationText(p.Duration), durationText(int64(rfcTrial)))
		}
	}
	for _, l := range r.LatencyAtLoad {
		add(true, "latency is that of probe streams beside the load, in one trial at each load; RFC 2544 "+
			"asks for one tagged frame in each of %d trials", rfcRepetitions)
		for _, p := range l.Points {
			add(p.Duration < int64(rfcLatency), "latency trials last %s; RFC 2544 asks for %s at least",
				durationText(p.Duration), durationText(int64(rfcLatency)))
		}
	}
	for _, b := range r.BackToBack {
		add(len(b.Bursts) < rfcBursts, "back-to-back searches are repeated %d times; RFC 2544 asks for %d "+
			"at least", len(b.Bursts), rfcBursts)
	}
	return list
}

func (r *Report) searchDeviations(add func(differs bool, format string, args ...any)) {
	var measured []int
	for _, s := range r.Searches {
		measured = append(measured, s.Size.Min)
		add(s.Size.Min != s.Size.Max, "%s is a mix of sizes; RFC 2544's throughput is of one size", s.Size.Name)
		for _, g := range s.Goals {
			goal := g.Goal
			add(goal.FinalTrialDuration < int64(rfcTrial), "goal %s: trials last %s; RFC 2544 asks for %s at least",
				goal.Name, durationText(goal.FinalTrialDuration), durationText(int64(rfcTrial)))
			add(goal.LossRatio > 0, "goal %s: %s loss is accepted; RFC 2544's throughput is without loss",
				goal.Name, ratioText(goal.LossRatio))
			add(goal.ExceedRatio > 0, "goal %s: up to %s of the trials may exceed the loss ratio; in RFC 2544 "+
				"none may", goal.Name, ratioText(goal.ExceedRatio))
		}
	}
	if len(measured) == 0 {
		return
	}
	var missing []string
	for _, n := range rfcSizes {
		if !slices.Contains(measured, n) {
			missing = append(missing, strconv.Itoa(n+fcsLen))
		}
	}
	add(len(missing) > 0, "of RFC 2544's sizes (with FCS) these were not measured: %s", strings.Join(missing, ", "))
	m := r.Disclosure.Search
	if m == nil {
		return
	}
	add(m.WaitAfter < int64(rfcWaitAfter), "the wait for the last frames is %s; RFC 2544 asks for %s",
		durationText(m.WaitAfter), durationText(int64(rfcWaitAfter)))
	add(m.Settle < int64(rfcSettle), "the device has %s to settle before the next trial; RFC 2544 asks for %s "+
		"at least", durationText(m.Settle), durationText(int64(rfcSettle)))
	add(!m.Learning, "no learning frames are sent before a trial")
}

// lossStep returns the largest distance between neighbouring loads, in percent.
func lossStep(c LossCurve) float64 {
	percents := make([]float64, 0, len(c.Points))
	for _, p := range c.Points {
		percents = append(percents, p.Percent)
	}
	slices.Sort(percents)
	largest := 0.0
	for i := 1; i < len(percents); i++ {
		largest = max(largest, percents[i]-percents[i-1])
	}
	return largest
}
