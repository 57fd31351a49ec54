package report

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/test/tmuxtest"
)

// TestMain makes a command of the test binary that shows a generator and a search.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"generate": generate})
}

// generate shows numbers that change on standard output until a signal: with an argument
// those of a search.
func generate() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	g := &sender{rate: 1000, on: true, began: time.Now(), search: len(os.Args) > 1}
	NewScreen(g.report(), os.Stdout).Run(ctx, 20*time.Millisecond)
	fmt.Println("generate ended")
}

// sender is numbers that grow as if packets were sent.
type sender struct {
	search bool
	began  time.Time

	mu   sync.Mutex
	on   bool
	rate int
	n    uint64
}

func (g *sender) report() *Report {
	r := &Report{App: "generate", Start: time.Now(), Pollers: func() string { return "poller 50 % busy" }}
	for i := range 2 {
		r.Ports = append(r.Ports, Port{Number: i, Name: "emu:cable=a", Role: "generates",
			State: func() string { return "link up" }, Stats: g.stats})
	}
	r.Traffic = Traffic{
		Streams: g.streams, Latencies: g.latencies,
		Sending: func() Sending {
			g.mu.Lock()
			defer g.mu.Unlock()
			return Sending{On: g.on, Rate: fmt.Sprintf("%d pps", g.rate)}
		},
		Actions: Actions{
			Start: func() error { g.set(true, 0); return nil }, Stop: func() error { g.set(false, 0); return nil },
			Step:     func(n int) error { g.set(g.on, 100*n); return nil },
			SetRate:  g.setRate,
			RateHint: "like 1000pps",
		},
	}
	if g.search {
		r.Traffic.Progress = g.progress
	}
	return r
}

func (g *sender) set(on bool, more int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.on, g.rate = on, g.rate+more
}

func (g *sender) setRate(text string) error {
	var n int
	if _, err := fmt.Sscanf(text, "%dpps", &n); err != nil {
		return fmt.Errorf("rate: %q: no number with a unit; write it like 1000pps", text)
	}
	g.set(g.on, n-g.rate)
	return nil
}

func (g *sender) stats() driver.Stats {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.on {
		g.n += uint64(g.rate)
	}
	return driver.Stats{RxPackets: g.n, RxBytes: 60 * g.n, TxPackets: g.n, TxBytes: 60 * g.n, Polls: g.n, Queues: make([]driver.QueueStats, 2)}
}

func (g *sender) streams() []StreamRow {
	g.mu.Lock()
	defer g.mu.Unlock()
	return []StreamRow{
		{Name: "load", Route: "0 -> 1", Rate: "1 Mpps", TxPackets: g.n, RxPackets: g.n - 7, Lost: 7, Tracked: true},
		{Name: "probe of the 世界", Route: "1 -> 0", Rate: "1 kpps", TxPackets: g.n, RxPackets: g.n, Tracked: true},
		{Name: "ARP", Route: "0 -> 1", Rate: "1 pps", TxPackets: 12},
	}
}

func (g *sender) latencies() []Latency {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := Latency{Name: "probe of the 世界", Packets: g.n, Min: 1200, P50: 2310, P90: 4500, P99: 12345, P999: 99999, P9999: 1234567, Max: 5 * time.Millisecond,
		Mean: 2800, StdDev: 1999, Jitter: 300}
	for i := range 200 {
		d := time.Duration(1200 + 20*i)
		l.Buckets = append(l.Buckets, Bucket{d, d + 19, uint64(1000 * 200 / (1 + (i-60)*(i-60)/40))})
	}
	l.Buckets = append(l.Buckets, Bucket{900000, 1234567, 1})
	return []Latency{l}
}

func (g *sender) progress() Progress {
	const each = 100 * time.Millisecond
	t := time.Since(g.began)
	n := int(t / each)
	p := Progress{What: "60 bytes, 64 with FCS, 1 of 7", Done: t.Seconds() / 60, Left: time.Minute - t,
		Current: CurrentTrial{n + 1, 1e6, each, t % each},
		Goals:   []Goal{{"ndr", 1.2e6, 1.25e6, 1.21e6, "narrowing"}, {"pdr 0.5 %", 1.4e6, 0, 0, "looking for an upper bound"}}}
	for i := range n {
		p.Trials = append(p.Trials, Trial{i + 1, "60 bytes", 1e6 + 1e4*float64(i%50), each, float64(i%3) * 0.00123, "below ndr"})
	}
	return p
}

// sizes are those of usual terminals.
var sizes = [][2]int{{80, 24}, {120, 40}, {60, 20}}

// TestGenerator drives the screen of a generator by its keys: its pages, start and stop,
// and both ways to change the rate. At the end the terminal is as it was before.
func TestGenerator(t *testing.T) {
	for _, size := range sizes {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			term := tmuxtest.New(t, size[0], size[1])
			term.Run("echo before; generate")
			term.Await("[1 ports]", "sending 1000 pps", "port 0", "q quit")
			for _, page := range []struct {
				key   string
				shows []string
			}{
				{"2", []string{"[2 queues]", "port 0/1"}},
				{"3", []string{"[3 streams]", "lost", "all 3", "load", "ARP"}},
				{"n", []string{"[4 latency]", "packets:", "p99.99 1.23 ms", "2.50 µs", "█"}},
				{"Tab", []string{"[5 log]", "no messages"}},
				{"BTab", []string{"[4 latency]"}},
				{"?", []string{"start or stop sending"}},
				{"1", []string{"[1 ports]", "port 0"}},
			} {
				term.Press(page.key)
				term.Await(page.shows...)
			}
			term.Press("s")
			term.Await("stopped", "s start")
			term.Press("s", "+", "+", "-")
			term.Await("sending 1100 pps")
			term.Press("r")
			term.Await("rate: ", "like 1000pps")
			term.Type("7x")
			term.Press("Enter")
			term.Await(`"7x": no number`, "rate: 7x")
			term.Press("BSpace")
			term.Type("00pps")
			term.Press("Enter")
			term.Await("sending 700 pps")
			term.Press("q")
			term.AwaitShell()
			text := term.Scrollback()
			for _, want := range []string{"before\n", "generate ended", "generate: sending 700 pps at "} {
				if !strings.Contains(text, want) {
					t.Errorf("the shell's screen lacks %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "[1 ports]") {
				t.Errorf("the screen is left on that of the shell:\n%s", text)
			}
		})
	}
}

// TestSearch: the screen of a search begins with how far it is, goes on while the terminal
// changes its size, and has a part for each trial that has ended.
func TestSearch(t *testing.T) {
	for _, size := range sizes {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			term := tmuxtest.New(t, size[0], size[1])
			term.Run("generate search")
			term.Await("[5 trials]", "░", "s left", "60 bytes", "pdr 0.5 %    1.40 Mpps            -", "lower bound", "narrowing", "below ndr")
			term.Resize(20, 5)
			term.Await("[5 trials] of 6", "s left", "? help  q quit")
			term.Resize(40, 12)
			term.Await("upper bound", "1/")
			var pressed time.Time
			term.Until("shows the first trial", func(lines []string) bool {
				if time.Since(pressed) > 300*time.Millisecond { // the parts become more meanwhile
					term.Press("End")
					pressed = time.Now()
				}
				return strings.Contains(strings.Join(lines, "\n"), "1      1.00 Mpps")
			})
			term.Press("C-c")
			term.AwaitShell()
			term.Run("generate search | head -3")
			term.Await("generate: trial 3: 60 bytes")
			term.AwaitShell()
			if text := term.Scrollback(); !strings.Contains(text, "generate: trial 3: 60 bytes: 1.02 Mpps for 100 ms: loss 0.25 %: below ndr\n") {
				t.Errorf("no line for each trial:\n%s", text)
			}
		})
	}
}
