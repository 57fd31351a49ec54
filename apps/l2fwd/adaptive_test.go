package main

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// adaptive has the pollers of a plan sleep.
func adaptive(p *plan) {
	p.idle = lcore.DefaultIdle
	p.sleepWhenIdle()
}

// TestAdaptive: with --adaptive every frame wakes a poller that sleeps, with each kind of
// ring and several queues, one frame under way or many.
func TestAdaptive(t *testing.T) {
	for _, keys := range []string{"", ",packed=0", ",event_idx=0", ",packed=0,event_idx=0", ",queues=2"} {
		l := newLab(t, keys, ",queues=1", true, adaptive)
		const frames = 60
		for n := 1; n <= frames; n++ { // each alone, after a pause in which the pollers fall asleep
			if n%10 == 0 {
				time.Sleep(time.Millisecond)
			}
			l.exchange(t, n, 60, 60, 1)
		}
		l.exchange(t, 2*frames, 60, 1514, 48)
		o := checkCounts(t, l, 2*frames)
		if o.Asleep == nil || *o.Asleep == 0 || o.Total.Waits == 0 || o.Total.Interrupts == 0 {
			t.Errorf("%q: asleep %v, %+v", keys, o.Asleep, o.Total)
		}
	}
}

// TestAdaptiveIdle: pollers that have nothing to forward use next to no CPU time, where they
// would use a CPU each otherwise.
func TestAdaptiveIdle(t *testing.T) {
	l := newLab(t, "", "", true, adaptive)
	l.exchange(t, 10, 60, 60, 1)
	const window, allowed = 200 * time.Millisecond, 2 // percent
	least := 100.
	for range 10 { // this process does other things now and then
		before := cpuTime(t)
		time.Sleep(window)
		used := cpuTime(t) - before
		if least = min(least, 100*float64(used)/float64(window)); least < allowed {
			break
		}
	}
	if least >= allowed {
		t.Errorf("an idle l2fwd uses %.1f %% of a CPU", least)
	}
	checkCounts(t, l, 10)
}

// cpuTime returns how much CPU time this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
