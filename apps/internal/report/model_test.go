package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// testModel is a screen of n ports that have counted up to most.
func testModel(n int, most uint64) *model {
	m := &model{app: "app", styles: newStyles(), messages: new(messages), keys: true, width: 80, height: 24}
	m.sample.head = "  2 s of 10 s  CPU 0 50 % busy"
	m.sample.total = portSample{name: fmt.Sprintf("all %d ports", n)}
	for i := range n {
		c := counts{Stats: driver.Stats{RxPackets: most, RxBytes: most, TxPackets: most, TxBytes: most, Polls: most, TxDropped: most}}
		m.sample.ports = append(m.sample.ports, portSample{counts: c, name: fmt.Sprintf("port %d", i),
			about: "emu:gen -> port x  link up", rxPPS: most / 2, rxBPS: most, past: []uint64{1, 2, 3}})
	}
	return m
}

// TestAnySize: a screen of any size shows at most as many lines, none of which is wider,
// and turning the pages shows every port once, with its rates where there is room for
// them. The first line says which command it is, the last one which keys there are.
func TestAnySize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "ports")
		m := testModel(n, rapid.Uint64().Draw(t, "counter"))
		m.width, m.height = rapid.IntRange(0, 220).Draw(t, "width"), rapid.IntRange(0, 80).Draw(t, "height")
		m.keys = rapid.Bool().Draw(t, "keys")
		m.messages.add([]byte(rapid.StringMatching(`[a-zä\n]{0,300}`).Draw(t, "messages")))
		if rapid.Bool().Draw(t, "compact") {
			m.key("c")
		}
		seen := map[string]int{}
		last := -1
		for m.lines(); m.page != last; m.key("n") {
			last = m.page
			lines := m.lines()
			m.page = last
			if len(lines) > m.height {
				t.Fatalf("%d lines", len(lines))
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > m.width {
					t.Fatalf("a line is %d wide: %q", w, l)
				}
				name, _, _ := strings.Cut(ansi.Strip(l), gap)
				seen[name]++
			}
			if m.height > 0 && m.width >= 4 && ansi.Strip(lines[0])[:3] != "app" {
				t.Fatalf("the first line is %q", lines[0])
			}
			m.key("n")
			if m.lines(); m.page == last {
				break
			}
			m.page = last
		}
		if m.height < 3 || m.width < 12 {
			return
		}
		for i := range n {
			if name := fmt.Sprintf("port %d", i); seen[name] != 1 {
				t.Fatalf("%s is shown %d times: %v", name, seen[name], seen)
			}
		}
	})
}

// TestPages: eight ports on usual terminals.
func TestPages(t *testing.T) {
	for _, c := range []struct {
		width, height int
		foot          string
		has           []string // on the first page
	}{
		{80, 24, "page 1 of 4  n next  p previous  c compact  q quit",
			[]string{"all 8 ports", "port 1  emu:gen -> port x  link up  ▃▅█", "RX-packets: 5000000  RX-bytes: 5000000  RX-errors: 0", "Rx-bps: 5000000", "5.00 Mbit/s"}},
		{40, 10, "page 1 of 2  n p c q", []string{"all 8 ports  Rx-pps: 0", "port 0  Rx-pps: 2500000"}},
		{200, 60, "page 1 of 2  n next  p previous  c compact  q quit", []string{"all 8 ports", "port 6  "}},
		{30, 4, "page 1 of 8  n p c q", []string{"port 0  Rx-pps: 2500000"}},
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

// TestKeys: keys turn pages within their bounds and change the detail; those that end the
// command send it the signal that they are elsewhere.
func TestKeys(t *testing.T) {
	m := testModel(8, 1)
	var sent []unix.Signal
	m.signal = func(s unix.Signal) { sent = append(sent, s) }
	for _, c := range []struct {
		key  string
		page int
	}{
		{"p", 0}, {"n", 1}, {"right", 2}, {"pgdown", 3}, {"n", 3}, {"left", 2}, {"home", 0}, {"space", 1}, {"c", 1}, {"n", 1},
		{"c", 1}, {"x", 1},
	} {
		m.key(c.key)
		if m.lines(); m.page != c.page {
			t.Errorf("%s: page %d, want %d", c.key, m.page, c.page)
		}
	}
	m.key("q")
	m.key("ctrl+c")
	if len(sent) != 2 || sent[0] != unix.SIGINT || sent[1] != unix.SIGINT {
		t.Errorf("q and Ctrl-C send %v", sent)
	}
	if m.key("ctrl+\\") == nil || m.after != unix.SIGQUIT {
		t.Errorf("Ctrl-\\ leads to signal %v", m.after)
	}
}
