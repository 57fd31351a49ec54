package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

// options say how the race is run.
type options struct {
	Heats    []int         `json:"heats"`
	Works    []work        `json:"works"`
	Paths    []string      `json:"paths"` // names; empty for all
	Sizes    []int         `json:"sizes"` // of the rows of best paths
	Pairs    int           `json:"pairs"`
	Retries  int           `json:"retries"` // of a pair in which the CPUs changed their mode
	Rounds   int           `json:"rounds"`  // of qualifying; 0: the best is not looked for
	Qualify  time.Duration `json:"qualify"` // how long a run of that is measured
	Duration time.Duration `json:"duration"`
	WarmUp   time.Duration `json:"warm_up"`
	Long     time.Duration `json:"long"` // of a run of ours without garbage, 0 for none
	Burst    int           `json:"burst"`
	Ring     int           `json:"ring"`
	Records  bool          `json:"records"`
	Extras   bool          `json:"extras"`
	Pktgen   bool          `json:"pktgen,omitempty"` // race that, and nothing else

	DriverCPU  int    `json:"driver_cpu"`
	BackEndCPU int    `json:"back_end_cpu"`
	DPDK       string `json:"dpdk_testpmd"`
	Bin        string `json:"bin"`
	Out        string `json:"-"` // file for everything that was measured
}

// What the programs are given. DPDK's are those of its own examples, and enough.
const (
	dpdkMiB     = 512 // of hugepages, for each dpdk-testpmd
	dpdkBuffers = 32768
	// A run without hugepages is for the memory it takes: DPDK gets as many
	// buffers as our testpmd takes by itself, and as few MiB as hold them.
	noHugeMiB     = 64
	noHugeBuffers = 8192
	// flowgenChecksum is what flowgen takes off a frame's length.
	flowgenChecksum = 4
	// screenPeriod is how often vhostdev shows its counters.
	screenPeriod = 100 * time.Millisecond
	// hugePages of 2 MiB are for two dpdk-testpmd, or one and our driver.
	hugePages = 2*dpdkMiB/2 + 32
)

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "heats", Value: "1,2",
			Usage: "back ends: 1 is net_vhost, 2 vhostdev --raw"},
		&cli.StringFlag{Name: "works", Value: "RX,TX,forward", Usage: "what the driver does"},
		&cli.StringFlag{Name: "paths", Usage: "rows at 64 bytes, by name, separated by a semicolon",
			DefaultText: "all"},
		&cli.StringFlag{Name: "sizes", Value: "64,512,1518",
			Usage: "bytes of a frame in the rows of best paths"},
		&cli.IntFlag{Name: "pairs", Value: 5, Usage: "pairs of runs a row"},
		&cli.IntFlag{Name: "retries", Value: 2,
			Usage: "at most so often a pair is run again, if the mode of the CPUs changed meanwhile"},
		&cli.IntFlag{Name: "rounds", Value: 3,
			Usage: "rounds of qualifying for the best paths, 0 to leave them out"},
		&cli.DurationFlag{Name: "qualify", Value: 300 * time.Millisecond,
			Usage: "how long a run of qualifying is measured"},
		&cli.DurationFlag{Name: "duration", Value: 2 * time.Second,
			Usage: "how long a run is measured"},
		&cli.DurationFlag{Name: "warm-up", Value: 500 * time.Millisecond,
			Usage: "how long it runs before that"},
		&cli.DurationFlag{Name: "long", Value: 10 * time.Second,
			Usage: "how long a run of each work in heat 2 may collect no garbage, 0 for no such run"},
		&cli.IntFlag{Name: "burst", Value: 32, Usage: "packets a burst, of both"},
		&cli.IntFlag{Name: "ring", Value: 1024, Usage: "descriptors a ring, of both"},
		&cli.BoolFlag{Name: "records", Value: true,
			Usage: "one more run a row for empty polls and cycles a packet"},
		&cli.BoolFlag{Name: "extras", Value: true,
			Usage: "start to first packet, and resident memory"},
		&cli.BoolFlag{Name: "pktgen",
			Usage: "race pktgen against both testpmd as transmitters, and nothing else"},
		&cli.BoolFlag{Name: "short",
			Usage: "two pairs of short runs, 64 bytes: to see that all works"},
		&cli.IntFlag{Name: "driver-cpu", Value: 1},
		&cli.IntFlag{Name: "backend-cpu", Value: 0},
		&cli.StringFlag{Name: "dpdk-testpmd", Value: "dpdk-testpmd"},
		&cli.StringFlag{Name: "bin", Value: "bin", Usage: "where testpmd and vhostdev are"},
		&cli.StringFlag{Name: "out", Usage: "write all that was measured to this `FILE`, as JSON"},
	}
}

// readOptions checks the command line.
func readOptions(c *cli.Context) (options, error) {
	o := options{Pairs: c.Int("pairs"), Retries: c.Int("retries"), Rounds: c.Int("rounds"),
		Qualify: c.Duration("qualify"), Duration: c.Duration("duration"),
		WarmUp: c.Duration("warm-up"), Long: c.Duration("long"),
		Burst: c.Int("burst"), Ring: c.Int("ring"), Records: c.Bool("records"),
		Extras: c.Bool("extras"), Pktgen: c.Bool("pktgen"),
		DriverCPU: c.Int("driver-cpu"), BackEndCPU: c.Int("backend-cpu"),
		DPDK: c.String("dpdk-testpmd"), Out: c.String("out")}
	var err error
	if o.Bin, err = filepath.Abs(c.String("bin")); err != nil {
		return o, err
	}
	if o.Heats, err = numbers("heats", c.String("heats"), 1, 2); err != nil {
		return o, err
	}
	if o.Sizes, err = numbers("sizes", c.String("sizes"), 64, 1518); err != nil {
		return o, err
	}
	if err := o.readNames(c.String("works"), c.String("paths")); err != nil {
		return o, err
	}
	if c.Bool("short") {
		o.Pairs, o.Rounds, o.Sizes = 2, min(o.Rounds, 1), []int{64}
		o.Duration, o.WarmUp, o.Long = 500*time.Millisecond, 100*time.Millisecond, min(o.Long,
			time.Second)
	}
	return o, o.check()
}

func (o *options) readNames(workNames, pathNames string) error {
	for name := range strings.SplitSeq(workNames, ",") {
		if !slices.Contains(works(), work(name)) {
			return fmt.Errorf("--works: %q is none of %v", name, works())
		}
		o.Works = append(o.Works, work(name))
	}
	for name := range strings.SplitSeq(pathNames, ";") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !slices.ContainsFunc(paths(), func(p path) bool { return p.Name == name }) {
			return fmt.Errorf("--paths: there is no row %q", name)
		}
		o.Paths = append(o.Paths, name)
	}
	return nil
}

func (o *options) check() error {
	switch {
	case o.Pairs < 1 || o.Rounds < 0:
		return fmt.Errorf("--pairs %d, --rounds %d: at least one pair and no negative rounds",
			o.Pairs, o.Rounds)
	case min(o.Duration, o.Qualify) < 3*screenPeriod:
		return fmt.Errorf("--duration %v, --qualify %v: at least %v, as the meter of heat 2 moves every %v", o.Duration, o.Qualify, 3*screenPeriod, screenPeriod)
	case o.Retries < 0:
		return fmt.Errorf("--retries %d is negative", o.Retries)
	case o.WarmUp < 0 || o.Long < 0:
		return fmt.Errorf("--warm-up %v, --long %v: neither may be negative", o.WarmUp, o.Long)
	case o.DriverCPU == o.BackEndCPU:
		return fmt.Errorf("driver and back end are both on CPU %d; take two", o.DriverCPU)
	}
	return nil
}

// times are for how long a driver runs before it is measured, and then. A short
// run is not warmed up for longer than half of it.
func (o *options) times(j job) (warmUp, duration time.Duration) {
	if j.duration == 0 {
		return o.WarmUp, o.Duration
	}
	return min(o.WarmUp, j.duration/2), j.duration
}

// rows are the lines at 64 bytes that were asked for.
func (o *options) rows() []row {
	var rows []row
	for _, p := range paths() {
		if len(o.Paths) == 0 || slices.Contains(o.Paths, p.Name) {
			rows = append(rows, row{Size: 64, Ours: p, DPDK: p})
		}
	}
	return rows
}

// numbers reads "1,2".
func numbers(option, text string, least, most int) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("--%s: %q is no number from %d to %d", option, part, least, most)
		}
		list = append(list, n)
	}
	return list, nil
}
