package vm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// testPktgen has pktgen measure l2fwd, over functions that are joined in pairs: a search
// finds a rate, and a trial at that rate is without loss.
func (g *guest) testPktgen(t *testing.T, sends, under []string) {
	f := g.l2fwd(t, []string{"--no-mac-updating"}, ports("", under...))
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	if err := f.WaitFor(ctx, "port 1: "); err != nil {
		t.Fatal(err)
	}
	found := g.search(t, sends)
	const attempts = 5 // the host may be busy elsewhere for longer than a ring lasts
	for n := 1; ; n++ {
		r := g.pktgen(t, sends, "--duration", "1", "--rate", fmt.Sprintf("%.3fpps", found/2), "--max-loss", "0", "--latency", "20pps")
		trial := &r.Trials[0]
		t.Logf("%.0f pps: sent %d, unsent %d, lost %d, passed: %v", found, trial.Sent, trial.Unsent, trial.Lost, r.Passed)
		for _, s := range trial.Streams {
			if s.Lost != s.TxPackets+s.TxUnsent-(s.RxPackets-s.Duplicates) {
				t.Errorf("stream %s does not add up: %+v", s.Name, s)
			}
			if s.Duplicates != 0 || s.Reordered != 0 {
				t.Errorf("stream %s: %d duplicates, %d reordered", s.Name, s.Duplicates, s.Reordered)
			}
			if l := s.Latency; l != nil {
				t.Logf("latency: p50 %d µs, p99 %d µs", l.P50/1000, l.P99/1000)
			}
		}
		if trial.Sent > 0 && trial.Lost == 0 && r.Passed {
			break
		}
		if n == attempts {
			t.Errorf("loss in each of %d trials", n)
			break
		}
	}
	s := f.end(t) // the search may have sent more than l2fwd forwards
	if a, b := s.Ports[0], s.Ports[1]; a.RxPackets == 0 || a.RxPackets != b.TxPackets+b.TxDropped || b.RxPackets != a.TxPackets+a.TxDropped {
		t.Errorf("l2fwd: %+v %+v", a, b)
	}
}

// search returns the rate of both ports together, in packets per second, of which the search
// saw no loss in a full-length trial.
func (g *guest) search(t *testing.T, sends []string) float64 {
	t.Helper()
	r := g.pktgen(t, sends, "--search", "rfc2544", "--trial-duration", "1s", "--min-rate", "50pps", "--max-rate", "2kpps")
	s := r.Searches[0]
	for _, trial := range s.Trials {
		t.Logf("%.0f pps for %d ms: sent %d, unsent %d, lost %d", trial.Load.PPS, trial.Duration/1e6, trial.Sent, trial.Unsent, trial.Lost)
	}
	lower := s.Goals[0].LowerBound
	if lower == nil {
		t.Fatalf("no lower bound: %s", s.Goals[0].Irregular)
	}
	t.Logf("%d trials: lower bound %.0f pps %s", len(s.Trials), lower.Load.PPS, s.Goals[0].Irregular)
	if !slices.Contains(lower.LossRatios, 0) {
		t.Errorf("loss ratios at the lower bound: %v", lower.LossRatios)
	}
	return lower.Load.PPS
}

// pktgen runs pktgen over functions to its end and returns its report.
func (g *guest) pktgen(t *testing.T, ids []string, args ...string) *result.Report {
	t.Helper()
	line := append([]string{"/bin/pktgen", "--json", "--quiet", "--self-test=false"}, args...)
	for _, address := range g.addresses(ids...) {
		line = append(line, g.port(address))
	}
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	o, err := g.Agent.Run(ctx, line...)
	if err != nil {
		t.Fatal(err)
	}
	if o.Exit > 1 || o.Exit < 0 { // 1: a criterion was not met, or the rate was short
		t.Fatal(o)
	}
	r, err := result.ReadJSON(strings.NewReader(o.Stdout))
	if err != nil {
		t.Fatalf("%v\n%v", err, o)
	}
	return r
}
