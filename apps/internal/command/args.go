package command

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// optionsFirst moves options before the other arguments, where the flag parser expects
// them: people type "l2fwd emu:gen emu:null --json". Behind "--" there are no options.
func optionsFirst(app *cli.App, args []string) []string {
	valued := map[string]bool{}
	for _, f := range app.Flags {
		d, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			valued[name] = ok && d.TakesValue()
		}
	}
	var options, rest []string
	for i := 1; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(a, "-") || a == "-" {
			rest = append(rest, a)
			continue
		}
		options = append(options, a)
		name := strings.TrimPrefix(strings.TrimPrefix(a, "-"), "-")
		if !valued[name] { // or it is "--name=value"
			continue
		}
		if i++; i == len(args) {
			return append(args[:1:1], options...) // the parser says that the value is missing
		}
		options = append(options, args[i])
	}
	return slices.Concat(args[:1], options, []string{"--"}, rest)
}

// Word returns the word of words that text is, whatever its case, and reports whether
// there is one.
func Word(text string, words ...string) (string, bool) {
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, text) })
	if i < 0 {
		return "", false
	}
	return words[i], true
}
