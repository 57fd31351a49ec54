package result

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the files of testdata anew")

// golden compares what was written with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			t.Fatalf("line %d of %s:\n got  %s\n want %s\nwith -update it is written anew", i+1, file, g[i], w[i])
		}
	}
	t.Fatalf("%d lines, %s has %d; with -update it is written anew", len(g), file, len(w))
}

// smallReport has one of everything, in round figures, which are the same on every CPU.
func smallReport() *Report {
	start := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	size := FixedSize(60)
	rate := func(pps float64) Rate { return NewRate(pps, size.Mean) }
	latency := Latency{Samples: 1000, Min: 900, P50: 1500, P90: 2500, P99: 4000, P999: 9000, P9999: 12000, Max: 12500,
		Mean: 1650.5, StdDev: 320.25, Jitter: 80.5,
		Curve: []Quantile{{0, 900}, {50, 1500}, {90, 2500}, {99, 4000}, {99.9, 9000}}}
	r := &Report{
		Title:      "one of everything",
		Identity:   Identity{Tool: "pktgen", Version: "v1.2.3", Commit: Unknown, GoVersion: "go1.26.0", Platform: "linux/amd64", GOMAXPROCS: 2, GOGC: "100", GOMEMLIMIT: "off", CommandLine: []string{"pktgen", "emu:cable=a"}, Start: start, End: start.Add(90 * time.Second)},
		Disclosure: sampleDisclosure(),
		Searches: []Search{{
			Size: size, Repetition: 1, MinLoad: rate(10000), MaxLoad: rate(14e6), Elapsed: 60e9,
			Goals: []GoalResult{
				{Goal: sampleGoal("ndr", 0), LowerBound: &Bound{Load: rate(9e6), Trials: 21,
					DurationSum: 21e9, LossRatios: []float64{0, 0.25}}, UpperBound: &Bound{Load: rate(9.5e6)},
					ConditionalThroughput: rate(9e6)},
				{Goal: sampleGoal("strict", 0), UpperBound: &Bound{Load: rate(10000)}, Irregular: "min load fails"},
			},
			Trials: []SearchTrial{{Load: rate(14e6), Duration: 1e9, EffectiveDuration: 1e9, Sent: 13e6, Unsent: 1e6, Lost: 7e6,
				LossRatio: 0.5, WarmUp: true}},
		}},
		LossCurves: []LossCurve{{Size: size, MaxLoad: rate(14e6), Points: []LossPoint{
			{Percent: 100, Offered: rate(14e6), Received: rate(7e6), Duration: 1e9, Sent: 14e6, Lost: 7e6, LossRatio: 0.5},
			{Percent: 50, Offered: rate(7e6), Received: rate(7e6), Duration: 1e9, Sent: 7e6},
		}}},
		LatencyAtLoad: []LatencyAtLoad{{Size: size, Reference: "lower bound of goal ndr", ReferenceRate: rate(9e6),
			Points: []LoadPoint{{Percent: 50, Intended: rate(4.5e6), Achieved: rate(4.5e6), Duration: 10e9, Latency: latency}}}},
		BackToBack: []BackToBack{{Size: size, SendRate: rate(10e6), ForwardingRate: rate(5e6), Bursts: []int64{1000, 3000}, Mean: 2000, Min: 1000, Max: 3000, StdDev: 1414.25, BufferTime: 200000, CorrectedBufferTime: 100000}},
		MRR:        []MRR{sampleMRR(60, 8e6, 7e6, 9e6)},
		Trials: []Trial{{
			Name: "one second", Start: start, Size: size, Intended: rate(1e6), Achieved: rate(1e6), Received: rate(999e3),
			Duration: 1e9, EffectiveDuration: 1.1e9, Quantum: 8, Sent: 1e6, Lost: 1000, LossRatio: 0.001,
			Ports: []Port{{Name: "0", TxPackets: 1e6, TxBytes: 60e6, RxPackets: 999e3, RxBytes: 59940e3}},
			Streams: []Stream{{ID: 1, Name: "load", TxPort: "0", RxPort: "0", Tracked: true, TxPackets: 1e6, TxBytes: 60e6,
				RxPackets: 999e3, RxBytes: 59940e3, Lost: 1000, LossRatio: 0.001, Reordered: 3, Duplicates: 2, Late: 1, Stale: 4,
				Corrupt: Corrupt{1, 2, 3}, Latency: &latency}},
			Intervals: []Interval{{Duration: 1e9, TxPPS: 1e6, RxPPS: 999e3, LatencyP50: 1500, LatencyP99: 4000, LatencyMax: 12500}},
			Pollers:   []Poller{{Name: "tx", CPU: 1, Polls: 1000, EmptyPolls: 500, BusyRatio: 0.5}},
			GC:        GC{Cycles: 1, PauseMax: 1000, PauseTotal: 1000},
			Criteria:  []Criterion{{Name: "max-loss", Limit: 0.01, Measured: 0.001, Unit: "ratio"}},
		}},
	}
	r.Trials[0].Criteria[0].Passed = true
	r.Conclude()
	return r
}

func TestJSONGolden(t *testing.T) {
	var b bytes.Buffer
	if err := WriteJSON(&b, smallReport()); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", b.Bytes())
}

func TestTextGolden(t *testing.T) {
	r := smallReport()
	r.Searches[0].Goals = append(r.Searches[0].Goals, GoalResult{Goal: sampleGoal("pdr", 0.005), Irregular: "interrupted",
		LikelyLower: NewRate(5e6, 60), LikelyUpper: NewRate(6e6, 60)})
	r.Interrupted = true
	r.Trials[0].Criteria = append(r.Trials[0].Criteria, Criterion{Name: "max-p99", Limit: 1000, Measured: 4000, Unit: "ns"},
		Criterion{Name: "achieved-rate", Limit: 0.995, Measured: 0.9, Unit: "ratio"})
	r.Trials[0].Ports[0].Disconnects = 1
	r.Conclude()
	var b bytes.Buffer
	if err := WriteText(&b, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.txt", b.Bytes())
}

func TestCSVGolden(t *testing.T) {
	var b bytes.Buffer
	if err := WriteCSV(&b, smallReport()); err != nil {
		t.Fatal(err)
	}
	golden(t, "report.csv", b.Bytes())
}
