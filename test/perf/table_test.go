package main

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	p := paths()
	all := outcomes{
		Date: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC), Machine: "a machine, 2 CPUs",
		Version: "v1", DPDK: "DPDK 22.11.11",
		Options: options{Pairs: 3, Retries: 2, Rounds: 3, Qualify: 300 * time.Millisecond,
			Long: 10 * time.Second, Duration: 2 * time.Second, WarmUp: 500 * time.Millisecond,
			Burst: 32, Ring: 1024, DriverCPU: 1},
		Rows: []outcome{
			{Heat: 2, Work: receive, row: row{Size: 64, Ours: p[0], DPDK: p[0]},
				OurMpps: []float64{30, 20, 10}, DPDKMpps: []float64{10, 10, 10},
				Trips: []float64{320, 90, 60},
				tally: tally{Again: 3, Changed: 1, Stalls: [sides]int{0, 4},
					Measured: 11 * time.Second},
				OurAccount:  account{EmptyShare: 0.255, Cycles: 91.6},
				DPDKAccount: account{EmptyShare: -1, Cycles: 180}},
			{Heat: 1, Work: transmit, row: row{Qualified: true, Size: 64, Ours: p[4], DPDK: p[1]},
				OurMpps: []float64{1}, DPDKMpps: []float64{1},
				OurAccount: account{EmptyShare: 0}, DPDKAccount: account{EmptyShare: 0.5}},
			{Heat: 1, Work: forward, row: row{Qualified: true, Size: 512, Ours: p[4], DPDK: p[1]}},
		},
		Long: []longRun{{Work: receive}},
		Qualified: []qualification{
			{Heat: 1, tally: tally{Again: 100, Stalls: [sides]int{100, 100}}},
			{Heat: 2, tally: tally{Again: 6, Changed: 1, Stalls: [sides]int{0, 1},
				Measured: 2 * time.Second}},
		},
		Extras: &extras{
			Start: map[string][]float64{"virtio-pmd": {100, 120, 140},
				"DPDK": {300, 300, 300}},
			Resident:       map[string][]float64{"virtio-pmd": {15}, "DPDK": {20}},
			ResidentNoHuge: map[string][]float64{},
		},
	}
	var b strings.Builder
	if err := all.write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	rest := text
	for _, want := range []string{ // in this order
		"2026-11-23 on a machine, 2 CPUs, virtio-pmd v1 against DPDK 22.11.11: indicative",
		"Driver on CPU 1, back end on CPU 0, burst 32, rings of 1024; 3 alternating pairs of runs of 2s after 500ms",
		"A ratio is the median of the ratios of pairs",
		"**Heat 1",
		"| TX | best: packed, in-order / split | 64 | 1.0 (1.0-1.0) | 1.0 (1.0-1.0) | 1.00 (1.00-1.00) | **1.30 missed** | - | - / - | - / - |",
		"| forward | qualified: packed, in-order / split | 512 | - | - | - |  | - | 0 % / 0 % | - / - |",
		"**Heat 2",
		"| RX | split, mergeable | 64 | 20.0 (10.0-30.0) | 10.0 (10.0-10.0) | 2.00 (1.00-3.00) | 1.50 met | 90 | 26 % / - | 92 / 180 |",
		"the median of 20ms before and after each run",
		"run again, at most 2 times: 3 were; 1 pairs count although",
		"Best: each driver's path with the highest median, over 3 rounds of runs of 300ms at that size",
		"Of these groups of runs 6 were run again, and 1 count although",
		"below 0.1 Mpps, and were made again, at most twice: ours 0, DPDK's 5.",
		"Garbage collections of ours during 13 s of measuring: 0.",
		"in one run of ours of 10s each: RX 0.",
		"**Start and memory**",
		"| start to first packet, ms | 120 (100-140) | 300 (300-300) | 0.40 (0.33-0.47) | 0.50 met |",
		"| resident memory, hugepages not counted, MiB | 15 (15-15) | 20 (20-20) | 0.75 (0.75-0.75) | **0.50 missed** |",
		"| resident memory of a run without hugepages, MiB | - | - | - | **0.50 missed** |",
	} {
		at := strings.Index(rest, want)
		if at < 0 {
			t.Fatalf("the rest of the table lacks %q:\n%s", want, text)
		}
		rest = rest[at+len(want):]
	}
}
