package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestStep has both drivers move some bursts of every row, and compares what they said
// about their paths. The programs count the packets themselves, and fail if one is
// missing or not as it was sent.
func TestStep(t *testing.T) {
	needs(t)
	b := &bench{rounds: 1, pairs: 1, samples: 2, sampleBursts: 16, sizes: []int{1, 32}, frames: []int{64},
		rows: rows(), cpu: 1, cc: "gcc"}
	out := run(t, b)
	for _, r := range rows() {
		kind, _, _ := strings.Cut(r.name, ";")
		for _, work := range r.works(true) {
			// The vectorized paths of DPDK receive nothing at burst 1.
			line := regexp.QuoteMeta("| "+kind) + `(; [^|]*)? \| ` + work + ` \| ([\d./ -]+|[^|]*missed[^|]*)\| [\d.]+ / [\d.]+ [\d.]+ `
			if !regexp.MustCompile(`(?m)^` + line).MatchString(out) {
				t.Errorf("row %q: no line of figures for %s", r.name, work)
			}
		}
		if ring, _, _ := strings.Cut(kind, ","); !regexp.MustCompile(`(?m)^- ` +
			regexp.QuoteMeta(r.name) + `: ours RX ` + ring + `.*; TX ` + ring + `.*; DPDK .*Tx; .*Rx$`).MatchString(out) {
			t.Errorf("row %q: no line of paths", r.name)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestStepTwoVersions compares ours with itself, at the other size of frames.
func TestStepTwoVersions(t *testing.T) {
	needs(t)
	b := &bench{rounds: 2, pairs: 1, samples: 2, sampleBursts: 16, sizes: []int{8}, frames: []int{1518},
		rows: rows()[6:7], cpu: 1, cc: "gcc", dir: t.TempDir()}
	if err := b.build(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.other = b.programs[0]
	out := run(t, b)
	for _, want := range []string{`(?m)^\| packed \| forward \| [\d.]+ / [\d.]+ [\d.]+ \|$`,
		`the other RX packed; TX packed`, `The ratios of the 2 rounds agree within 5 % in \d of 6 cells`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

func needs(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("counts cycles of amd64")
	}
	if os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("needs root, for hugepages")
	}
}

func run(t *testing.T, b *bench) string {
	t.Helper()
	var out strings.Builder
	if err := b.run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestBar(t *testing.T) {
	plain, batches := row{}, row{batches: true}
	for _, c := range []struct {
		row        row
		work       string
		size       int
		vectorized bool
		want       float64
	}{
		{plain, workRX, 128, false, 2.5}, {plain, workTX, 32, true, 2.2}, {plain, workForward, 8, false, 1.8},
		{plain, workForward, 8, true, 1.2}, {plain, workTX, 1, false, 1.1}, {batches, workTX, 32, true, 2.0},
		{batches, workTX, 32, false, 2.9}, {batches, workTX, 1, true, 1}, {plain, workBuffers, 1, false, 1},
		{plain, workGet, 128, true, 1.1}, {plain, workPoll, 32, false, 1}, {plain, workPoll, 32, true, 0},
	} {
		if got := c.row.bar(c.work, c.size, c.vectorized); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestRatio checks that a ratio is of neighbours, and how far rounds are apart.
func TestRatio(t *testing.T) {
	at := cell{key: key{workRX, 32}}
	res := results{rounds: []round{
		{at: {{10, 20, 10}, {30, 60, 50}}},
		{at: {{10}, {40}}},
	}}
	if got := res.rounds[0].ratio(at); got != 3 {
		t.Errorf("a ratio of %v, want 3", got)
	}
	if got := fmt.Sprintf("%.2f %.2f", res.ratio(at), res.disagreement(at)); got != "3.50 0.33" {
		t.Errorf("ratio and disagreement are %s", got)
	}
	if got := res.cycles(cell{key: key{workTX, 32}}, 0); got != 0 {
		t.Errorf("%v cycles of nothing", got)
	}
}
