package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is what a program wrote in a real run.
func sample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestParseSummary reads what dpdk-testpmd 22.11.11 printed when it ended.
func TestParseSummary(t *testing.T) {
	for name, want := range map[string]summary{
		"dpdk-tx.txt": {TxPackets: 71584, TxDropped: 10961408, CyclesPerPacket: 20853.50},
		"dpdk-io.txt": {RxPackets: 1230528, TxPackets: 1228672, TxDropped: 1856,
			CyclesPerPacket: 1683.41, RxBursts: 53584638, EmptyShare: 0.99},
		"dpdk-vec.txt": {RxPackets: 14713396, CyclesPerPacket: 188.99, RxBursts: 52790805,
			EmptyShare: 0.99},
		"dpdk-none.txt": {},
	} {
		got, err := parseSummary(sample(t, name))
		if err != nil || got != want {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, want)
		}
	}
}

// TestParseSummaryFails checks that what ends early or is cut off is an error that shows
// the end of the output.
func TestParseSummaryFails(t *testing.T) {
	complete := sample(t, "dpdk-io.txt")
	cut := complete[:strings.Index(complete,
		"Accumulated")+len("Accumulated forward statistics for all ports+")]
	for _, text := range []string{"", "EAL: Cannot init memory\n", complete[:400], cut} {
		_, err := parseSummary(text)
		var e *parseError
		if !errors.As(err, &e) || !strings.Contains(err.Error(),
			strings.TrimSpace(text[max(0, len(text)-20):])) {
			t.Errorf("%q: %v, want a *parseError with the end of the output", text, err)
		}
	}
}

// TestScreenCounters reads vhostdev's screens: the last one counts, and only if
// it is complete.
func TestScreenCounters(t *testing.T) {
	complete := sample(t, "vhostdev.txt")
	if rx, tx, ok := screenCounters(complete); rx != 921824 || tx != 919904 || !ok {
		t.Errorf("the last screen: %d, %d, %v", rx, tx, ok)
	}
	first := complete[:strings.LastIndex(complete, "vhostdev ")]
	if rx, tx, ok := screenCounters(first); rx != 797088 || tx != 795488 || !ok {
		t.Errorf("the first screen: %d, %d, %v", rx, tx, ok)
	}
	if _, _, ok := screenCounters("vhostdev  1 s\n"); ok {
		t.Error("counters were found where there are none")
	}
}

// TestParseObject reads what testpmd --json printed.
func TestParseObject(t *testing.T) {
	a, err := parseObject(sample(t, "testpmd.json"))
	if err != nil {
		t.Fatal(err)
	}
	if a.Cycles < 443.0 || a.Cycles > 443.1 || a.EmptyShare < 0.985 || a.EmptyShare > 0.986 ||
		!strings.HasPrefix(a.Path, "RX packed, in-order") {
		t.Errorf("%+v", a)
	}
	a, err = parseObject(`{"ports":[{"polls":0}]}`)
	if err != nil || a.EmptyShare != -1 || a.Cycles != 0 {
		t.Errorf("no polls: %+v, %v", a, err)
	}
	for _, text := range []string{"", "{", `{"ports":[]}`, "testpmd: no socket"} {
		var e *parseError
		if _, err := parseObject(text); !errors.As(err, &e) {
			t.Errorf("%q: %v, want a *parseError", text, err)
		}
	}
}

func TestParseResident(t *testing.T) {
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := parseResident(string(own)); err != nil || n < 1<<20 || n > 1<<34 {
		t.Errorf("this program has %d bytes: %v", n, err)
	}
	// Hugepages stand in a line of their own and are not counted.
	if n, err := parseResident("VmHWM:\t  113972 kB\nVmRSS:\t  111 kB\nHugetlbPages:\t  524288 kB\n"); err != nil || n != 111<<10 {
		t.Errorf("%d, %v", n, err)
	}
	var e *parseError
	if _, err := parseResident("Name:\tx\n"); !errors.As(err, &e) {
		t.Errorf("%v, want a *parseError", err)
	}
}

func TestCollections(t *testing.T) {
	text := "testpmd: port 0\ngc 1 @0.012s 1%: 0.01+0.2 ms clock, 4->4->1 MB\ngc 2 @0.050s 1%: 0\nno gc 3 @\n"
	if n := collections(text); n != 2 {
		t.Errorf("%d, want 2", n)
	}
}
