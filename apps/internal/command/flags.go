package command

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
)

func flags() []cli.Flag {
	return append(OutputFlags("how long packets flow, 0 until Ctrl-C"),
		&cli.StringFlag{Name: "cpus", DefaultText: "one poller, on any",
			Usage: "`LIST` of CPUs that poll, one core each: 1 or 0,1; ports are dealt out among them"},
		&cli.IntFlag{Name: "burst", Value: 32, Usage: "`N` packets a burst"},
		&cli.IntFlag{Name: "pool-size", DefaultText: "as many as the ports need, at least 8192",
			Usage: "`N` packet buffers; too few for the receive rings and 48 for each transmit queue are refused"},
		&cli.BoolFlag{Name: "no-huge", Usage: "ordinary pages instead of hugepages"},
	)
}

// InfoFlags are the options of a command whose outcome is that of package report: --info and
// --xstats.
func InfoFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "info", Usage: "print what each port is before packets flow: features and why some " +
			"are not used, path, queues; with --json in the object (SIGUSR1 prints it at any time)"},
		XStatsFlag(),
	}
}

// XStatsFlag is the option --xstats.
func XStatsFlag() cli.Flag {
	return &cli.BoolFlag{Name: "xstats",
		Usage: "print the extended statistics of each port at the end; with --json in the object"}
}

// OutputFlags are the options of a command that runs for a while and reports on
// it: --duration with the given usage, --stats-period, --json, --quiet and --log-level.
func OutputFlags(duration string) []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "duration", Value: new(span), DefaultText: "until Ctrl-C",
			Usage: "`TIME`, in seconds or like 90s, 5m: " + duration},
		&cli.GenericFlag{Name: "stats-period", Value: &span{time.Second},
			Usage: "`TIME` between two screens, 0 for none; given with --json, between two objects"},
		&cli.BoolFlag{Name: "json",
			Usage: "print one JSON object at the end, on one line; all else goes to standard error"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"},
			Usage: "print the outcome, warnings and errors, and nothing else"},
		&cli.StringFlag{Name: "log-level", Value: "warn", Usage: "`LEVEL`: debug, info, warn or error"},
	}
}

// read checks the values of the common options.
func read(c *cli.Context) (Options, error) {
	o := Options{Burst: c.Int("burst"), PoolSize: c.Int("pool-size"), NoHuge: c.Bool("no-huge"),
		Info: c.Bool("info"), XStats: c.Bool("xstats")}
	for _, err := range []error{
		o.ReadOutput(c),
		between("burst", o.Burst, 1, MaxBurst, "32 is what most use"),
		between("pool-size", o.PoolSize, 0, 1<<24, "leave it out for as many as the ports need"),
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
// [*UsageError], but for a standard output that is closed.
func (o *Options) ReadOutput(c *cli.Context) error {
	o.Duration, o.StatsPeriod = c.Generic("duration").(*span).d, c.Generic("stats-period").(*span).d
	o.JSON, o.Quiet = c.Bool("json"), c.Bool("quiet")
	o.JSONLines = o.JSON && c.IsSet("stats-period") && o.StatsPeriod > 0
	if err := notNegative("duration", o.Duration, "write it like 10, 5m or 0"); err != nil {
		return err
	}
	if err := notNegative("stats-period", o.StatsPeriod, "write it like 1, 500ms or 0"); err != nil {
		return err
	}
	if o.JSON && output.Closed(c.App.Writer) {
		return errors.New("--json: standard output is closed, and the object has nowhere to go: " +
			"give the command a file or a pipe")
	}
	var err error
	o.Logger, err = newLogger(c.String("log-level"), c.App.ErrWriter)
	return err
}

// TimeFlag is an option that is a time, as --duration is.
func TimeFlag(name string, value time.Duration, usage string) cli.Flag {
	return &cli.GenericFlag{Name: name, Value: &span{value}, Usage: "`TIME` " + usage}
}

// ReadTime returns the value of a [TimeFlag]. A negative one is a [*UsageError].
func ReadTime(c *cli.Context, name string) (time.Duration, error) {
	d := c.Generic(name).(*span).d
	return d, notNegative(name, d, "write it like 1, 500us or 0")
}

// span is the value of an option that is a time: "10" is in seconds, as in DPDK's
// commands, and "1m30s" or "500ms" is as Go writes it.
type span struct{ d time.Duration }

var plainSeconds = regexp.MustCompile(`^-?[0-9]*\.?[0-9]+$`)

// Set implements flag.Value.
func (s *span) Set(text string) (err error) {
	s.d, err = ParseTime(text)
	return err
}

// ParseTime reads the value of an option that is a time, as --duration does.
func ParseTime(text string) (time.Duration, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if plainSeconds.MatchString(lower) {
		lower += "s"
	}
	d, err := time.ParseDuration(lower)
	if err != nil {
		return 0, errors.New("not a time; write it like 10, 90s, 5m or 500ms")
	}
	return d, nil
}

// Get implements flag.Getter.
func (s *span) Get() any { return s.d }

func (s *span) String() string {
	if s == nil {
		return "0s"
	}
	return s.d.String()
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
