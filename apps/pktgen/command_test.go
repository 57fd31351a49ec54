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
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// TestBelowCapacity: what a cable can carry is carried without loss, and the percentiles of
// the latency are printed.
func TestBelowCapacity(t *testing.T) {
	const attempts = 10 // a machine that is busy elsewhere may leave packets unsent
	for n := 1; ; n++ {
		o := pktgen("--self-test=false", "--duration=200ms", "--rate=20kpps", "--max-loss=0", "emu:cable=a", "emu:cable=a")
		for _, want := range []string{"min ", "p50 ", "p90 ", "p99 ", "p99.9 ", "p99.99 ", "max ", "jitter "} {
			if !strings.Contains(o.stdout, want) {
				t.Fatalf("no %q in the summary\n%v", want, o)
			}
		}
		if o.status == 0 && strings.Contains(o.stdout, "lost 0 ") && strings.Contains(o.stdout, "passed: max-loss") {
			return
		}
		if n == attempts {
			t.Fatalf("loss in each of %d trials\n%v", n, o)
		}
	}
}

// TestCriteria: the exit status says whether what was measured is within the limits.
func TestCriteria(t *testing.T) {
	const lossy = "emu:loop,loss=20%"
	for _, c := range []struct {
		args, port string
		status     int
		says       string // on standard error
	}{
		{"--max-loss=100%", lossy, 0, ""},
		{"--max-loss=0.1", lossy, 1, "max-loss: "},
		{"--max-loss=0", lossy, 1, "max-loss: "},
		{"--max-p99=1h", "emu:loop", 0, ""},
		{"--max-p99=1ns", "emu:loop", 1, "max-p99: "},
		{"--max-p99=5ms", "emu:loop,delay=20ms", 1, "max-p99: "},
		{"--max-p99=1h --max-loss=1%", lossy, 1, "max-loss: "},
		{"--max-p99=1h", "emu:null", 1, "max-p99: no latency was measured"},
	} {
		t.Run(c.args+" "+c.port, func(t *testing.T) {
			// The rate itself is no criterion here: as much as is sent is enough.
			args := append(strings.Fields(c.args), "--json", "--self-test=false", "--duration=100ms", "--rate=max", c.port)
			o := pktgen(args...)
			if o.status != c.status || !strings.Contains(o.stderr, c.says) {
				t.Fatalf("not status %d and %q: %v", c.status, c.says, o)
			}
			r := decode(t, o)
			failed := 0
			for _, criterion := range r.Trials[0].Criteria {
				if !criterion.Passed {
					failed++
				}
			}
			if r.Passed != (c.status == 0) || failed > 0 != (c.status == 1) || len(r.Trials[0].Criteria) != strings.Count(c.args, "--max") {
				t.Errorf("passed: %v, criteria: %+v", r.Passed, r.Trials[0].Criteria)
			}
		})
	}
}

// TestInterrupted: Ctrl-C in the middle of a trial ends it, and what was measured until then
// is reported, in all forms that were asked for.
func TestInterrupted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd := exec.Command("pktgen", "--no-huge", "--self-test=false", "--json", "--stats-period=50ms", "--rate=20kpps",
			"--report", file, "emu:cable=a", "emu:cable=a")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = cmd.Process.Kill() }()
		lines := bufio.NewReader(stdout)
		for sent := ""; !strings.Contains(sent, `"tx_packets":`) || strings.Contains(sent, `"tx_packets":0,`); {
			if sent, err = lines.ReadString('\n'); err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 1 { // the rate may have been short
			t.Fatalf("%v: %v\n%s", s, err, stderr.String())
		}
		last := rest[bytes.LastIndexByte(bytes.TrimSpace(rest), '\n')+1:]
		for _, text := range [][]byte{last, contents(t, file)} {
			r, err := result.ReadJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%v: %v\n%s", s, err, stderr.String())
			}
			if len(r.Trials) != 1 || r.Trials[0].Sent == 0 {
				t.Fatalf("%v: %d trials", s, len(r.Trials))
			}
			checkSums(t, &r.Trials[0])
			if trial := &r.Trials[0]; trial.Duration <= 0 || trial.Duration > int64(time.Minute) {
				t.Errorf("%v: a trial of %d ns", s, trial.Duration)
			}
		}
	}
}

func contents(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestClosedPipe: pktgen goes on when a reader ends, and says in the end that it has ended; the
// report in a file is whole.
func TestClosedPipe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.json")
	cmd := exec.Command("pktgen", "--no-huge", "--self-test=false", "--stats-period=20ms", "--rate=20kpps", "--report", file, "emu:loop")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = write, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	_ = write.Close()
	if _, err := bufio.NewReader(read).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	time.Sleep(100 * time.Millisecond) // several screens
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "standard output") {
		t.Errorf("status %d, %v:\n%s", code, err, stderr.String())
	}
	r, err := result.ReadJSON(bytes.NewReader(contents(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, &r.Trials[0])
}

// TestSizes: each size is a trial of its own.
func TestSizes(t *testing.T) {
	r := reportOf(t, "--self-test=false", "--duration=50ms", "--rate=20kpps", "--sizes=60,imix,1514", "emu:loop")
	want := []string{"60", "imix", "1514"}
	if len(r.Trials) != len(want) {
		t.Fatalf("%d trials", len(r.Trials))
	}
	for i := range r.Trials {
		trial := &r.Trials[i]
		checkSums(t, trial)
		nothingLost(t, trial)
		if p := trial.Ports[0]; trial.Size.Name != want[i] || p.TxBytes < uint64(trial.Size.Min)*p.TxPackets || p.TxBytes > uint64(trial.Size.Max)*p.TxPackets {
			t.Errorf("size %s: %+v, %d bytes of %d packets", want[i], trial.Size, p.TxBytes, p.TxPackets)
		}
	}
}
