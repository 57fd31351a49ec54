package usage

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "duration", Usage: "`TIME`: how long packets flow, which is until Ctrl-C if nothing else is said", DefaultText: "none"},
		&cli.IntFlag{Name: "burst", Aliases: []string{"b"}, Value: 32, Usage: "`N` packets"},
		&cli.BoolFlag{Name: "json", Usage: "print {{one}} object"},
		&cli.BoolFlag{Name: "self-test", Value: true, Usage: "measure itself"},
		&cli.StringFlag{Name: "a-name-that-has-no-place", Usage: "`FILE` of some kind"},
		&cli.BoolFlag{Name: "secret", Hidden: true},
	}
}

// TestSplit: options are found in any place, and what is wrong with one is said.
func TestSplit(t *testing.T) {
	for line, want := range map[string]string{
		"":                         "|",
		"a b":                      "|a b",
		"a --json b":               "--json|a b",
		"a -b 3 b --json -- --c":   "-b 3 --json|a b --c",
		"--burst=3 a -":            "--burst=3|a -",
		"-burst --json a":          "-burst --json|a",
		"a --help --version -v -h": "--help --version -v -h|a",
		"a --burst":                "--burst needs a value",
		"--jsn a":                  "unknown option --jsn; did you mean --json?",
		"--JSON a":                 "unknown option --JSON; did you mean --json?",
		"--durtion=3 a":            "unknown option --durtion; did you mean --duration?",
		"--secrt a":                "unknown option --secrt",
		"--nothing-like-it":        "unknown option --nothing-like-it",
		"a -x":                     "unknown option -x",
	} {
		options, rest, err := Split(strings.Fields(line), flags())
		got := strings.Join(options, " ") + "|" + strings.Join(rest, " ")
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// TestExplain: what the flag parser says of values is put in the words of the commands.
func TestExplain(t *testing.T) {
	for line, want := range map[string]string{
		"--burst=x":  "--burst x: not a number that it can have",
		"-b x":       "-b x: not a number that it can have",
		"--json=may": "--json may: neither true nor false",
		"--nothing":  "this command has no option --nothing",
	} {
		app := &cli.App{Name: "app", Flags: flags(), Writer: io.Discard,
			OnUsageError: func(_ *cli.Context, err error, _ bool) error { return errors.New(Explain(err)) }}
		if err := app.Run(append([]string{"app"}, strings.Fields(line)...)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// TestPage: the page has every option that is not hidden, and its lines fit the width.
func TestPage(t *testing.T) {
	for _, width := range []int{leastWidth, PageWidth, mostWidth} {
		var out bytes.Buffer
		app := &cli.App{Name: "app", Usage: "does what it is there for", Version: "v1", Description: "Lines\nstay.",
			Flags: flags(), Writer: &out, HideHelpCommand: true,
			Commands: []*cli.Command{{Name: "go", Usage: "goes", ArgsUsage: "PLACE...", Flags: flags(), HideHelpCommand: true}}}
		Page(app, []string{"ports"}, width)
		for _, args := range [][]string{{"app", "--help"}, {"app", "go", "--help"}} {
			out.Reset()
			if err := app.Run(args); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(out.String()) {
				if len(strings.TrimRight(line, "\n")) > width {
					t.Errorf("longer than %d: %s", width, line)
				}
			}
			text := strings.Join(strings.Fields(out.String()), " ")
			for _, want := range []string{
				"--duration TIME how long packets flow, which is until Ctrl-C if nothing else is said (default: none)",
				"--burst, -b N N packets (default: 32)", "--json print {{one}} object --self-test measure itself (default: true)",
				"--a-name-that-has-no-place FILE FILE of some kind", "--help, -h print this page",
			} {
				if !strings.Contains(text, want) {
					t.Errorf("%v lacks %q:\n%s", args, want, out.String())
				}
			}
			if strings.Contains(text, "secret") || (len(args) == 3) != strings.Contains(text, "app go [options] PLACE...") {
				t.Errorf("%v:\n%s", args, out.String())
			}
		}
	}
	if got := Width(new(bytes.Buffer)); got != PageWidth {
		t.Errorf("the width of a file is %d", got)
	}
}
