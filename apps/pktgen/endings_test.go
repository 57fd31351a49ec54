package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// TestInterruptedSeries: what is interrupted before all was measured has status 1 and says
// so once; the report has what was found until then, and that it was interrupted.
func TestInterruptedSeries(t *testing.T) {
	for _, c := range []struct{ name, args, after string }{
		{"search", "--search=csit-ndr --sizes=60,100 --trial-duration=100ms --max-rate=20kpps", "trial 3: "},
		{"receive rate", "--search=mrr --trial-duration=500ms --max-rate=20kpps", "trial 1: "},
		{"loss curve", "--loss-curve --trial-duration=500ms --max-rate=20kpps", "trial 1: "},
		{"sizes", "--sizes=60,100 --duration=1m --rate=20kpps", "lost: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, status := interrupt(t, c.after, strings.Fields(c.args)...)
			if n := strings.Count(stderr, "pktgen: interrupted before all was measured"); n != 1 || status != 1 {
				t.Fatalf("status %d:\n%s", status, stderr)
			}
			r, err := result.ReadJSON(bytes.NewReader(stdout))
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr)
			}
			if !r.Interrupted || len(r.Trials)+len(r.Searches)+len(r.MRR)+len(r.LossCurves) != 1 {
				t.Errorf("interrupted: %v, %+v", r.Interrupted, r)
			}
			for _, s := range r.Searches {
				if g := s.Goals[0]; len(s.Trials) < 3 || g.Irregular != "interrupted" {
					t.Errorf("%d trials, %+v", len(s.Trials), g)
				}
			}
		})
	}
}

// interrupt runs a command line and ends it with SIGINT when standard error has a text.
func interrupt(t *testing.T, after string, args ...string) (stdout []byte, stderr string, status int) {
	t.Helper()
	cmd := exec.Command("pktgen", append(append([]string{"--no-huge", "--self-test=false", "--json"}, args...), "emu:cable=a,loss=20", "emu:cable=a")...)
	var out bytes.Buffer
	cmd.Stdout = &out
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	var text strings.Builder
	lines := bufio.NewReader(io.TeeReader(pipe, &text))
	for line := ""; !strings.Contains(line, after); {
		if line, err = lines.ReadString('\n'); err != nil {
			t.Fatalf("%v\n%s", err, text.String())
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, lines)
	_ = cmd.Wait() // the status says it
	return out.Bytes(), text.String(), cmd.ProcessState.ExitCode()
}

// TestNothingMeasured: where nothing was measured, nothing is reported.
func TestNothingMeasured(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	for _, args := range [][]string{{"--size=1519"}, {"--size=1519", "--search=csit-ndr"}, {"--size=1519", "--json"}} {
		o := pktgen(append(args, "--report", file, "emu:loop")...)
		if o.status != 2 || o.stdout != "" || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "--size 1519: ") {
			t.Errorf("%v: %v", args, o)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%v: there is a report", args)
		}
	}
}

// TestReportWithoutRoom: that a disk is full is said once, and the figures are printed
// nevertheless.
func TestReportWithoutRoom(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.Symlink("/dev/full", file); err != nil {
		t.Fatal(err)
	}
	o := pktgen("--self-test=false", "--duration=20ms", "--rate=max", "--report", file, "emu:loop")
	if want := "pktgen: report " + file + ": it is not complete: no space left on device\n"; o.status != 1 || o.stderr != want ||
		!strings.Contains(o.stdout, "sent ") {
		t.Errorf("not %q: %v", want, o)
	}
}

// TestHelpTopics: each topic of the help is shown, and what the presets are is in that of
// searches.
func TestHelpTopics(t *testing.T) {
	for topic, want := range map[string]string{"ports": "emu:cable=", "scenario": "streams:", "search": "csit-ndr", "": "exit status"} {
		if o := pktgen(append([]string{"help"}, strings.Fields(topic)...)...); o.status != 0 || o.stderr != "" || !strings.Contains(o.stdout, want) {
			t.Errorf("help %s lacks %q: %v", topic, want, o)
		}
	}
}
