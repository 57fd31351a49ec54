package result

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// TestImpossibleFigures are refused with where they are and why.
func TestImpossibleFigures(t *testing.T) {
	for want, change := range map[string]func(*Report){
		"trials[0].loss_ratio is 1.5: it must be from 0 to 1":                  func(r *Report) { r.Trials[0].LossRatio = 1.5 },
		"trials[0].achieved.pps is NaN":                                        func(r *Report) { r.Trials[0].Achieved.PPS = math.NaN() },
		"searches[0].goals[0].relevant_lower_bound.load.pps is +Inf":           func(r *Report) { r.Searches[0].Goals[0].LowerBound.Load.PPS = math.Inf(1) },
		"trials[0].streams[0].latency.min_ns is -5":                            func(r *Report) { r.Trials[0].Streams[0].Latency.Min = -5 },
		"mrr[0].received_pps[1] is -1":                                         func(r *Report) { r.MRR[0].Trials[1] = -1 },
		"trials[0].streams[0].latency.curve[1].percentile is 150":              func(r *Report) { r.Trials[0].Streams[0].Latency.Curve[1].Percentile = 150 },
		"trials[0].sent is 18446744073709551615: it must be from 0 to 1e+18":   func(r *Report) { r.Trials[0].Sent = math.MaxUint64 },
		"disclosure.search.goals[0].exceed_ratio is 2: it must be from 0 to 1": func(r *Report) { r.Disclosure.Search.Goals[0].ExceedRatio = 2 },
	} {
		r := smallReport()
		change(r)
		var b bytes.Buffer
		if err := WriteJSON(&b, r); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%v, not %s", err, want)
		}
	}
	// A CPU or a node that is not known is -1.
	r := smallReport()
	r.Trials[0].Pollers[0].CPU, r.Disclosure.Devices[0].NUMANode = -1, -1
	if err := r.check(); err != nil {
		t.Error(err)
	}
}
