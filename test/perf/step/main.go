// Command step measures what a packet costs in the driver itself, in cycles of the
// time-stamp counter, beside what it costs in DPDK's.
//
//	make bench-step
//
// Driver and device are in one thread: a small vhost-user back end in C (device) moves
// its rings only between two bursts. So no cache line is in flight, no poll is in vain and
// it does not matter which CPUs the host gives. Both drivers, ours (ours) and DPDK's
// virtio-user (dpdk), are programs that link this device and print what they measured.
// They take turns, and the ratio of two neighbours is what counts.
//
//	RX            the device fills a burst; timed: receive, free
//	TX            get and write; timed: send, with taking back; the device takes the burst
//	forward       the device fills a burst; timed: receive, send; the device takes the burst
//	get           timed: get the buffers that TX is about to send, and set their length
//	get and free  timed: just this
//	empty poll    timed: receive from a device that has filled nothing
//
// In the rows with offloads, what is received has a good checksum and is asked for that, in
// the time of RX; the time of TX includes asking for the checksum of each packet, and
//
//	TSO           make packets of 16,000 bytes of payload; timed: ask for segments of 1,000,
//	              send; the device takes the packets. The figure is for a segment.
//
// It needs gcc, DPDK's development files, pkg-config and root, for DPDK's hugepages. With
// --other another program like ours takes the place of DPDK, to compare two versions:
//
//	CGO_ENABLED=1 go build -o /tmp/before ./test/perf/step/ours
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"
)

func main() {
	app := &cli.App{
		Name: "step", Usage: "measure the cycles of a packet in the driver, ours and DPDK's",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "rounds", Value: 1, Usage: "how often to measure everything"},
			&cli.IntFlag{Name: "pairs", Value: 5, Usage: "pairs of runs in a round"},
			&cli.IntFlag{Name: "samples", Value: 160, Usage: "samples of a run, of 2048 packets or more"},
			&cli.StringFlag{Name: "bursts", Value: "1,8,32,128", Usage: "packets of a burst"},
			&cli.StringFlag{Name: "frames", Value: "64,1518", Usage: "bytes of a frame"},
			&cli.StringFlag{Name: "rows", Value: ".", Usage: "measure the rows whose names match this `REGEXP`"},
			&cli.StringFlag{Name: "ours", Usage: "a `PROGRAM` that was built before, in the place of ours"},
			&cli.StringFlag{Name: "other", Usage: "another `PROGRAM` like ours in the place of DPDK"},
			&cli.IntFlag{Name: "cpu", Value: 1},
			&cli.StringFlag{Name: "cc", Value: "gcc"},
		},
		Action: func(c *cli.Context) error {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			b, err := benchOf(c)
			if err != nil {
				return err
			}
			return b.run(ctx, c.App.Writer)
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "step:", err)
		os.Exit(1)
	}
}

// bench is what was asked for.
type bench struct {
	rounds, pairs, samples int
	sizes, frames          []int // of bursts, in packets, and of frames, in bytes
	rows                   []row
	ours, other            string
	cpu                    int
	cc                     string

	sampleBursts int // bursts of a sample; 0 is as many as have 2048 packets, at least 16
	programs     [2]string
	dir, huge    string // of files, and of hugepages
	progress     bool
}

func benchOf(c *cli.Context) (*bench, error) {
	b := &bench{
		rounds: c.Int("rounds"), pairs: c.Int("pairs"), samples: c.Int("samples"),
		ours: c.String("ours"), other: c.String("other"), cpu: c.Int("cpu"), cc: c.String("cc"), progress: true,
	}
	if b.rounds < 1 || b.pairs < 1 || b.samples < 1 || b.samples > 10000 {
		return nil, fmt.Errorf("one round, one pair and 1 to 10000 samples are the least")
	}
	wanted, err := regexp.Compile(c.String("rows"))
	if err != nil {
		return nil, fmt.Errorf("--rows: %w", err)
	}
	for _, r := range rows() {
		if wanted.MatchString(r.name) {
			b.rows = append(b.rows, r)
		}
	}
	if len(b.rows) == 0 {
		return nil, fmt.Errorf("--rows %s: no row has such a name", wanted)
	}
	if b.sizes, err = numbers(c.String("bursts"), 1, 1024); err != nil {
		return nil, fmt.Errorf("--bursts: %w", err)
	}
	if b.frames, err = numbers(c.String("frames"), 64, 2048); err != nil {
		return nil, fmt.Errorf("--frames: %w", err)
	}
	return b, nil
}

// numbers returns those of a list that is separated by commas.
func numbers(list string, least, most int) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("%q: want numbers of %d to %d, separated by commas", list, least, most)
		}
		all = append(all, n)
	}
	return all, nil
}
