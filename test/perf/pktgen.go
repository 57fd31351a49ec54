package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// The least ratios of pktgen's rate to those of the two testpmd that the project asks of
// itself. They make the same packet again and again, and DPDK's one with another port.
const (
	barOfOurs = 0.80
	barOfDPDK = 1.20
)

// flows is how many flows pktgen's packets belong to.
const flows = 1000

// contest is pktgen against the two testpmd on one path: UDP packets of 64 bytes, of 1,000 flows,
// of one, and, with --txonly-multi-flow, of as many as DPDK's has.
type contest struct {
	Path path `json:"path"`
	// Mpps have one value for each round, by side.
	Mpps  [sides][]float64 `json:"mpps"`
	Trips []float64        `json:"round_trips_ns"`
	tally
}

// racePktgen has pktgen and the two testpmd take turns on each path.
func (l *lab) racePktgen(ctx context.Context) (list []contest, err error) {
	b, err := l.startBackEnd(ctx, 1, transmit, 64)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	run := func(s side, j job) (result, error) { return l.run(ctx, b, s, j) }
	for _, r := range l.options.rows() {
		list = append(list, contest{Path: r.Ours})
	}
	return list, l.rounds(list, run)
}

// rounds has the three run in turn on each path, as many rounds as pairs were asked for. pktgen is
// between the two others, so that both are compared with the run next to theirs.
func (l *lab) rounds(list []contest, run starter) error {
	for i := range l.options.Pairs {
		order := [][]side{{ours, pktgen, dpdk}, {dpdk, pktgen, ours}}[i%2]
		for k := range list {
			c := &list[k]
			group, err := l.settled(&c.tally, func() ([]result, error) { return l.round(c, order, run) })
			if err != nil {
				return err
			}
			for k, s := range order {
				c.Mpps[s] = append(c.Mpps[s], group[k].Mpps)
				c.Trips = append(c.Trips, group[k].Trips...)
			}
		}
	}
	return nil
}

// round has the three run once.
func (l *lab) round(c *contest, order []side, run starter) ([]result, error) {
	var group []result
	for _, s := range order {
		r, err := l.steady(&c.tally, s, func() (result, error) {
			return run(s, job{work: transmit, path: c.Path, size: 64, flows: true})
		})
		if err != nil {
			return nil, err
		}
		group = append(group, r)
		l.say("%s, round %d: %v %.2f Mpps, round trips %.0f ns", c.Path.Name, len(c.Mpps[pktgen])+1, s, r.Mpps, r.Trips)
	}
	return group, nil
}

// pktgenCommand is the command line of pktgen.
func (l *lab) pktgenCommand(j job) []string {
	return []string{filepath.Join(l.options.Bin, "pktgen"), "--stats-period", "0",
		"--cpus", strconv.Itoa(l.options.DriverCPU), "--burst", strconv.Itoa(l.options.Burst),
		"--size", strconv.Itoa(j.size), "--flows", strconv.Itoa(flows), "--rate", "max", "--latency", "0", l.ourPort(j)}
}

// writeContests writes the table as Markdown.
func (o *outcomes) writeContests(w io.Writer) error {
	var b strings.Builder
	o.writeMethod(&b)
	fmt.Fprintf(&b, "\n**pktgen, at dpdk-testpmd with net_vhost in mode rxonly**\n\n")
	fmt.Fprintf(&b, "UDP packets of 64 bytes: pktgen's of %d flows with signatures and right checksums, testpmd's (txonly) of one flow, dpdk-testpmd's with --txonly-multi-flow.\n\n", flows)
	b.WriteString("| path | pktgen, Mpps | testpmd, Mpps | DPDK, Mpps | to testpmd | bar | to DPDK | bar | round trip, ns |\n")
	b.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	var sum tally
	for _, c := range o.Contests {
		c.line(&b)
		sum = sum.plus(c.tally)
	}
	fmt.Fprintf(&b, "\nRounds that were run again because the round trip changed by more than a factor of two: %d; %d count although it did each time. Runs that stood still: pktgen %d, testpmd %d, DPDK %d.\n",
		sum.Again, sum.Changed, sum.Stalls[pktgen], sum.Stalls[ours], sum.Stalls[dpdk])
	_, err := io.WriteString(w, b.String())
	return err
}

// line writes a row of the table.
func (c *contest) line(b *strings.Builder) {
	fmt.Fprintf(b, "| %s |", c.Path.Name)
	for _, s := range []side{pktgen, ours, dpdk} {
		fmt.Fprintf(b, " %s |", figures(spreadOf(c.Mpps[s]), 1))
	}
	for _, against := range []struct {
		side side
		bar  float64
	}{{ours, barOfOurs}, {dpdk, barOfDPDK}} {
		ratio := spreadOf(ratios(c.Mpps[pktgen], c.Mpps[against.side]))
		fmt.Fprintf(b, " %s | %s |", figures(ratio, 2), judged(ratio.Median, against.bar))
	}
	fmt.Fprintf(b, " %s |\n", middle(c.Trips))
}

// judged writes a bar and whether it was reached.
func judged(ratio, least float64) string {
	if ratio >= least {
		return fmt.Sprintf("%.2f met", least)
	}
	return fmt.Sprintf("**%.2f missed**", least)
}
