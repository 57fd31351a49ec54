package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/tmuxtest"
)

// sizes are those of usual terminals.
var sizes = [][2]int{{80, 24}, {120, 40}, {60, 20}}

// TestScreen drives pktgen in a terminal: its pages, stop and start, a higher and a lower
// rate, one that is typed and one that is none, and another size of the terminal meanwhile.
// What the shell showed is there when it ends, with the summary behind it.
func TestScreen(t *testing.T) {
	for _, size := range sizes {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			term := tmuxtest.New(t, size[0], size[1])
			term.Run("echo before; pktgen --no-huge --stats-period 50ms --rate 10kpps emu:cable=a emu:cable=a")
			term.Await("sending 10kpps", "[1 ports] 2 streams  3 latency  4 log", "RX-packets: ", "q quit")
			for _, page := range []struct {
				key   string
				shows []string
			}{
				{"2", []string{"[2 streams]", "lost", "port 0 latency", "port 1"}},
				{"Tab", []string{"[3 latency]", "p99.99", "µs", "█", " %"}},
				{"4", []string{"[4 log]", "no messages"}},
				{"?", []string{"start or stop sending", "type a rate"}},
				{"1", []string{"[1 ports]", "link up"}},
			} {
				term.Press(page.key)
				term.Await(page.shows...)
			}
			term.Press("3")
			awaitLatency(term, "port 1 latency")
			term.Press("1")
			term.Press("s")
			term.Await("stopped", "s start")
			term.Press("s")
			term.Await("sending 10kpps", "s stop")
			term.Press("+")
			term.Await("sending 11kpps")
			term.Press("-")
			term.Await("sending 10kpps")
			term.Press("r")
			term.Await("rate: ", "Enter sets")
			term.Type("fast")
			term.Press("Enter")
			term.Await("rate: fast ", `"fast"`)
			term.Press("C-u")
			term.Type("25kpps")
			term.Press("Enter")
			term.Await("sending 25kpps")
			term.Resize(20, 5)
			term.Await("[1 ports] 2  3  4", "? help  q quit")
			term.Press("2")
			term.Await("[2 streams]", "lost")
			term.Resize(size[0], size[1])
			term.Await("sending 25kpps", "port 0 latency")
			term.Press("q")
			term.AwaitShell()
			text := term.Scrollback()
			for _, want := range []string{"before\n", "pktgen: port 0: emu:cable=a -> port 1", "pktgen: stopped at ", "pktgen: sending 25kpps at "} {
				if !strings.Contains(text, want) {
					t.Errorf("the shell's screen lacks %q:\n%s", want, text)
				}
			}
			if strings.Contains(text, "[2 streams]") || term.Mode("cursor_flag") != "1" {
				t.Errorf("the screen is left, or the cursor is not:\n%s", text)
			}
		})
	}
}

// awaitLatency turns the parts of the page of latencies until one shows a stream. How many parts
// there are, and which stream is on which, changes with what has been measured.
func awaitLatency(term *tmuxtest.Terminal, stream string) {
	var pressed time.Time
	term.Until("shows "+stream, func(lines []string) bool {
		text := strings.Join(lines, "\n")
		shown := strings.Contains(text, stream) && strings.Contains(text, "packets: ")
		if shown || time.Since(pressed) < 300*time.Millisecond { // in which it is seen what a key did
			return shown
		}
		pressed = time.Now()
		if strings.Contains(text, "[3 latency]") {
			term.Press("n")
		} else { // the last part was turned
			term.Press("3")
		}
		return false
	})
}

// TestSearchScreen: in a terminal a search shows how far it is, the trials and the bounds
// of its goals; in a pipe it writes a line for each trial.
func TestSearchScreen(t *testing.T) {
	const line = "pktgen --no-huge --search csit-ndr,csit-pdr --trial-duration 100ms --max-rate 20kpps --stats-period 50ms emu:cable=a emu:cable=a"
	for _, size := range sizes {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			t.Parallel()
			term := tmuxtest.New(t, size[0], size[1])
			term.Run("echo before; " + line)
			term.Await("[3 trials]", "░", "60 bytes", "goal", "lower bound", "upper bound", "NDR", "PDR")
			term.Await("kpps", "loss")
			term.Press("2")
			term.Await("[2 streams]", "lost")
			term.Press("1")
			term.Await("[1 ports]")
			term.Press("C-c")
			term.AwaitShell()
			if text := term.Scrollback(); !strings.Contains(text, "before\n") || strings.Contains(text, "[1 ports]") {
				t.Errorf("the shell's screen is not as it was:\n%s", text)
			}
		})
	}
}
