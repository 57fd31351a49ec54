package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// commands builds the two commands as users do.
func commands(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", bin+"/",
		"./apps/l2fwd", "./apps/pktgen")
	build.Dir = "../../.."
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// Test builds the commands and has them measure.
func Test(t *testing.T) {
	bin := commands(t)
	t.Run("short", func(t *testing.T) { testShort(t, bin) })
	t.Run("interrupted", func(t *testing.T) { testInterrupted(t, bin) })
}

// testShort searches with two sizes in trials of milliseconds. What it finds is of no use
// but is to be found: the figures of the report add up, there is a lower bound for each
// goal, and the report is written in all forms.
func testShort(t *testing.T, bin string) {
	var log screen
	b := bench{bin: bin, out: filepath.Join(t.TempDir(), "made"), stdout: &log, stderr: &log, options: []string{
		"--no-huge", "--self-test=false", "--sizes=60,1514", "--trial-duration=5ms",
		// Any machine forwards the least, and the searches end soon.
		"--min-rate=200pps", "--max-rate=20kpps"}}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := b.run(ctx); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	r := read(t, b.out)
	if len(r.Searches) != 2 || len(r.LossCurves) != 2 {
		t.Fatalf("%d searches and %d loss curves, not one for each of two sizes", len(r.Searches), len(r.LossCurves))
	}
	for i, size := range []string{"60", "1514"} {
		checkSearch(t, &r.Searches[i], size)
		checkCurve(t, &r.LossCurves[i])
	}
	for _, at := range r.LatencyAtLoad {
		checkLatency(t, &at)
	}
	if len(r.LatencyAtLoad) == 0 {
		t.Error("no latency at load")
	}
	for file, words := range map[string][]string{
		"report.html": {"<svg", "NDR", "PDR"}, "report.csv": {"NDR", "1514"},
	} {
		text, err := os.ReadFile(filepath.Join(b.out, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(string(text), w) {
				t.Errorf("%s lacks %q", file, w)
			}
		}
	}
}

func read(t *testing.T, dir string) *result.Report {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := result.ReadJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkSearch checks the bounds of a search against its trials. A machine that is busy
// elsewhere may lose packets at any load, and then there is no lower bound.
func checkSearch(t *testing.T, s *result.Search, size string) {
	t.Helper()
	if s.Size.Name != size || len(s.Goals) != 2 || len(s.Trials) == 0 {
		t.Fatalf("search of size %s with %d goals in %d trials", s.Size.Name, len(s.Goals), len(s.Trials))
	}
	for _, trial := range s.Trials {
		due := trial.Sent + trial.Unsent
		if want := result.LossRatio(due, trial.Lost); trial.LossRatio != want || trial.Unsent > trial.Lost || trial.Lost > due {
			t.Errorf("trial at %.0f pps: sent %d, unsent %d, lost %d (%v, and not %v)",
				trial.Load.PPS, trial.Sent, trial.Unsent, trial.Lost, trial.LossRatio, want)
		}
		if trial.Load.PPS < s.MinLoad.PPS || trial.Load.PPS > s.MaxLoad.PPS {
			t.Errorf("trial at %.0f pps, not between %.0f and %.0f", trial.Load.PPS, s.MinLoad.PPS, s.MaxLoad.PPS)
		}
	}
	for _, g := range s.Goals {
		lower, upper := g.LowerBound, g.UpperBound
		if lower == nil {
			if g.Irregular == "" {
				t.Errorf("size %s, %s: no lower bound, and not said why", size, g.Goal.Name)
			}
			t.Logf("size %s, %s: %s", size, g.Goal.Name, g.Irregular)
			continue
		}
		if upper != nil && lower.Load.PPS >= upper.Load.PPS {
			t.Errorf("size %s, %s: lower bound %.0f, upper bound %.0f", size, g.Goal.Name, lower.Load.PPS, upper.Load.PPS)
		}
		if n := trialsAt(s, lower.Load.PPS); lower.Trials == 0 || n != lower.Trials {
			t.Errorf("size %s, %s: the lower bound is of %d trials, and %d have its load", size, g.Goal.Name, lower.Trials, n)
		}
		if c := g.ConditionalThroughput.PPS; c <= 0 || c > lower.Load.PPS {
			t.Errorf("size %s, %s: conditional throughput %.0f, lower bound %.0f", size, g.Goal.Name, c, lower.Load.PPS)
		}
	}
}

// trialsAt returns how many trials had a load, without warming up.
func trialsAt(s *result.Search, pps float64) int {
	n := 0
	for _, trial := range s.Trials {
		if trial.Load.PPS == pps && !trial.WarmUp {
			n++
		}
	}
	return n
}

func checkCurve(t *testing.T, c *result.LossCurve) {
	t.Helper()
	if len(c.Points) == 0 {
		t.Errorf("size %s: the loss curve has no points", c.Size.Name)
	}
	for _, p := range c.Points {
		if p.Lost > 0 != (p.LossRatio > 0) || p.LossRatio > 1 {
			t.Errorf("size %s at %v %%: lost %d of %d sent, ratio %v", c.Size.Name, p.Percent, p.Lost, p.Sent, p.LossRatio)
		}
	}
}

func checkLatency(t *testing.T, at *result.LatencyAtLoad) {
	t.Helper()
	if len(at.Points) != 3 {
		t.Errorf("size %s: latency at %d loads, not 10, 50 and 90 %%", at.Size.Name, len(at.Points))
	}
	for _, p := range at.Points {
		if l := p.Latency; l.Samples > 0 && (l.Min <= 0 || l.Min > l.P50 || l.P50 > l.P99 || l.P99 > l.Max) {
			t.Errorf("size %s at %v %%: %+v", at.Size.Name, p.Percent, l)
		}
	}
}

// testInterrupted: a search that is interrupted is reported as far as it came, and no
// process and no socket is left.
func testInterrupted(t *testing.T, bin string) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	log := screen{until: "trial 2:", seen: make(chan struct{})}
	b := bench{bin: bin, out: t.TempDir(), stdout: &log, stderr: &log,
		options: []string{"--no-huge", "--self-test=false", "--trial-duration=50ms", "--max-rate=50kpps"}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- b.run(ctx) }()
	select {
	case <-log.seen:
	case err := <-done:
		t.Fatalf("%v\n%s", err, log.String())
	}
	cancel()
	select {
	case err := <-done:
		if err == nil || !strings.Contains(err.Error(), "interrupted") {
			t.Errorf("error %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("it does not end\n%s", log.String())
	}
	if r := read(t, b.out); len(r.Searches) != 1 || len(r.Searches[0].Trials) < 2 {
		t.Errorf("%d searches in the report", len(r.Searches))
	}
	if names, _ := filepath.Glob(filepath.Join(tmp, "rfc2544-*")); len(names) > 0 {
		t.Errorf("left: %s", names)
	}
	if own := children(t); len(own) > 0 {
		t.Errorf("processes are left: %s", own)
	}
}

// screen keeps what programs write.
type screen struct {
	until string // seen is closed when this was written
	seen  chan struct{}
	mu    sync.Mutex
	text  strings.Builder
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if s.until != "" && strings.Contains(s.text.String(), s.until) {
		close(s.seen)
		s.until = ""
	}
	return len(b), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// children returns the processes that this one has.
func children(t *testing.T) []string {
	t.Helper()
	var own []string
	files, _ := filepath.Glob("/proc/self/task/*/children")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			own = append(own, strings.Fields(string(text))...)
		}
	}
	return own
}
