package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// searchReference returns what searches look for and what comes of them.
func searchReference() string {
	var b strings.Builder
	b.WriteString(`--search PRESETS looks for the throughput of each preset with one series of trials,
as RFC 9971 (MLRsearch) does. A load is that of all ports that send together.

PRESET    what it looks for
`)
	for _, p := range mlrsearch.Presets() {
		fmt.Fprintf(&b, "%-9s %s\n", p.Name, p.Description)
	}
	b.WriteString(`
The upper bound is the smallest load that does not meet the goal, the lower bound the
largest load below it that does, and the conditional throughput what was received
there. A result without both bounds is irregular:
    max load passes       the largest load meets the goal: raise --max-rate, or look for
                          what limits pktgen itself
    min load fails        not even --min-rate meets it
    search time exceeded  the bounds are those found in the time of the preset
    interrupted           the bounds are those found until then

--latency-at-load, --loss-curve and --back-to-back measure after the search; the last
two also without one.

The exit status is 0 if all was measured, also where a result is irregular; 1 if the
search was interrupted or a trial could not be run. Scripts find the bounds in the
report: --json prints it.
`)
	return b.String()
}
