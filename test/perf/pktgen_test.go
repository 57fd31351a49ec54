package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/perf/internal/hugepool"
)

// TestRounds checks that pktgen runs between the two it is compared with, on each path in
// turn, and that the one that runs first changes from round to round.
func TestRounds(t *testing.T) {
	list := []contest{{Path: paths()[0]}, {Path: paths()[3]}}
	var order []string
	err := raceLab(2).rounds(list, func(s side, j job) (result, error) {
		if !j.flows || j.work != transmit || j.size != 64 {
			t.Errorf("%v is to do %+v", s, j)
		}
		order = append(order, s.String()+" "+j.path.Name)
		return result{Mpps: float64(len(order)), Trips: []float64{60, 61}}, nil
	})
	want := []string{
		"virtio-pmd split, mergeable", "pktgen split, mergeable", "DPDK split, mergeable",
		"virtio-pmd packed", "pktgen packed", "DPDK packed",
		"DPDK split, mergeable", "pktgen split, mergeable", "virtio-pmd split, mergeable",
		"DPDK packed", "pktgen packed", "virtio-pmd packed",
	}
	if err != nil || !slices.Equal(order, want) {
		t.Fatalf("%v: %q, want %q", err, order, want)
	}
	c := list[1]
	if !slices.Equal(c.Mpps[ours], []float64{4, 12}) || !slices.Equal(c.Mpps[pktgen], []float64{5, 11}) ||
		!slices.Equal(c.Mpps[dpdk], []float64{6, 10}) || len(c.Trips) != 12 {
		t.Errorf("%+v", c)
	}
	broken := errors.New("broken")
	if err := raceLab(1).rounds(list, func(side, job) (result, error) { return result{}, broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}

// TestContestLine checks that the median of the ratios of rounds is judged, and not the quotient of
// the medians.
func TestContestLine(t *testing.T) {
	c := contest{Path: paths()[0], Trips: []float64{100}}
	c.Mpps[pktgen] = []float64{8, 18, 27}
	c.Mpps[ours] = []float64{10, 20, 40}
	c.Mpps[dpdk] = []float64{10, 15, 20}
	var b strings.Builder
	c.line(&b)
	want := "| split, mergeable | 18.0 (8.0-27.0) | 20.0 (10.0-40.0) | 15.0 (10.0-20.0) | 0.80 (0.68-0.90) | 0.80 met | 1.20 (0.80-1.35) | 1.20 met | 100 |\n"
	if b.String() != want {
		t.Errorf("%s, want %s", b.String(), want)
	}
	c.Mpps[pktgen][1] = 15
	b.Reset()
	c.line(&b)
	if got := b.String(); !strings.Contains(got, "**0.80 missed**") || !strings.Contains(got, "**1.20 missed**") {
		t.Error(got)
	}
}

// TestContestCommands checks that the three get the same path and size, and DPDK's many flows.
func TestContestCommands(t *testing.T) {
	l := &lab{options: options{Bin: "bin", DPDK: "dpdk-testpmd", Burst: 32, Ring: 1024, DriverCPU: 1}, dir: "d", huge: &hugepool.Pages{}}
	j := job{work: transmit, path: paths()[3], size: 64, socket: "s", flows: true}
	for s, want := range map[side][]string{
		pktgen: {"bin/pktgen", "--flows 1000", "--size 64", "--rate max", "--cpus 1", "--burst 32", "tx_queue_size=1024,packed=1,in_order=0,mrg_rxbuf=0"},
		ours:   {"bin/testpmd", "--forward-mode txonly", "--txpkts 64", "tx_queue_size=1024,packed=1,in_order=0,mrg_rxbuf=0"},
		dpdk:   {"dpdk-testpmd", "--forward-mode=txonly", "--txpkts=64", "--txonly-multi-flow", "packed_vq=1,in_order=0,mrg_rxbuf=0"},
	} {
		argv, _ := l.command(s, j)
		line := strings.Join(argv, " ")
		for _, part := range want {
			if !strings.Contains(line, part) {
				t.Errorf("%v: %s has no %s", s, line, part)
			}
		}
	}
	j.flows = false
	if argv, _ := l.command(dpdk, j); slices.Contains(argv, "--txonly-multi-flow") {
		t.Errorf("DPDK makes many flows in the other races too: %q", argv)
	}
}
