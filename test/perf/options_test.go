package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

func parseOptions(args ...string) (o options, err error) {
	app := &cli.App{Flags: flags(), Action: func(c *cli.Context) error {
		o, err = readOptions(c)
		return nil
	}}
	if e := app.Run(append([]string{"perf"}, args...)); e != nil {
		return o, e
	}
	return o, err
}

func TestOptions(t *testing.T) {
	o, err := parseOptions()
	if err != nil {
		t.Fatal(err)
	}
	if o.Pairs < 5 || o.Rounds < 3 || o.Long < 10*time.Second ||
		!slices.Equal(o.Heats, []int{1, 2}) || !slices.Equal(o.Works, works()) || o.Burst != 32 {
		t.Errorf("not what the issue asks for: %+v", o)
	}
	o, err = parseOptions("--short", "--heats", "2", "--works", "TX", "--paths",
		"split; packed, in-order", "--rounds", "0")
	if err != nil {
		t.Fatal(err)
	}
	rows := o.rows()
	if len(rows) != 2 || rows[0].Ours.Name != "split" || rows[1].DPDK.Name != "packed, in-order" ||
		rows[1].Size != 64 {
		t.Errorf("rows %+v", rows)
	}
	if o.Duration > time.Second || o.Rounds != 0 || !slices.Equal(o.Heats, []int{2}) {
		t.Errorf("%+v", o)
	}
}

func TestBadOptions(t *testing.T) {
	for _, args := range [][]string{
		{"--heats", "3"}, {"--heats", "one"}, {"--works", "rx"}, {"--paths", "triangular"},
		{"--sizes", "63"}, {"--sizes", ""},
		{"--pairs", "0"}, {"--retries", "-1"}, {"--rounds", "-1"}, {"--duration", "100ms"},
		{"--qualify", "200ms"}, {"--warm-up", "-1s"}, {"--long", "-2s"}, {"--driver-cpu", "0"},
	} {
		if _, err := parseOptions(args...); err == nil ||
			!strings.Contains(err.Error(), strings.TrimLeft(args[1], "-")) {
			t.Errorf("%v: %v, want an error that names the value", args, err)
		}
	}
}

// TestTimes checks that what is measured for longer or shorter than usual is warmed up
// accordingly.
func TestTimes(t *testing.T) {
	o := options{Duration: 2 * time.Second, WarmUp: 500 * time.Millisecond}
	for _, c := range []struct{ asked, warmUp, duration time.Duration }{
		{0, 500 * time.Millisecond, 2 * time.Second},
		{300 * time.Millisecond, 150 * time.Millisecond, 300 * time.Millisecond},
		{10 * time.Second, 500 * time.Millisecond, 10 * time.Second},
	} {
		if warmUp, duration := o.times(job{duration: c.asked}); warmUp != c.warmUp ||
			duration != c.duration {
			t.Errorf("%v: %v after %v, want %v after %v", c.asked, duration, warmUp,
				c.duration, c.warmUp)
		}
	}
}

// TestRows checks the rows of a race without options: both rings,
// mergeable on and off, and packed in-order at 64 bytes, the best of each side at
// three sizes; the same path for both drivers, in_order and vectors among DPDK's
// candidates.
func TestRows(t *testing.T) {
	o, err := parseOptions()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"split, mergeable", "split", "packed, mergeable", "packed", "packed, in-order"}
	rows := o.rows()
	for i, r := range rows {
		if i >= len(want) || r.Ours.Name != want[i] || r.Ours != r.DPDK ||
			r.Size != 64 || r.Qualified {
			t.Errorf("row %d: %+v, want %v", i, r, want)
		}
		packed := strings.HasPrefix(want[i], "packed")
		mergeable := strings.Contains(want[i], "mergeable")
		for _, s := range []side{ours, dpdk} {
			keys := s.options(r.path(s))
			if (strings.Contains(keys, "packed=1") ||
				strings.Contains(keys, "packed_vq=1")) != packed ||
				strings.Contains(keys, "mrg_rxbuf=0") == mergeable {
				t.Errorf("%v, %s: %q", s, want[i], keys)
			}
		}
	}
	if len(rows) != len(want) || !slices.Equal(o.Sizes, []int{64, 512, 1518}) || o.Rounds == 0 {
		t.Errorf("%d rows of paths, best paths at %v bytes after %d rounds", len(rows),
			o.Sizes, o.Rounds)
	}
	for _, key := range []string{"in_order=1", "in_order=0", "vectorized=1"} {
		if !slices.ContainsFunc(dpdk.challengers(), func(p path) bool {
			return strings.Contains(p.DPDK, key)
		}) {
			t.Errorf("DPDK's best is looked for without %s", key)
		}
	}
}
