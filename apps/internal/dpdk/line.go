package dpdk

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/usage"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
)

// Line is what a DPDK command line means here.
type Line struct {
	// Main is the CPU of the main core, which does not poll, and Workers are those of the
	// others, in order. Workers is empty if there are no others.
	Main    int
	Workers []int
	cores   []core
	mainID  int   // of the main core
	ids     []int // of those of Workers

	// Args are options of this project's commands that stand for EAL options, Ports the texts
	// of ports, in the order in which DPDK numbers them.
	Args  []string
	Ports []string

	PCI         bool          // a PCI function was allowed by its address
	NoPCI       bool          // others are not to be used
	Blocked     []pci.Address // nor are these
	ShowVersion bool

	// Notes are for the user, a line each: what was translated into something else.
	Notes   []string
	ignored []string // options without effect

	functions int // of Ports, those in front that are PCI functions
}

// own are the options of the EAL that this project's commands have too: they do not make a
// command line one of DPDK's.
var own = []string{"no-huge", "log-level", "help", "h", "v"}

// Is reports whether a command line, without the name of the program, is written as for a program
// of DPDK: it has an option of the EAL, or options behind "--".
func Is(words []string) bool {
	before, behind := Split(words)
	if len(behind) > 0 && strings.HasPrefix(behind[0], "-") {
		return true
	}
	for _, word := range before {
		if len(word) < 2 || word[0] != '-' {
			continue
		}
		name, _, _ := strings.Cut(word, "=")
		if !strings.HasPrefix(word, "--") {
			name = word[:2]
		}
		name = strings.TrimLeft(name, "-")
		for _, o := range eal {
			if slices.Contains(o.names(), name) && !slices.Contains(own, name) {
				return true
			}
		}
	}
	return false
}

// Split returns the words before and behind the first "--".
func Split(words []string) (before, behind []string) {
	i := slices.Index(words, "--")
	if i < 0 {
		return words, nil
	}
	return words[:i], words[i+1:]
}

// Parse reads the options of the EAL, without those of the program behind "--".
func Parse(words []string) (*Line, error) {
	settings, rest, err := read(eal, words)
	if err != nil {
		return nil, err
	}
	l := &Line{Ports: rest}
	for _, s := range settings {
		if err := l.apply(s); err != nil {
			return nil, err
		}
	}
	l.assign()
	return l, nil
}

// Options reads the options of a program, of which a table says what becomes of them. What is no
// option is a port.
func (l *Line) Options(table []Option, words []string) error {
	settings, rest, err := read(table, words)
	if err != nil {
		return err
	}
	l.Ports = append(l.Ports, rest...)
	for _, s := range settings {
		if err := l.apply(s); err != nil {
			return err
		}
	}
	return nil
}

func (l *Line) apply(s setting) error {
	switch o := s.option; {
	case o.Refused != "":
		reason, remedy, _ := strings.Cut(o.Refused, "; ")
		return Refuse(o.Name(), s.value, reason, remedy)
	case o.Ignored != "":
		if !slices.Contains(l.ignored, o.Name()) {
			l.ignored = append(l.ignored, o.Name())
		}
		return nil
	default:
		return o.Set(l, s.value)
	}
}

// add adds a port. PCI functions come before virtual devices, as they are probed first.
func (l *Line) add(p *port) error {
	text := p.String()
	if p.option == "allow" {
		l.Ports = slices.Insert(l.Ports, l.functions, text)
		l.functions++
		return nil
	}
	l.Ports = append(l.Ports, text)
	return nil
}

func (l *Line) note(format string, args ...any) {
	l.Notes = append(l.Notes, fmt.Sprintf(format, args...))
}

// Remarks returns what the user is told: the notes, and one about all options that have no
// effect.
func (l *Line) Remarks() []string {
	list := slices.Clone(l.Notes)
	if len(l.ignored) > 0 {
		list = append(list, "accepted, and without a meaning here: "+strings.Join(l.ignored, " "))
	}
	return list
}

// AllPorts returns the texts of all ports: those of the command line or, if it allows no PCI
// function and does not forbid them either, those that are bound to vfio-pci, in front.
func (l *Line) AllPorts() []string {
	if l.PCI || l.NoPCI {
		return l.Ports
	}
	infos, err := sysfs.FS{Root: "/"}.Functions()
	if err != nil {
		return l.Ports // a machine without PCI
	}
	var found []string
	for _, i := range infos {
		if i.VirtioNet() && i.Driver == "vfio-pci" && !slices.Contains(l.Blocked, i.Address) {
			found = append(found, i.Address.String())
		}
	}
	return append(found, l.Ports...)
}

// WriteHelp lists the options of the EAL, and what becomes of them.
func WriteHelp(w io.Writer) {
	for _, kind := range []struct {
		title string
		of    func(Option) bool
	}{
		{"These options of the EAL have an effect", func(o Option) bool { return o.Ignored == "" && o.Refused == "" }},
		{"These are accepted and have none", func(o Option) bool { return o.Ignored != "" }},
		{"These are refused", func(o Option) bool { return o.Refused != "" }},
	} {
		fmt.Fprintf(w, "\n%s:\n", kind.title)
		for _, o := range eal {
			if kind.of(o) {
				fmt.Fprint(w, usage.Entry(o.words(), o.Usage+why(o), usage.PageWidth))
			}
		}
	}
}

func why(o Option) string {
	if reason := o.Ignored + o.Refused; reason != "" {
		return ": " + reason
	}
	return ""
}

// words returns the names of the option as they are typed, and its value.
func (o *Option) words() string {
	var list []string
	for _, n := range o.names() {
		list = append(list, typed(n))
	}
	return strings.TrimRight(strings.Join(list, ", ")+" "+o.Arg, " ")
}
