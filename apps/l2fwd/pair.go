package main

import (
	"fmt"
	"regexp"
	"strconv"
)

// unused marks a port that no pair names.
const unused = -1

var (
	portmapForm = regexp.MustCompile(`^(\([0-9]+,[0-9]+\))+$`)
	portmapPair = regexp.MustCompile(`\(([0-9]+),([0-9]+)\)`)
)

// parsePortmap reads "(0,1)(2,3)" for n ports and returns the port that each
// one's packets leave by, unused for those that no pair names. A failure is a
// *portmapError.
func parsePortmap(text string, n int) ([]int, error) {
	if !portmapForm.MatchString(text) {
		return nil, &portmapError{text, text, "is not of the form (0,1)(2,3)"}
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
				reason := fmt.Sprintf("names port %s; there are ports 0 to %d", digits, n-1)
				return nil, &portmapError{text, pair[0], reason}
			}
			if to[v] != unused {
				reason := fmt.Sprintf("names port %d, which is in a pair already", v)
				return nil, &portmapError{text, pair[0], reason}
			}
			ends[i] = v
		}
		to[ends[0]], to[ends[1]] = ends[1], ends[0]
	}
	return to, nil
}

// portmapError reports a --portmap that does not fit the ports.
type portmapError struct {
	text   string // the whole map
	value  string // the part that is wrong
	reason string
}

func (e *portmapError) Error() string {
	return fmt.Sprintf("--portmap %q: %q %s; name each port once, by its place on the command line",
		e.text, e.value, e.reason)
}
