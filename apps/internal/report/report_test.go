package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	*stats[0] = driver.Stats{RxPackets: 2000007, RxBytes: 120000420, RxNoMbuf: 3, RxErrors: 4, Polls: 100, EmptyPolls: 25, Kicks: 9, Resets: 2,
		RxMissed: 11, TxLost: 12, Disconnects: 13, Refusals: 14}
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
		"RX-missed: 11; TX-lost: 12; disconnects: 13; refusals: 14\n",
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

// TestObject: the object has exactly the names of the design, and averages.
func TestObject(t *testing.T) {
	s, stats := testReport(time.Now())
	*stats[0] = driver.Stats{RxPackets: 3000, RxBytes: 180000, RxErrors: 1, RxNoMbuf: 2, TxPackets: 1500, TxBytes: 90000,
		TxDropped: 3, TxErrors: 7, Polls: 4, EmptyPolls: 5, Kicks: 6, Suppressed: 15, Waits: 17, Interrupts: 18, Resets: 8,
		RxMissed: 11, RxFiltered: 16, TxLost: 12, Disconnects: 13, Refusals: 14, Faults: driver.FaultStats{BrokenQueue: 2, Removed: 1},
		Queues: []driver.QueueStats{{Tx: driver.TxQueueStats{LengthDrops: 2, ChainDrops: 4, PoolDrops: 1, OwnerDrops: 2, OffloadDrops: 6,
			Checksums: 21, LargePackets: 22, SoftwareChecksums: 23, SoftwareLarge: 24},
			Rx: driver.RxQueueStats{ChecksumGood: 25, ChecksumPartial: 26, LargePackets: 27}}}}
	s.Ports[0].Full = func() []uint64 { return []uint64{10} }
	stats[1].TxErrors = 5
	var out bytes.Buffer
	if err := s.object(1500*time.Millisecond, s.sample()).writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := []string{"app", "duration_s", "ports", "total", "version"}; !slices.Equal(keys(got), want) {
		t.Errorf("the object has %v, want %v", keys(got), want)
	}
	ports := got["ports"].([]any)
	if len(ports) != 2 || got["app"] != "app" || got["duration_s"] != 1.5 || got["version"] == "" {
		t.Errorf("unexpected object: %s", out.String())
	}
	totals := map[string]any{"rx_packets": 3000., "rx_bytes": 180000., "tx_packets": 1500., "tx_bytes": 90000.,
		"tx_dropped": 13., "tx_errors": 12., "rx_errors": 1., "rx_nombuf": 2., "rx_pps": 2000., "tx_pps": 1000.,
		"polls": 4., "empty_polls": 5., "kicks": 6., "kicks_suppressed": 15., "waits": 17., "interrupts": 18., "resets": 8., "faults": 3.,
		"rx_missed": 11., "rx_filtered": 16., "tx_lost": 12., "disconnects": 13., "refusals": 14.}
	if !reflect.DeepEqual(got["total"], totals) {
		t.Errorf("got  %v\nwant %v", got["total"], totals)
	}
	want := totals
	want["port"], want["path"], want["features"], want["tx_errors"] = "emu:gen", "RX packed; TX split", []any{"MAC"}, 7.
	want["tx_unsent"] = map[string]any{"queue_full": 10., "length": 2., "device": 1., "segments": 4., "foreign_pool": 1., "freed": 2., "offload": 6.}
	want["offloads"] = map[string]any{"rx_checksum_good": 25., "rx_checksum_partial": 26., "rx_large": 27., "tx_checksums": 21.,
		"tx_large": 22., "tx_software_checksums": 23., "tx_software_large": 24.}
	if !reflect.DeepEqual(ports[0], want) {
		t.Errorf("got  %v\nwant %v", ports[0], want)
	}
}

// TestOneReading: an outcome is made from one reading of counters that still move, so that
// object, summary and extended statistics say the same.
func TestOneReading(t *testing.T) {
	s, stats := testReport(time.Now())
	moving := func() driver.Stats {
		stats[0].RxPackets++
		stats[0].RxBytes += 64
		return *stats[0]
	}
	s.XStats = true
	for _, own := range []bool{false, true} {
		s.Ports[0].Stats, s.Ports[0].Extended = moving, nil
		if own {
			s.Ports[0].Stats, s.Ports[0].Extended = nil, func() (driver.Stats, []driver.ExtendedStat) {
				n := moving()
				return n, n.Extended()
			}
		}
		var stdout, notes bytes.Buffer
		before := stats[0].RxPackets
		if err := s.Print(time.Second, true, &stdout, &notes); err != nil {
			t.Fatal(err)
		}
		var o Object
		if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		p, want := o.Ports[0], before+1
		if p.RxPackets != want || o.Total.RxPackets != want || p.XStats["rx_good_packets"] != want || p.XStats["rx_good_bytes"] != 64*want {
			t.Errorf("own %v: want %d packets in %+v", own, want, o)
		}
		for _, line := range []string{fmt.Sprintf("RX-packets: %d ", want), fmt.Sprintf("rx_good_packets: %d\n", want)} {
			if !strings.Contains(notes.String(), line) {
				t.Errorf("own %v: %q is not in %s", own, line, notes.String())
			}
		}
	}
}

// TestPrintUnsent: a port that sends nothing of what was to leave by it is an error with
// the reason; one that sends something, or has nothing to send, is none.
func TestPrintUnsent(t *testing.T) {
	long := []driver.QueueStats{{Tx: driver.TxQueueStats{LengthDrops: 9}}}
	for name, c := range map[string]struct {
		stats driver.Stats
		full  uint64
		words []string
	}{
		"nothing to send": {},
		"one sent":        {stats: driver.Stats{TxPackets: 1, TxDropped: 1000}},
		"too long": {stats: driver.Stats{TxDropped: 9, Queues: long},
			words: []string{"not one of 9 packets", "9 are longer than the MTU of 1500", "mtu="}},
		"device": {stats: driver.Stats{TxDropped: 7}, words: []string{"7 were dropped by the device", "link up"}},
		"full":   {full: 5, words: []string{"5 found the queue full", "link up"}},
		"both": {stats: driver.Stats{TxDropped: 9, Queues: long}, full: 5,
			words: []string{"not one of 14 packets", "5 found the queue full; 9 are longer"}},
	} {
		s, stats := testReport(time.Now())
		*stats[1] = c.stats
		s.Ports[1].MTU, s.Ports[1].Full = 1500, func() []uint64 { return []uint64{c.full} }
		var out bytes.Buffer
		err := s.Print(time.Second, false, &out, nil)
		var unsent *UnsentError
		if errors.As(err, &unsent) != (c.words != nil) || err != nil && unsent == nil {
			t.Errorf("%s: error %v", name, err)
		}
		for _, w := range c.words {
			if !strings.Contains(err.Error(), w) || !strings.HasPrefix(err.Error(), "port 1: 0000:00:03.0: ") {
				t.Errorf("%s: the error lacks %q: %v", name, w, err)
			}
		}
		if !strings.Contains(out.String(), "Forward statistics for port 1") {
			t.Errorf("%s: no summary: %s", name, &out)
		}
	}
}

// TestObjectQueues: queues are listed where there are several, with what found them full.
func TestObjectQueues(t *testing.T) {
	s, stats := testReport(time.Now())
	stats[0].Queues = make([]driver.QueueStats, 1)
	stats[1].Queues = make([]driver.QueueStats, 2)
	stats[1].Queues[1].Rx = driver.RxQueueStats{Packets: 5, Bytes: 6, Dropped: 1, NoMbuf: 2, Kicks: 3, Suppressed: 4}
	stats[1].Queues[1].Tx = driver.TxQueueStats{Packets: 7, Bytes: 8, Dropped: 9, Full: 10, Kicks: 11, Suppressed: 12}
	s.Ports[1].Full = func() []uint64 { return []uint64{13, 14} }
	o := s.object(time.Second, s.sample())
	if o.Ports[0].Queues != nil {
		t.Errorf("one queue: %+v", o.Ports[0].Queues)
	}
	if want := []QueueObject{{TxDropped: 13}, {RxPackets: 5, RxBytes: 6, RxErrors: 1, RxNoMbuf: 2,
		TxPackets: 7, TxBytes: 8, TxDropped: 23, RingFull: 10, Kicks: 14, Suppressed: 16}}; !slices.Equal(o.Ports[1].Queues, want) {
		t.Errorf("got %+v, want %+v", o.Ports[1].Queues, want)
	}
}

func TestSummary(t *testing.T) {
	s, stats := testReport(time.Now())
	*stats[0] = driver.Stats{RxPackets: 100, RxErrors: 1, RxFiltered: 50}
	*stats[1] = driver.Stats{RxPackets: 20, TxPackets: 90, TxDropped: 3, TxErrors: 4}
	s.Ports[1].Full = func() []uint64 { return []uint64{7} }
	var out bytes.Buffer
	if err := s.writeSummary(&out, 10*time.Second, s.sample()); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"app: 10.0 s, 2 ports",
		"Forward statistics for port 0: emu:gen -> port x RX-packets: 100 RX-dropped: 1 RX-total: 101 TX-packets: 0",
		"Forward statistics for port 1: 0000:00:03.0 -> port x RX-packets: 20 RX-dropped: 0 RX-total: 20 TX-packets: 90 TX-dropped: 10 TX-total: 104 TX-errors: 4 ",
		"not received: 50 were kept away by the filters of the port",
		"not sent: 7 found the queue full; 3 were dropped by the device",
		"Accumulated forward statistics for all ports RX-packets: 120 RX-dropped: 1 RX-total: 121 TX-packets: 90 TX-dropped: 10 TX-total: 104 TX-errors: 4 Rx-pps: 12 Tx-pps: 9 (average)",
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

// TestDescribe: what was asked for is in the object and in the summary, and nothing of it
// otherwise.
func TestDescribe(t *testing.T) {
	s, stats := testReport(time.Now())
	*stats[0] = driver.Stats{RxPackets: 3, Queues: []driver.QueueStats{{Rx: driver.RxQueueStats{Packets: 3}}}}
	s.Ports[0].Info = func() driver.Info { return driver.Info{Name: "that one", MTU: 1234} }
	for _, asked := range []bool{false, true} {
		s.ShowInfo, s.XStats = asked, asked
		var out, notes bytes.Buffer
		if err := s.Print(time.Second, true, &out, &notes); err != nil {
			t.Fatal(err)
		}
		for text, in := range map[string]string{
			`"rx_q0_good_packets":3`: out.String(), `"mtu":1234`: out.String(), "\n  rx_q0_good_packets: 3\n": notes.String(),
		} {
			if strings.Contains(in, text) != asked {
				t.Errorf("asked: %t, and %q is there: %t\n%s", asked, text, !asked, in)
			}
		}
	}
	var page bytes.Buffer
	if err := s.WriteInfo(&page); err != nil || !strings.Contains(page.String(), "port that one\n") {
		t.Errorf("%v, %q", err, &page)
	}
}
