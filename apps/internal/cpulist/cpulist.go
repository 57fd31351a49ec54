// Package cpulist reads lists of CPUs as taskset and the kernel write them.
package cpulist

import (
	"fmt"
	"strconv"
	"strings"
)

// limit bounds CPU numbers: it is the kernel's own CPU_SETSIZE.
const limit = 1024

// Error is a list that cannot be read.
type Error struct {
	List   string // the whole text
	Value  string // the part that is wrong
	Reason string // what is wrong with it
}

func (e *Error) Error() string {
	return fmt.Sprintf("CPU list %q: %q %s; write it like 1 or 0,2-3", e.List, e.Value, e.Reason)
}

// Parse reads "1", "0,2" or "0,4-6" and keeps the order. An empty text is no
// CPU. A failure is an *Error.
func Parse(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var cpus []int
	seen := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, ok1 := number(low)
		last, ok2 := number(high)
		if !ok1 || !ok2 {
			return nil, &Error{List: text, Value: part, Reason: fmt.Sprintf("is not a CPU from 0 to %d", limit-1)}
		}
		if first > last {
			return nil, &Error{List: text, Value: part, Reason: "ends before it begins"}
		}
		for cpu := first; cpu <= last; cpu++ {
			if seen[cpu] {
				return nil, &Error{List: text, Value: part, Reason: "names a CPU again"}
			}
			seen[cpu] = true
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

func number(text string) (int, bool) {
	v, err := strconv.ParseUint(text, 10, 16)
	return int(v), err == nil && v < limit
}
