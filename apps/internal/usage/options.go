// Package usage is what the command lines of all commands have in common: options in any
// place, what is said of one that there is not, and the page that --help prints.
package usage

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// Split divides the arguments of a command into options, with their values, and the others,
// which people mix: "l2fwd emu:gen emu:null --json". Behind "--" there are no options. It
// returns an error for an option that is not among flags, and for one without its value.
func Split(args []string, flags []cli.Flag) (options, rest []string, err error) {
	valued := map[string]bool{"help": false, "h": false, "version": false, "v": false}
	for _, f := range flags {
		d, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			valued[name] = ok && d.TakesValue()
		}
	}
	for i := 0; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			return options, append(rest, args[i+1:]...), nil
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			rest = append(rest, a)
			continue
		}
		options = append(options, a)
		name, _, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-"), "=")
		takes, known := valued[name]
		switch {
		case !known:
			return nil, nil, unknown(name, flags)
		case !takes || given:
			continue
		case i+1 == len(args):
			return nil, nil, fmt.Errorf("%s needs a value", a)
		}
		i++
		options = append(options, args[i])
	}
	return options, rest, nil
}

// unknown is an option that there is not, with the one that was probably meant.
func unknown(name string, flags []cli.Flag) error {
	const typos = 3 // more, and another is meant
	meant, least := "", typos
	for _, f := range flags {
		if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
			continue
		}
		for _, n := range f.Names() {
			if d := smetrics.WagnerFischer(strings.ToLower(name), n, 1, 1, 1); d < least && 2*d < len(n) {
				meant, least = n, d
			}
		}
	}
	if meant != "" {
		return fmt.Errorf("unknown option %s; did you mean %s?", dashed(name), dashed(meant))
	}
	return fmt.Errorf("unknown option %s", dashed(name))
}

// dashed returns a name as an option is written.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// parserError is what the flag parser says of a value.
var parserError = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-([^:]+): (?s:(.*))$`)

// Explain returns what is wrong with a value that the flag parser has refused.
func Explain(err error) string {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return "this command has no option " + dashed(name)
	}
	m := parserError.FindStringSubmatch(err.Error())
	if m == nil {
		return err.Error()
	}
	reason := m[3]
	switch {
	case strings.HasPrefix(err.Error(), "invalid boolean"):
		reason = "neither true nor false"
	case slices.Contains([]string{"parse error", "value out of range"}, reason):
		reason = "not a number that it can have"
	}
	return fmt.Sprintf("%s %s: %s", dashed(m[2]), m[1], reason)
}
