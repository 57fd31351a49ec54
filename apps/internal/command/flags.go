package command

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

func flags() []cli.Flag {
	return append(OutputFlags("how long packets flow, 0 until Ctrl-C"),
		&cli.StringFlag{Name: "cpus", DefaultText: "one poller, on any",
			Usage: "`LIST` of CPUs that poll, one core each: 1 or 0,1; ports are dealt out among them"},
		&cli.IntFlag{Name: "burst", Value: 32, Usage: "packets a burst"},
		&cli.IntFlag{Name: "pool-size", Usage: "packet buffers",
			DefaultText: "as many as the ports need, at least 8192"},
		&cli.BoolFlag{Name: "no-huge", Usage: "ordinary pages instead of hugepages"},
	)
}

// OutputFlags are the options of a command that runs for a while and reports on
// it: --duration with the given usage, --stats-period, --json and --log-level.
func OutputFlags(duration string) []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "duration", Usage: duration, DefaultText: "until Ctrl-C"},
		&cli.DurationFlag{Name: "stats-period", Value: time.Second,
			Usage: "time between two screens, 0 for none"},
		&cli.BoolFlag{Name: "json",
			Usage: "print one JSON object at the end; screens and messages go to standard error"},
		&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "debug, info, warn or error"},
	}
}

// read checks the values of the common options.
func read(c *cli.Context) (Options, error) {
	o := Options{Burst: c.Int("burst"), PoolSize: c.Int("pool-size"), NoHuge: c.Bool("no-huge")}
	for _, err := range []error{
		o.ReadOutput(c),
		between("burst", o.Burst, 1, MaxBurst, "32 is what most use"),
		between("pool-size", o.PoolSize, 0, 1<<24, "leave it out for as many as the ports need"),
		afterPorts(c.Args().Slice()),
	} {
		if err != nil {
			return Options{}, err
		}
	}
	var err error
	o.CPUs, err = ParseCPUs(c.String("cpus"))
	return o, err
}

// ReadOutput reads and checks what [OutputFlags] offers. A failure is a
// [*UsageError].
func (o *Options) ReadOutput(c *cli.Context) error {
	o.Duration, o.StatsPeriod, o.JSON = c.Duration("duration"), c.Duration("stats-period"), c.Bool("json")
	if err := notNegative("duration", o.Duration, "write it like 10s, 5m or 0"); err != nil {
		return err
	}
	if err := notNegative("stats-period", o.StatsPeriod, "write it like 1s, 500ms or 0"); err != nil {
		return err
	}
	var err error
	o.Logger, err = newLogger(c.String("log-level"), c.App.ErrWriter)
	return err
}

// newLogger returns a logger of messages of a level and above.
func newLogger(text string, w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return nil, &UsageError{Option: "log-level", Value: text, Reason: "no such level",
			Remedy: "use debug, info, warn or error"}
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})), nil
}

func notNegative(option string, d time.Duration, remedy string) error {
	if d < 0 {
		return &UsageError{Option: option, Value: d.String(), Reason: "negative", Remedy: remedy}
	}
	return nil
}

func between(option string, v, least, most int, remedy string) error {
	switch {
	case v < least && least == 0:
		return &UsageError{Option: option, Value: strconv.Itoa(v), Reason: "negative", Remedy: remedy}
	case v < least || v > most:
		return &UsageError{Option: option, Value: strconv.Itoa(v), Remedy: remedy,
			Reason: fmt.Sprintf("not between %d and %d", least, most)}
	}
	return nil
}

// afterPorts refuses options behind the first port, where they are not read.
func afterPorts(ports []string) error {
	for _, p := range ports {
		if strings.HasPrefix(p, "-") {
			return &UsageError{Reason: fmt.Sprintf("%q stands behind a port; options come first", p)}
		}
	}
	return nil
}
