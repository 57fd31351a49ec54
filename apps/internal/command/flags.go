package command

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/cpulist"
)

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "duration", Usage: "how long packets flow, 0 until Ctrl-C", DefaultText: "until Ctrl-C"},
		&cli.DurationFlag{Name: "stats-period", Value: time.Second, Usage: "time between two screens, 0 for none"},
		&cli.BoolFlag{Name: "json", Usage: "print one JSON object at the end; screens and messages go to standard error"},
		&cli.StringFlag{Name: "cpus", Usage: "CPUs that poll, one core each: `1` or 0,1; ports are dealt out among them", DefaultText: "one poller, on any"},
		&cli.IntFlag{Name: "burst", Value: 32, Usage: "packets a burst"},
		&cli.IntFlag{Name: "pool-size", Usage: "packet buffers", DefaultText: "as many as the ports need, at least 8192"},
		&cli.BoolFlag{Name: "no-huge", Usage: "ordinary pages instead of hugepages"},
		&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "debug, info, warn or error"},
	}
}

// read checks the values of the common options.
func read(c *cli.Context) (Options, error) {
	o := Options{
		Duration:    c.Duration("duration"),
		StatsPeriod: c.Duration("stats-period"),
		JSON:        c.Bool("json"),
		Burst:       c.Int("burst"),
		PoolSize:    c.Int("pool-size"),
		NoHuge:      c.Bool("no-huge"),
	}
	for _, err := range []error{
		between("duration", o.Duration.String(), int(o.Duration), 0, 1<<62, "write it like 10s, 5m or 0"),
		between("stats-period", o.StatsPeriod.String(), int(o.StatsPeriod), 0, 1<<62, "write it like 1s, 500ms or 0"),
		between("burst", strconv.Itoa(o.Burst), o.Burst, 1, MaxBurst, "32 is what most use"),
		between("pool-size", strconv.Itoa(o.PoolSize), o.PoolSize, 0, 1<<24, "leave it out for as many as the ports need"),
		afterPorts(c.Args().Slice()),
	} {
		if err != nil {
			return Options{}, err
		}
	}
	var err error
	if o.CPUs, err = cpulist.Parse(c.String("cpus")); err != nil {
		return Options{}, err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.String("log-level"))); err != nil {
		return Options{}, &UsageError{Option: "log-level", Value: c.String("log-level"), Reason: "no such level", Remedy: "use debug, info, warn or error"}
	}
	o.Logger = slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: level}))
	return o, nil
}

func between(option, text string, v, least, most int, remedy string) error {
	switch {
	case v < least && least == 0:
		return &UsageError{Option: option, Value: text, Reason: "negative", Remedy: remedy}
	case v < least || v > most:
		return &UsageError{Option: option, Value: text, Reason: fmt.Sprintf("not between %d and %d", least, most), Remedy: remedy}
	}
	return nil
}

// afterPorts finds options behind the first port, where they are not read.
func afterPorts(ports []string) error {
	for _, p := range ports {
		if strings.HasPrefix(p, "-") {
			return &UsageError{Reason: fmt.Sprintf("%q stands behind a port; options come first", p)}
		}
	}
	return nil
}
