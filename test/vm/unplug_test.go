package vm

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"
)

// unplugTime is how long l2fwd may take from the request to its end.
const unplugTime = 10 * time.Second

// testUnplug removes a function in the middle of traffic: l2fwd says so and
// ends with an error in time, and the function goes.
func (g *guest) testUnplug(t *testing.T, gone, stays string) {
	f := g.l2fwd(t, nil, ports("", gone, stays))
	f.underTraffic(t, func() {
		ctx, cancel := context.WithTimeout(t.Context(), commandTime)
		defer cancel()
		if err := g.QMP.Unplug(gone); err != nil {
			t.Fatal(err)
		}
		r, err := f.Wait(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if r.Exit <= 0 || strings.Contains(r.Stderr, "goroutine ") {
			t.Errorf("l2fwd did not end with an error: %v", r)
		}
		for _, word := range []string{g.nics[gone].address, "removal"} {
			if !strings.Contains(r.Stderr, word) {
				t.Errorf("l2fwd does not say %q: %v", word, r)
			}
		}
		took := r.Ended - g.requested(t, gone)
		t.Logf("l2fwd ended %v after the request", took)
		if took > unplugTime {
			t.Errorf("l2fwd took %v to end, more than %v", took, unplugTime)
		}
		if err := g.QMP.AwaitUnplugged(ctx, gone); err != nil {
			t.Error(err)
		}
	})
}

// requested is when the guest's kernel asked for a function, on its monotonic
// clock. The kernel says so when it asks.
func (g *guest) requested(t *testing.T, id string) time.Duration {
	t.Helper()
	log := g.must(t, "/init", "dmesg")
	for _, line := range strings.Split(log, "\n") {
		if !strings.Contains(line, g.nics[id].address+": Relaying device request to user") {
			continue
		}
		stamp, _, _ := strings.Cut(line, " ")
		µs, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(µs) * time.Microsecond
	}
	t.Fatalf("the kernel did not ask for %s:\n%s", g.nics[id].address, log)
	return 0
}
