package dpdk

import (
	"fmt"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

// Option is one option of a program of DPDK.
type Option struct {
	Names string // without dashes, apart by spaces: "allow a"
	Arg   string // names its value, "" if it has none; "[X]" may be left out
	Usage string
	// Ignored says why the option is accepted and has no effect, Refused why it is not
	// accepted and what to use instead. Without either of them Set is called.
	Ignored, Refused string
	Set              func(l *Line, value string) error
}

// names returns the names of the option.
func (o *Option) names() []string { return strings.Fields(o.Names) }

// Name returns the option as it is typed: "--allow", "-l".
func (o *Option) Name() string { return typed(o.names()[0]) }

// typed puts the dashes before the name of an option.
func typed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// find returns the option that a word names, nil if there is none. As getopt does, it takes the
// beginning of a long name that only one option has.
func find(table []Option, word string) *Option {
	name := strings.TrimLeft(word, "-")
	var begins []*Option
	for i := range table {
		o := &table[i]
		for _, n := range o.names() {
			if n == name {
				return o
			}
			if len(n) > 1 && len(name) > 1 && strings.HasPrefix(n, name) {
				begins = append(begins, o)
			}
		}
	}
	if len(begins) == 1 {
		return begins[0]
	}
	return nil
}

// setting is an option of a command line and its value.
type setting struct {
	option *Option
	value  string
}

// read reads options as getopt does: "-n 4", "-n4", "--vdev X" and "--vdev=X". Words that are no
// options are returned.
func read(table []Option, words []string) (settings []setting, rest []string, err error) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "-" || !strings.HasPrefix(word, "-") {
			rest = append(rest, word)
			continue
		}
		name, value, has := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "--") && len(word) > 2 {
			name, value, has = word[:2], strings.TrimPrefix(word[2:], "="), true
		}
		o := find(table, name)
		if o == nil {
			return nil, nil, &command.UsageError{Reason: name + ": neither an option of DPDK's EAL nor of this command"}
		}
		switch {
		case o.Arg == "" && has:
			return nil, nil, Refuse(name, value, "takes no value", "leave it out")
		case o.Arg != "" && !has && !strings.HasPrefix(o.Arg, "["):
			if i++; i == len(words) {
				return nil, nil, &command.UsageError{Reason: fmt.Sprintf("%s: %s is missing behind it", name, o.Arg)}
			}
			value = words[i]
		}
		settings = append(settings, setting{o, value})
	}
	return settings, rest, nil
}

// Refuse returns the error of an option of DPDK and its value, a [*command.UsageError].
func Refuse(option, value, reason, remedy string) error {
	name := strings.TrimLeft(option, "-")
	if len(name) > 1 {
		return &command.UsageError{Option: name, Value: value, Reason: reason, Remedy: remedy}
	}
	return &command.UsageError{Reason: fmt.Sprintf("-%s %s: %s; %s", name, value, reason, remedy)}
}

// Has reports whether a word is an option of the EAL, in full.
func Has(word string) bool {
	o := find(eal, word)
	return o != nil && slices.Contains(o.names(), strings.TrimLeft(word, "-"))
}
