package vm

import (
	"context"
	"strconv"
	"strings"
	"testing"
)

// testLink sets the link of function a down and up again: l2fwd learns it by an
// interrupt, logs it, and forwards again.
func (g *guest) testLink(t *testing.T, a, b string) {
	f := g.l2fwd(t, []string{"--log-level", "info"}, ports("", a, b))
	streams := f.both(0, 1, 500)
	f.exchange(t, streams...)
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	before := g.interrupts(t, a)
	if err := g.QMP.SetLink(a, false); err != nil {
		t.Fatal(err)
	}
	if err := f.WaitFor(ctx, "state=down"); err != nil {
		t.Error(err)
	}
	if after := g.interrupts(t, a); after == before {
		t.Errorf("the device did not interrupt: %d times, before and after", before)
	}
	if err := g.QMP.SetLink(a, true); err != nil {
		t.Fatal(err)
	}
	f.exchange(t, streams...)
	f.stop(t)
}

// interrupts is how often a function that is with vfio-pci has interrupted.
func (g *guest) interrupts(t *testing.T, id string) int {
	t.Helper()
	sum := 0
	for _, l := range strings.Split(g.must(t, "/init", "cat", "/proc/interrupts"), "\n") {
		if !strings.Contains(l, "vfio-") || !strings.Contains(l, g.nics[id].address) {
			continue
		}
		for _, count := range strings.Fields(l)[1:3] { // of the guest's two CPUs
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Fatalf("%v in %q", err, l)
			}
			sum += n
		}
	}
	return sum
}
