// Command perf has this project's driver and DPDK's take turns at the same back
// ends, and prints what the back ends counted as a table in Markdown.
//
//	make bench-dpdk                         all of it: about fifty minutes
//	make bench-dpdk PERF='--duration 1s'    about forty
//	make bench-dpdk PERF='--short'          to see that it works
//	make bench-dpdk PERF='--heats 2 --works RX --rounds 0 --paths "packed, in-order"'
//	make bench-pktgen                       pktgen against both testpmd: about ten
//
// There are two heats. In the first the back end is dpdk-testpmd with net_vhost,
// which is mostly what limits the rate. In the second it is vhostdev --raw, which
// costs next to nothing, so that the driver is. In both, dpdk-testpmd with
// virtio-user and this project's testpmd are the driver in turn: A B, B A, ...,
// each run a new process, pinned alike: back end on CPU 0, driver on CPU 1. The
// meter is the back end's own counter, read twice, with the time between.
//
// The machine's load changes, so what counts is the median of the ratios of
// pairs. Its host may also move the two CPUs next to each other or apart, and
// then all rates change by a factor of up to four. The round trip of a cache line
// between them, measured before and after each run, tells these modes: a pair
// that saw more than one is run again.
//
// One row of each size sets each driver's best path against the other's. Which that
// is, rounds of qualifying find out: every path that may be the best runs right before
// or after a reference, and the best median of their ratios wins. The rows of a size
// are raced in turn, a pair each, so that they share the modes of the CPUs. The table
// calls a row "best" if no other row of its size shows a higher rate of either driver,
// and "qualified" otherwise.
//
// One run of ten seconds of ours in heat 2 for each work fails the race if any
// garbage is collected in it.
//
// It needs root, for hugepages, which it adds to the kernel's pool and removes again;
// others that do the same wait meanwhile.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/test/perf/internal/hugepool"
)

func main() {
	app := &cli.App{
		Name: "perf", Usage: "race this project's driver against DPDK's", HideHelpCommand: true,
		Flags: flags(),
		Action: func(c *cli.Context) error {
			o, err := readOptions(c)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			return runRace(ctx, o, c.App.Writer, c.App.ErrWriter)
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		os.Exit(1)
	}
}

// lab is what all runs share.
type lab struct {
	options     options
	dir         string // for sockets, hugepages and what DPDK leaves
	huge        *hugepool.Pages
	progress    io.Writer
	sockets     int // so many were named
	dpdkVersion string
}

// runRace measures everything that was asked for and prints it.
func runRace(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	l := &lab{options: o, progress: stderr}
	if l.dir, err = os.MkdirTemp("", "perf-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(l.dir)) }()
	if l.huge, err = hugepool.Reserve(hugePages, filepath.Join(l.dir, "huge")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.huge.Release()) }()

	all := &outcomes{Date: time.Now(), Machine: machine(), Version: version(o), Options: o}
	write := all.write
	if o.Pktgen {
		all.Contests, err = l.racePktgen(ctx)
		write = all.writeContests
	} else {
		err = l.measureAll(ctx, all)
	}
	all.DPDK = l.dpdkVersion
	// What was measured before something failed is not lost.
	return errors.Join(err, all.garbage(), write(stdout), all.save(o.Out))
}

// measureAll fills in all as it goes.
func (l *lab) measureAll(ctx context.Context, all *outcomes) error {
	if l.options.Extras {
		e, err := l.measureExtras(ctx)
		if err != nil {
			return err
		}
		all.Extras = &e
	}
	for _, heat := range l.options.Heats {
		for _, w := range l.options.Works {
			if err := l.measureWork(ctx, heat, w, all); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureWork adds the rows of some work in a heat.
func (l *lab) measureWork(ctx context.Context, heat int, w work, all *outcomes) error {
	rows := l.options.rows()
	fastest := rows[0].Ours
	for _, size := range l.options.Sizes {
		if l.options.Rounds == 0 {
			break
		}
		q, err := l.qualify(ctx, heat, w, size)
		if err != nil {
			return err
		}
		all.Qualified = append(all.Qualified, q)
		r := row{Qualified: true, Size: size, Ours: q.best(ours), DPDK: q.best(dpdk)}
		l.say("heat %d, %s, %d bytes, best paths: %s / %s", heat, w, size, r.Ours.Name, r.DPDK.Name)
		if rows = append(rows, r); size == 64 {
			fastest = r.Ours
		}
	}
	for _, group := range bySize(rows) {
		raced, err := l.race(ctx, heat, w, group)
		all.Rows = append(all.Rows, raced...)
		if err != nil {
			return err
		}
	}
	if heat != 2 || l.options.Long == 0 {
		return nil
	}
	run, err := l.long(ctx, w, fastest)
	if err != nil {
		return err
	}
	all.Long = append(all.Long, run)
	return nil
}

// say writes a line of progress.
func (l *lab) say(format string, args ...any) {
	fmt.Fprintf(l.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// save writes everything to a file, if one was named.
func (o *outcomes) save(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// machine says in a few words what this was measured on.
func machine() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "an unknown machine"
	}
	models := modelName.FindAllStringSubmatch(string(text), -1)
	if models == nil {
		return "an unknown machine"
	}
	return fmt.Sprintf("%s, %d CPUs", models[0][1], len(models))
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

// version is that of the commands that are raced.
func version(o options) string {
	out, err := exec.Command(filepath.Join(o.Bin, "testpmd"), "--version").Output()
	if err != nil {
		return "of unknown version"
	}
	return strings.TrimPrefix(strings.TrimSpace(string(out)), "testpmd version ")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
