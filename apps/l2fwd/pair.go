package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

// unused marks a port that no pair names.
const unused = -1

var (
	portmapForm = regexp.MustCompile(`^(\([0-9]+,[0-9]+\))+$`)
	portmapPair = regexp.MustCompile(`\(([0-9]+),([0-9]+)\)`)
)

// parsePortmap reads "(0,1)(2,3)" for n ports and returns the port that each
// one's packets leave by, unused for those that no pair names. A failure is a
// *command.UsageError.
func parsePortmap(text string, n int) ([]int, error) {
	bad := func(reason string) error {
		return &command.UsageError{Option: "portmap", Value: text, Reason: reason,
			Remedy: "name each port once, by its place on the command line"}
	}
	if !portmapForm.MatchString(text) {
		return nil, bad("not of the form (0,1)(2,3)")
	}
	to := make([]int, n)
	for i := range to {
		to[i] = unused
	}
	for _, pair := range portmapPair.FindAllStringSubmatch(text, -1) {
		var ends [2]int
		for i, digits := range pair[1:] {
			v, err := strconv.Atoi(digits)
			if err != nil || v >= n {
				return nil, bad(fmt.Sprintf("%q names port %s; there are ports 0 to %d", pair[0], digits, n-1))
			}
			if to[v] != unused {
				return nil, bad(fmt.Sprintf("%q names port %d, which is in a pair already", pair[0], v))
			}
			ends[i] = v
		}
		to[ends[0]], to[ends[1]] = ends[1], ends[0]
	}
	return to, nil
}
