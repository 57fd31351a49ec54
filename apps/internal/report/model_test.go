package report

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// testModel is a screen of n ports that have counted up to most.
func testModel(n int, most uint64) *model {
	m := newModel(&Report{App: "app"}, sample{})
	m.keys = true
	m.sample.elapsed, m.sample.pollers = "2 s of 10 s", "CPU 0 50 % busy"
	m.sample.total = portSample{name: fmt.Sprintf("all %d ports", n)}
	for i := range n {
		c := counts{Stats: driver.Stats{RxPackets: most, RxBytes: most, TxPackets: most, TxBytes: most, Polls: most, TxDropped: most}}
		m.sample.ports = append(m.sample.ports, portSample{counts: c, name: fmt.Sprintf("port %d", i),
			about: "emu:gen -> port x  link up", rxPPS: most / 2, rxBPS: most, past: []uint64{1, 2, 3}})
	}
	return m
}

// drawTraffic gives a screen what a generator may show.
func drawTraffic(t *rapid.T, m *model) {
	name := rapid.StringMatching(`[a-zäé世界🙂\t\x1b]{0,30}`)
	count := rapid.Uint64()
	duration := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64().Draw(t, "ns")) })
	load := rapid.OneOf(rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(1)))
	if rapid.Bool().Draw(t, "queues") {
		for i := range m.sample.ports {
			m.sample.ports[i].queues = make([]queueSample, rapid.IntRange(2, 40).Draw(t, "queues"))
			m.sample.ports[i].queues[0].rxPPS = count.Draw(t, "pps")
		}
	}
	if rapid.Bool().Draw(t, "sending") {
		m.sample.sending = &Sending{On: rapid.Bool().Draw(t, "on"), Rate: name.Draw(t, "rate")}
		m.actions = Actions{Start: func() error { return nil }, Step: func(int) error { return nil }, SetRate: func(string) error { return nil }}
	}
	for range rapid.IntRange(0, 30).Draw(t, "streams") {
		m.sample.streams = append(m.sample.streams, streamSample{StreamRow: StreamRow{
			Name: name.Draw(t, "name"), Route: name.Draw(t, "route"), Rate: name.Draw(t, "rate"), Tracked: rapid.Bool().Draw(t, "tracked"),
			TxPackets: count.Draw(t, "tx"), Lost: count.Draw(t, "lost")}, txPPS: count.Draw(t, "pps")})
	}
	for range rapid.IntRange(0, 4).Draw(t, "latencies") {
		l := Latency{Name: name.Draw(t, "name"), Packets: count.Draw(t, "packets"), Min: duration.Draw(t, "min"), P50: duration.Draw(t, "p50")}
		for range rapid.IntRange(0, 30).Draw(t, "buckets") {
			l.Buckets = append(l.Buckets, Bucket{duration.Draw(t, "from"), duration.Draw(t, "to"), count.Draw(t, "packets")})
		}
		m.sample.latencies = append(m.sample.latencies, l)
	}
	if !rapid.Bool().Draw(t, "trials") {
		return
	}
	p := &Progress{What: name.Draw(t, "what"), Done: load.Draw(t, "done"), Left: duration.Draw(t, "left")}
	p.Current = CurrentTrial{rapid.IntRange(0, 9).Draw(t, "number"), load.Draw(t, "load"), duration.Draw(t, "of"), duration.Draw(t, "elapsed")}
	for range rapid.IntRange(0, 5).Draw(t, "goals") {
		p.Goals = append(p.Goals, Goal{name.Draw(t, "goal"), load.Draw(t, "lower"), load.Draw(t, "upper"), load.Draw(t, "conditional"), name.Draw(t, "state")})
	}
	for i := range rapid.IntRange(0, 50).Draw(t, "trials") {
		p.Trials = append(p.Trials, Trial{i, name.Draw(t, "of"), load.Draw(t, "load"), duration.Draw(t, "time"), load.Draw(t, "loss"), name.Draw(t, "outcome")})
	}
	m.sample.progress = p
}

// fits checks that what is shown fits the screen.
func fits(t *rapid.T, m *model) []string {
	lines := m.lines()
	if len(lines) > m.height {
		t.Fatalf("%d lines", len(lines))
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > m.width || strings.ContainsAny(ansi.Strip(l), "\n\t\x1b") {
			t.Fatalf("a line is %d wide: %q", w, l)
		}
	}
	if v := m.View(); v.Cursor != nil && (v.Cursor.X >= max(m.width, 1) || v.Cursor.Y >= m.height) {
		t.Fatalf("the cursor is at %v", v.Cursor.Position)
	}
	return lines
}

// TestAnySize: a screen of any size shows at most as many lines, none of which is wider,
// whatever its pages hold and whatever keys are pressed. The first line says which
// command it is.
func TestAnySize(t *testing.T) {
	names := []string{"n", "p", "tab", "shift+tab", "1", "2", "3", "4", "5", "6", "7", "?", "c", "up", "down", "pgup", "pgdown", "home", "end",
		"r", "esc", "enter", "x", "世", "s", "+", "-", "space", "left", "backspace"}
	rapid.Check(t, func(t *rapid.T) {
		m := testModel(rapid.IntRange(0, 40).Draw(t, "ports"), rapid.Uint64().Draw(t, "counter"))
		drawTraffic(t, m)
		m.width, m.height = rapid.IntRange(0, 220).Draw(t, "width"), rapid.IntRange(0, 80).Draw(t, "height")
		m.keys = rapid.Bool().Draw(t, "keys")
		m.messages.add([]byte(rapid.StringMatching(`[a-zä世\t\n]{0,300}`).Draw(t, "messages")))
		m.fail = func(err error) { t.Fatal(err) }
		for range rapid.IntRange(1, 12).Draw(t, "presses") {
			key := rapid.SampledFrom(names).Draw(t, "key")
			m.press(key, key)
			if rapid.IntRange(0, 9).Draw(t, "notice") == 0 {
				m.finish(outcome{err: errors.New(rapid.StringMatching(`[a-zä世\t\n ]{0,200}`).Draw(t, "error"))})
			}
			lines := fits(t, m)
			if m.height > 1 && m.width >= 4 && ansi.Strip(lines[0])[:3] != "app" {
				t.Fatalf("the first line is %q", lines[0])
			}
		}
	})
}

// TestEveryPort: turning the parts of the page shows every port once, with its rates.
func TestEveryPort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "ports")
		m := testModel(n, rapid.Uint64().Draw(t, "counter"))
		m.width, m.height = rapid.IntRange(20, 220).Draw(t, "width"), rapid.IntRange(3, 80).Draw(t, "height")
		if rapid.Bool().Draw(t, "compact") {
			m.key("c")
		}
		seen := map[string]int{}
		for m.lines(); m.at() == portsPage; m.key("n") {
			for _, l := range fits(t, m) {
				name, _, _ := strings.Cut(ansi.Strip(l), gap)
				seen[name]++
			}
		}
		for i := range n {
			if name := fmt.Sprintf("port %d", i); seen[name] != 1 {
				t.Fatalf("%s is shown %d times: %v", name, seen[name], seen)
			}
		}
	})
}

// TestParts: eight ports on usual terminals.
func TestParts(t *testing.T) {
	for _, c := range []struct {
		width, height int
		foot          string
		has           []string // on the first part
	}{
		{80, 24, "1/4  c compact  p previous  n next  ? help  q quit",
			[]string{"[1 ports] 2 log", "all 8 ports", "port 1  emu:gen -> port x  link up  ▃▅█",
				"RX-packets: 5000000     RX-bytes: 5000000    RX-errors: 0", "Rx-bps: 5000000", "5.00 Mbit/s"}},
		{40, 10, "1/2  p previous  n next  ? help  q quit", []string{"all 8 ports  Rx     0 pps", "port 0  Rx 2.50 Mpps"}},
		{200, 60, "1/2  c compact  p previous  n next  ? help  q quit", []string{"all 8 ports", "port 6  "}},
		{30, 4, "1/8  n next  ? help  q quit", []string{"port 0  Rx 2.50 Mpps"}},
		{20, 5, "1/8  ? help  q quit", []string{"[1 ports] 2 log", "port 0  Rx 2.50 Mpps"}},
	} {
		m := testModel(8, 5000000)
		m.width, m.height = c.width, c.height
		lines := m.lines()
		text := ansi.Strip(strings.Join(lines, "\n"))
		if got := ansi.Strip(lines[len(lines)-1]); got != c.foot || len(lines) != c.height {
			t.Errorf("%d x %d: %d lines end with %q, want %q", c.width, c.height, len(lines), got, c.foot)
		}
		for _, want := range c.has {
			if !strings.Contains(text, want) {
				t.Errorf("%d x %d: the screen lacks %q:\n%s", c.width, c.height, want, text)
			}
		}
	}
}

// TestKeys: keys turn pages and their parts and change the detail; those that end the
// command send it the signal that they are elsewhere.
func TestKeys(t *testing.T) {
	m := testModel(8, 1)
	var sent []unix.Signal
	m.signal = func(s unix.Signal) { sent = append(sent, s) }
	for _, c := range []struct {
		key  string
		page string
		part int
	}{
		{"up", "ports", 0}, {"n", "ports", 1}, {"down", "ports", 2}, {"pgdown", "ports", 3}, {"down", "ports", 3}, {"pgup", "ports", 2},
		{"home", "ports", 0}, {"space", "ports", 1}, {"c", "ports", 1}, {"n", "log", 0}, {"p", "ports", 1}, {"c", "ports", 1},
		{"x", "ports", 1}, {"end", "ports", 3}, {"tab", "log", 0}, {"tab", "ports", 0}, {"left", "log", 0}, {"1", "ports", 0},
		{"2", "log", 0}, {"9", "log", 0}, {"?", "log", 0}, {"?", "log", 0}, {"n", "ports", 0},
	} {
		m.key(c.key)
		if m.lines(); m.at() != c.page || m.part != c.part {
			t.Errorf("%s: part %d of %s, want %d of %s", c.key, m.part, m.at(), c.part, c.page)
		}
	}
	for _, key := range []string{"q", "ctrl+c"} {
		m.ending, sent = false, nil
		m.key(key)
		m.key(key) // a second signal would end the process with the terminal as it is
		if len(sent) != 1 || sent[0] != unix.SIGINT {
			t.Errorf("%s sends %v", key, sent)
		}
	}
	if m.key("ctrl+\\") == nil || m.after != unix.SIGQUIT {
		t.Errorf("Ctrl-\\ leads to signal %v", m.after)
	}
}

// generator is what the keys of a screen act on.
type generator struct {
	on    bool
	steps []int
	rate  string
	done  []string // in their order
}

func (g *generator) traffic() Traffic {
	return Traffic{
		Sending: func() Sending { return Sending{On: g.on, Rate: g.rate} },
		Actions: Actions{
			Start: func() error { g.on, g.done = true, append(g.done, "start"); return nil },
			Stop:  func() error { g.on, g.done = false, append(g.done, "stop"); return nil },
			Step:  func(n int) error { g.steps, g.done = append(g.steps, n), append(g.done, "step"); return nil },
			SetRate: func(text string) error {
				if text == "panic" {
					panic("broken")
				}
				if !strings.HasSuffix(text, "pps") {
					return fmt.Errorf("rate: %q: no unit; write it like 1Mpps", text)
				}
				g.rate = text
				return nil
			},
			RateHint: "like 1Mpps",
		},
	}
}

// settle does what a key asked for, and what comes of it.
func settle(m *model, cmd tea.Cmd) {
	for cmd != nil {
		_, cmd = m.Update(cmd())
	}
}

func keyPress(key string) tea.KeyPressMsg {
	k := tea.KeyPressMsg{Text: key, Code: []rune(key)[0]}
	switch key {
	case "enter":
		k = tea.KeyPressMsg{Code: tea.KeyEnter}
	case "esc":
		k = tea.KeyPressMsg{Code: tea.KeyEscape}
	case "backspace":
		k = tea.KeyPressMsg{Code: tea.KeyBackspace}
	}
	return k
}

// TestActions: keys start and stop, step the rate, and have the user type one, which is
// asked for again, with the reason, if it is none.
func TestActions(t *testing.T) {
	g := &generator{rate: "1kpps"}
	r := &Report{App: "app", Start: time.Now(), Traffic: g.traffic()}
	m := newModel(r, newSampler(r).take(time.Now()))
	m.keys = true
	press := func(list ...string) {
		for _, key := range list {
			_, cmd := m.Update(keyPress(key))
			settle(m, cmd)
		}
	}
	shows := func(want string) {
		t.Helper()
		if text := ansi.Strip(strings.Join(m.lines(), "\n")); !strings.Contains(text, want) {
			t.Errorf("the screen lacks %q:\n%s", want, text)
		}
	}
	shows("app  0 s  stopped")
	shows("s start")
	press("s")
	shows("sending 1kpps")
	shows("s stop")
	press("+", "+", "-", "s", "r")
	if want := "[start step step step stop]"; fmt.Sprint(g.done) != want || fmt.Sprint(g.steps) != "[1 1 -1]" {
		t.Errorf("done %v, steps %v", g.done, g.steps)
	}
	shows("rate: " + gap + " like 1Mpps; Enter sets")
	press("9", "q", "enter") // neither turns a page nor quits
	shows(`rate: "9q": no unit; write it like 1Mpps`)
	shows("rate: 9q")
	press("backspace", "k", "p", "p", "s", "enter")
	if g.rate != "9kpps" {
		t.Errorf("the rate is %q", g.rate)
	}
	press("s", "r", "x", "esc", "r")
	_, cmd := m.Update(tea.PasteMsg{Content: "panic"})
	settle(m, cmd)
	press("enter")
	shows("panic: broken")
	press("esc")
	shows("sending 9kpps")
	m.page = logPage
	shows("app: stopped at 0 s")
}

// TestActionsInOrder: what keys ask for while an action is in progress is done after it,
// in order, and a key that is held down does not queue without end.
func TestActionsInOrder(t *testing.T) {
	g := &generator{}
	r := &Report{App: "app", Start: time.Now(), Traffic: g.traffic()}
	m := newModel(r, newSampler(r).take(time.Now()))
	first := m.key("s")
	for range 100 {
		if cmd := m.key("+"); cmd != nil {
			t.Fatal("a second action at a time")
		}
	}
	settle(m, first)
	if len(g.done) != 1+maxPending || g.done[0] != "start" || m.busy {
		t.Errorf("done: %v", g.done)
	}
}
