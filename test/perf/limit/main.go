// Command limit compares the driver's loop with what two cores can exchange at
// all.
//
//	make bench-limit
//
// The limit is a small C program, exchange/exchange.c, in which two threads pass
// packed descriptors to and fro, with 64 bytes written by one and read by the
// other. For the driver the same C code is the device, on the same CPU, in a
// process that shares the driver's memory; the driver is a port of this project
// with everything that belongs to it: buffers from a pool, refill, checks of
// what the device wrote, counters. It reads, or writes, the same 64 bytes.
//
// Both take turns, and the median of the ratios is what counts. It needs gcc,
// and root for hugepages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/test/perf/internal/hugepool"
)

// hugePages of 2 MiB are for the C program or the driver, whose pool is larger.
const hugePages = 32

// least is the ratio that the project asks of itself.
const least = 0.40

func main() {
	app := &cli.App{
		Name: "limit", Usage: "compare the driver's loop with what two cores can exchange",
		HideHelpCommand: true,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "pairs", Value: 5, Usage: "pairs of runs"},
			&cli.DurationFlag{Name: "duration", Value: 2 * time.Second, Usage: "of a run"},
			&cli.IntFlag{Name: "ring", Value: 256, Usage: "descriptors, of both"},
			&cli.IntFlag{Name: "burst", Value: 32, Usage: "packets a burst of the driver"},
			&cli.IntFlag{Name: "driver-cpu", Value: 1},
			&cli.IntFlag{Name: "device-cpu", Value: 0},
			&cli.StringFlag{Name: "cc", Value: "gcc"},
		},
		Action: func(c *cli.Context) error {
			b := &bench{pairs: c.Int("pairs"), duration: c.Duration("duration"),
				ring: c.Int("ring"), burst: c.Int("burst"),
				driverCPU: c.Int("driver-cpu"), deviceCPU: c.Int("device-cpu"), cc: c.String("cc")}
			if b.pairs < 1 || b.duration < 10*time.Millisecond || b.ring < 1 ||
				b.ring > 32768 || b.burst < 1 {
				return fmt.Errorf("one pair, 10ms, a ring of 1 to 32768 and a burst of 1 are the least")
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return b.run(ctx, c.App.Writer)
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}

// bench is what was asked for.
type bench struct {
	pairs                int
	duration             time.Duration
	ring, burst          int
	driverCPU, deviceCPU int
	cc                   string
	program              string // exchange, compiled
}

// directions are those of packets, seen from the driver.
func directions() []string { return []string{"rx", "tx"} }

func (b *bench) run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "limit-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if b.program, err = compile(ctx, b.cc, dir); err != nil {
		return err
	}
	pages, err := hugepool.Reserve(hugePages, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pages.Release()) }()
	fmt.Fprintf(out,
		"Measured on %s, ring of %d, burst %d, %d pairs of runs of %v: indicative, as the cores are shared.\n\n",
		time.Now().Format("2006-01-02"), b.ring, b.burst, b.pairs, b.duration)
	fmt.Fprintf(out,
		"| direction | C exchange, Mpps | driver's loop, Mpps | ratio | bar |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, direction := range directions() {
		if err := b.compare(ctx, direction, out); err != nil {
			return err
		}
	}
	return nil
}

// compare measures both in turn and prints a line.
func (b *bench) compare(ctx context.Context, direction string, out io.Writer) error {
	var limits, drivers, ratios []float64
	for range b.pairs {
		most, err := b.limit(ctx, direction)
		if err != nil {
			return err
		}
		mine, err := b.driver(ctx, direction)
		if err != nil {
			return err
		}
		limits, drivers, ratios = append(limits, most/1e6), append(drivers,
			mine/1e6), append(ratios, mine/most)
	}
	verdict := "met"
	if median(ratios) < least {
		verdict = "**missed**"
	}
	_, err := fmt.Fprintf(out,
		"| %s | %.0f (%.0f-%.0f) | %.0f (%.0f-%.0f) | %.2f (%.2f-%.2f) | %.2f %s |\n", direction,
		median(limits), slices.Min(limits), slices.Max(limits), median(drivers),
		slices.Min(drivers), slices.Max(drivers),
		median(ratios), slices.Min(ratios), slices.Max(ratios), least, verdict)
	return err
}

// median of at least one value.
func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	half := len(s) / 2
	if len(s)%2 == 0 {
		return (s[half-1] + s[half]) / 2
	}
	return s[half]
}
