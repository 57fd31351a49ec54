package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
)

// translate makes a command line of DPDK one of this command: options of the EAL become options
// and ports, those of testpmd stay, behind the values that DPDK takes if there are none.
func translate(args []string) (*dpdk.Line, []string, error) {
	before, behind := dpdk.Split(args[1:])
	line, err := dpdk.Parse(before)
	if err != nil {
		return nil, args, err
	}
	if line.ShowVersion && len(before) == 1 && len(behind) == 0 {
		return line, append(args[:1:1], "--version"), nil
	}
	own := []string{args[0], "--rxq=1", "--txq=1", "--stats-period=0"}
	if cpus := line.CPUs(); len(cpus) > 0 {
		own = append(own, "--cpus="+joined(cpus), "--nb-cores=1")
	}
	own = append(own, line.Args...)
	for _, word := range behind {
		switch word {
		case "--tx-first": // it has no value there
			word = "--tx-first=1"
		case "--burst=0": // which is what the driver likes best
			word = "--burst=32"
		}
		own = append(own, word)
	}
	return line, slices.Concat(own, line.AllPorts()), nil
}

func joined(list []int) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = strconv.Itoa(n)
	}
	return strings.Join(words, ",")
}

// dpdkHelp lists what of DPDK's command lines is understood.
func dpdkHelp() string {
	var b strings.Builder
	b.WriteString("A command line of dpdk-testpmd is understood: options of the EAL, then --, then those of testpmd.\n")
	dpdk.WriteHelp(&b)
	b.WriteString("\nOptions of testpmd that have an effect are in testpmd --help. These are accepted and have none:\n")
	for _, o := range options {
		if o.ignored != "" {
			fmt.Fprintf(&b, "  --%-24s %s\n", o.name, o.ignored)
		}
	}
	b.WriteString("\nThese are refused:\n")
	for _, o := range options {
		if o.refused != "" {
			fmt.Fprintf(&b, "  --%-24s %s\n", o.name, o.refused)
		}
	}
	return b.String()
}
