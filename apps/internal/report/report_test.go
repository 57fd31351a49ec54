package report

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// testReport has two ports whose counters the test sets.
func testReport(start time.Time) (*Report, []*driver.Stats) {
	stats := []*driver.Stats{{}, {}}
	s := &Report{App: "app", Start: start, Planned: 10 * time.Second, Pollers: func() string { return "poller 50 % busy" }}
	for i, name := range []string{"emu:gen", "0000:00:03.0"} {
		s.Ports = append(s.Ports, Port{Number: i, Name: name, Role: "-> port x", Path: "RX packed; TX split",
			Features: []string{"MAC"}, State: func() string { return "link up" }, Stats: func() driver.Stats { return *stats[i] }})
	}
	return s, stats
}

// TestScreen: the screen has testpmd's words, totals since the start and rates
// since the last screen.
func TestScreen(t *testing.T) {
	start := time.Now()
	s, stats := testReport(start)
	stats[0].RxPackets = 7 // before the screen: in the totals, not in the rates
	var out bytes.Buffer
	screen := NewScreen(s, &out)
	*stats[0] = driver.Stats{RxPackets: 2000007, RxBytes: 120000420, RxNoMbuf: 3, RxErrors: 4, Polls: 100, EmptyPolls: 25, Kicks: 9, Resets: 2}
	*stats[1] = driver.Stats{TxPackets: 1000000, TxBytes: 60000000, TxErrors: 5, TxDropped: 6}
	screen.Show(start.Add(2 * time.Second))
	first := out.String()
	for _, want := range []string{
		"app  2 s of 10 s  poller 50 % busy\n",
		"port 0  emu:gen -> port x  link up", "port 1  0000:00:03.0",
		"RX-packets: 2000007 ", "RX-bytes: 120000420 ", "RX-errors: 4 ", "RX-nombuf:  3\n",
		"TX-packets: 1000000 ", "TX-bytes: 60000000 ", "TX-errors: 5 ", "TX-dropped: 6\n",
		"Rx-pps:     1000000 ", "1.00 Mpps", "Rx-bps:   480001680 ", "480 Mbit/s", "Tx-pps:     500000 ", "Tx-bps:   240000000 ",
		"Polls: 100, 25 % empty; kicks: 9; resets: 2\n",
	} {
		if !strings.Contains(first, want) {
			t.Errorf("the screen lacks %q:\n%s", want, first)
		}
	}
	for line := range strings.Lines(first) {
		if len(line) > 100 {
			t.Errorf("a line of %d bytes does not fit most terminals: %q", len(line), line)
		}
	}
	if strings.Contains(first, "\x1b") {
		t.Errorf("escape sequences in what is no terminal: %q", first)
	}
	out.Reset()
	stats[0].RxPackets += 10
	screen.Show(start.Add(4 * time.Second))
	if !strings.Contains(out.String(), "Rx-pps:     5 ") || !strings.Contains(out.String(), "app  4 s of") {
		t.Errorf("10 packets in 2 s are not shown as 5 pps:\n%s", out.String())
	}
}

// TestTerminal: on a terminal the screen is cleared once and then overwritten,
// with the past rates drawn.
func TestTerminal(t *testing.T) {
	start := time.Now()
	s, stats := testReport(start)
	var out bytes.Buffer
	screen := NewScreen(s, &out)
	screen.terminal = true
	for i := range 3 {
		stats[0].RxPackets += uint64(i) * 1000
		screen.Show(start.Add(time.Duration(i+1) * time.Second))
	}
	if n := strings.Count(out.String(), "\x1b[2J"); n != 1 {
		t.Errorf("the screen was cleared %d times, want once", n)
	}
	if n := strings.Count(out.String(), "\x1b[H"); n != 3 {
		t.Errorf("drawing began at the top %d times, want 3", n)
	}
	if !strings.Contains(out.String(), "▁▄█") {
		t.Errorf("rates 0, 1000, 2000 are not drawn as ▁▄█: %q", out.String())
	}
}

func TestIsTerminal(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if isTerminal(f) || isTerminal(&bytes.Buffer{}) {
		t.Error("a file or a buffer is taken for a terminal")
	}
}

// TestObject: the object has exactly the names of the design, and averages.
func TestObject(t *testing.T) {
	s, stats := testReport(time.Now())
	*stats[0] = driver.Stats{RxPackets: 3000, RxBytes: 180000, RxErrors: 1, RxNoMbuf: 2, TxPackets: 1500, TxBytes: 90000,
		TxDropped: 3, Polls: 4, EmptyPolls: 5, Kicks: 6}
	var out bytes.Buffer
	if err := s.object(1500 * time.Millisecond).writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"app", "duration_s", "ports", "version"}; !slices.Equal(keys(got), want) {
		t.Errorf("the object has %v, want %v", keys(got), want)
	}
	ports := got["ports"].([]any)
	if len(ports) != 2 || got["app"] != "app" || got["duration_s"] != 1.5 || got["version"] == "" {
		t.Errorf("unexpected object: %s", out.String())
	}
	want := map[string]any{"port": "emu:gen", "path": "RX packed; TX split", "features": []any{"MAC"},
		"rx_packets": 3000., "rx_bytes": 180000., "tx_packets": 1500., "tx_bytes": 90000., "tx_dropped": 3., "rx_errors": 1.,
		"rx_nombuf": 2., "rx_pps": 2000., "tx_pps": 1000., "polls": 4., "empty_polls": 5., "kicks": 6.}
	if !reflect.DeepEqual(ports[0], want) {
		t.Errorf("got  %v\nwant %v", ports[0], want)
	}
}

// TestObjectQueues: queues are listed where there are several.
func TestObjectQueues(t *testing.T) {
	s, stats := testReport(time.Now())
	stats[0].Queues = make([]driver.QueueStats, 1)
	stats[1].Queues = make([]driver.QueueStats, 2)
	stats[1].Queues[1].Rx.Packets, stats[1].Queues[1].Tx.Packets = 5, 7
	o := s.object(time.Second)
	if o.Ports[0].Queues != nil {
		t.Errorf("one queue: %+v", o.Ports[0].Queues)
	}
	if want := []QueueObject{{}, {RxPackets: 5, TxPackets: 7}}; !slices.Equal(o.Ports[1].Queues, want) {
		t.Errorf("got %+v, want %+v", o.Ports[1].Queues, want)
	}
}

func TestSummary(t *testing.T) {
	s, stats := testReport(time.Now())
	*stats[0] = driver.Stats{RxPackets: 100, RxErrors: 1}
	*stats[1] = driver.Stats{RxPackets: 20, TxPackets: 90, TxDropped: 10}
	var out bytes.Buffer
	if err := s.writeSummary(&out, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"app: 10.0 s, 2 ports",
		"Forward statistics for port 0: emu:gen -> port x RX-packets: 100 RX-dropped: 1 RX-total: 101 TX-packets: 0",
		"Forward statistics for port 1: 0000:00:03.0 -> port x RX-packets: 20 RX-dropped: 0 RX-total: 20 TX-packets: 90 TX-dropped: 10 TX-total: 100",
		"Accumulated forward statistics for all ports RX-packets: 120 RX-dropped: 1 RX-total: 121 TX-packets: 90 TX-dropped: 10 TX-total: 100 Rx-pps: 12 Tx-pps: 9 (average)",
		"path: RX packed; TX split",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the summary lacks %q:\n%s", want, out.String())
		}
	}
}

func TestInUnits(t *testing.T) {
	for rate, want := range map[uint64]string{
		0: "0 pps", 999: "999 pps", 1000: "1.00 kpps", 9994: "9.99 kpps", 9996: "10.0 kpps", 99960: "100 kpps",
		999400: "999 kpps", 999600: "1.00 Mpps", 4123456: "4.12 Mpps", 14880952: "14.9 Mpps", 3e9: "3.00 Gpps", 5e15: "5000 Tpps",
	} {
		if got := inUnits(rate, "pps"); got != want {
			t.Errorf("%d: got %q, want %q", rate, got, want)
		}
	}
	if perSecond(5, 0) != 0 || Share(0, 0) != "0 %" {
		t.Error("no time or nothing at all must not divide by zero")
	}
}

func keys(m map[string]any) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
