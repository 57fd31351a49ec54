package dpdk

import (
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

// core is an lcore and the CPU it runs on.
type core struct{ id, cpu int }

const coresLikeThis = "write it like 0,2-3"

// list reads "-l 0,2-3".
func (l *Line) list(text string) error {
	cpus, err := command.ParseCPUs(text)
	if err != nil || len(cpus) == 0 {
		return Refuse("l", text, "not a list of cores", coresLikeThis)
	}
	l.cores = nil
	for _, cpu := range cpus {
		l.cores = append(l.cores, core{cpu, cpu})
	}
	return nil
}

// mask reads "-c 0xd".
func (l *Line) mask(text string) error {
	cpus, err := Mask(text)
	if err != nil {
		return Refuse("c", text, "not a hexadecimal mask of cores", "write it like 0x3, for the cores 0 and 1")
	}
	l.cores = nil
	for _, cpu := range cpus {
		l.cores = append(l.cores, core{cpu, cpu})
	}
	return nil
}

// Mask returns the numbers of the bits that are set in a hexadecimal mask. One without any is an
// error.
func Mask(text string) ([]int, error) {
	lower := strings.TrimPrefix(strings.ToLower(text), "0x")
	n, ok := new(big.Int).SetString(lower, 16)
	if !ok || n.Sign() <= 0 || n.BitLen() > 1024 || strings.ContainsAny(lower, "_+") {
		return nil, strconv.ErrSyntax
	}
	var bits []int
	for i := range n.BitLen() {
		if n.Bit(i) == 1 {
			bits = append(bits, i)
		}
	}
	return bits, nil
}

// coremap reads "--lcores 0@0,1@2": groups of cores, and of the CPUs that they run on, in
// parentheses. A core that may run on several CPUs polls on the first.
func (l *Line) coremap(text string) error {
	bad := func(part string) error {
		return Refuse("lcores", text, strconv.Quote(part)+" is not a core, or a group of them, on a CPU",
			"write it like 0@0,1@2 or (0-3)@(4-7)")
	}
	l.cores = nil
	for _, part := range groups(text) {
		names, places, placed := strings.Cut(part, "@")
		ids, err := command.ParseCPUs(strings.Trim(names, "()"))
		if err != nil || len(ids) == 0 {
			return bad(part)
		}
		cpus := ids
		if placed {
			if cpus, err = command.ParseCPUs(strings.Trim(places, "()")); err != nil || len(cpus) == 0 {
				return bad(part)
			}
		}
		for i, id := range ids {
			l.cores = append(l.cores, core{id, cpus[i%len(cpus)]})
		}
	}
	slices.SortStableFunc(l.cores, func(a, b core) int { return a.id - b.id })
	return nil
}

// groups splits a text at the commas that are not in parentheses.
func groups(text string) []string {
	var parts []string
	depth, from := 0, 0
	for i, r := range text {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case r == ',' && depth == 0:
			parts = append(parts, text[from:i])
			from = i + 1
		}
	}
	return append(parts, text[from:])
}

// main reads "--main-lcore 1".
func (l *Line) main(text string) error {
	id, err := strconv.Atoi(text)
	if err != nil || id < 0 {
		return Refuse("main-lcore", text, "not the number of a core", "use one of -l")
	}
	l.Main = id
	return nil
}

// assign makes workers of all cores but the main one. Several cores on one CPU are one worker:
// more would only take turns.
func (l *Line) assign() {
	if len(l.cores) == 0 {
		return
	}
	main := slices.IndexFunc(l.cores, func(c core) bool { return c.id == l.Main && l.Main != 0 })
	main = max(main, 0)
	l.Main, l.mainID = l.cores[main].cpu, l.cores[main].id
	shared := false
	for i, c := range l.cores {
		switch {
		case i == main:
		case slices.Contains(l.Workers, c.cpu):
			shared = true
		default:
			l.Workers, l.ids = append(l.Workers, c.cpu), append(l.ids, c.id)
		}
	}
	if shared {
		l.note("several cores on one CPU poll as one")
	}
}

// CPUs returns the CPUs that poll: those of the workers, or that of the main core if there is no
// other.
func (l *Line) CPUs() []int {
	switch {
	case len(l.Workers) > 0:
		return l.Workers
	case len(l.cores) > 0:
		return []int{l.Main}
	}
	return nil
}

// Lcores returns how the command line calls the cores on those CPUs: --lcores can put a core of
// any number on a CPU.
func (l *Line) Lcores() []int {
	switch {
	case len(l.Workers) > 0:
		return l.ids
	case len(l.cores) > 0:
		return []int{l.mainID}
	}
	return nil
}

// AllCPUs returns the CPUs of all cores, that of the main one first, nil if none were given.
func (l *Line) AllCPUs() []int {
	if len(l.cores) == 0 {
		return nil
	}
	return append([]int{l.Main}, slices.DeleteFunc(slices.Clone(l.Workers), func(cpu int) bool { return cpu == l.Main })...)
}
