package command

import (
	"fmt"
	"strconv"
	"strings"
)

// maxCPUs bounds CPU numbers: it is the kernel's own CPU_SETSIZE.
const maxCPUs = 1024

// ParseCPUs reads the value of --cpus as taskset and the kernel write it, "1",
// "0,2" or "0,4-6", and keeps the order. An empty text means no CPU. A failure is
// a [*UsageError].
func ParseCPUs(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	bad := func(part, reason string) error {
		return &UsageError{Option: "cpus", Value: text, Reason: strconv.Quote(part) + " " + reason,
			Remedy: "write it like 1 or 0,2-3"}
	}
	var cpus []int
	seen := map[int]bool{}
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, ok1 := parseCPU(low)
		last, ok2 := parseCPU(high)
		switch {
		case !ok1 || !ok2:
			return nil, bad(part, fmt.Sprintf("is not a CPU from 0 to %d", maxCPUs-1))
		case first > last:
			return nil, bad(part, "ends before it begins")
		}
		for cpu := first; cpu <= last; cpu++ {
			if seen[cpu] {
				return nil, bad(part, "names a CPU again")
			}
			seen[cpu] = true
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

func parseCPU(text string) (int, bool) {
	v, err := strconv.ParseUint(text, 10, 16)
	return int(v), err == nil && v < maxCPUs
}
