package vm

import (
	"context"
	"flag"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wakes is how many packets wake a sleeper in a guest, for each format of the ring.
var wakes = flag.Int("wakes", 500, "packets that wake a sleeper in a guest, for each format of the ring")

// wakeTime bounds what they take.
func wakeTime() time.Duration { return time.Duration(*wakes) * 20 * time.Millisecond }

// testWake sends single packets to a receiver that sleeps until its function interrupts:
// each wakes it, and no interrupt is lost.
func (g *guest) testWake(t *testing.T, sender, receiver string) {
	before := g.state(t)
	ctx, cancel := context.WithTimeout(t.Context(), commandTime+wakeTime())
	defer cancel()
	r, err := g.Agent.Run(ctx, "/init", "wake", g.nics[sender].address, g.nics[receiver].address,
		strconv.Itoa(*wakes))
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit != 0 {
		t.Fatal(r)
	}
	t.Log(strings.TrimSpace(r.Stdout))
	g.unchanged(t, before)
}

// testAdaptive has l2fwd sleep while nothing comes: frames one by one, and many, arrive.
func (g *guest) testAdaptive(t *testing.T, a, b string) {
	f := g.l2fwd(t, []string{"--adaptive"}, ports("", a, b))
	streams := f.both(0, 1, 200)
	for i := range streams {
		streams[i].Window = 1
	}
	f.exchange(t, streams...)
	time.Sleep(time.Second) // it sleeps
	f.exchange(t, f.both(0, 1, fewFrames)...)
	s := f.stop(t)
	t.Logf("asleep for %v of %v s, %d interrupts", s.Asleep, s.Duration, s.Total.Interrupts)
	if s.Total.Interrupts == 0 || s.Asleep < 0.5 {
		t.Error("it did not sleep")
	}
}
