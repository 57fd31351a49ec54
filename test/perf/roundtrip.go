package main

import (
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// line is a counter in a cache line of its own.
type line struct {
	_ [64]byte
	n atomic.Uint64
	_ [64]byte
}

const (
	// probe is for how long a cache line goes to and fro, longer only if others
	// have the CPUs.
	probe = 20 * time.Millisecond
	// trips are timed together. They take far less than the back end's share of
	// its CPU does, as it polls on: most are not interrupted by it, nor is their
	// median.
	trips = 50
	// enough are the times that have a median, and longest how long they may take.
	enough  = 100
	longest = 10 * time.Second
	// spinning are the goroutines that wait for each other without a pause, and so take a
	// processor of the Go scheduler each, and the rest of the program.
	spinning = 3
)

// roundTrip is how long a cache line takes from the driver's CPU to the back
// end's and back, in nanoseconds. It tells the modes of a machine whose CPUs are
// moved by its host, of which the rates depend more than on the driver.
func (l *lab) roundTrip() (float64, error) {
	return roundTrip(l.options.DriverCPU, l.options.BackEndCPU)
}

func roundTrip(one, other int) (float64, error) {
	if now := runtime.GOMAXPROCS(0); now < spinning {
		defer runtime.GOMAXPROCS(now)
		runtime.GOMAXPROCS(spinning)
	}
	var ping, pong line
	var over atomic.Bool
	there, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- onCPU(other, func() error {
			close(there)
			answer(&ping, &pong, &over)
			return nil
		})
	}()
	select {
	case <-there:
	case err := <-ended: // without the other side there is no answer
		return 0, err
	}
	var times []float64
	err := onCPU(one, func() error {
		times = ask(&ping, &pong)
		return nil
	})
	over.Store(true)
	return spreadOf(times).Median, errors.Join(err, <-ended)
}

// ask sends a number and awaits it, and returns the times of a round trip.
func ask(ping, pong *line) []float64 {
	var times []float64
	n := uint64(0)
	begin := time.Now()
	for at := begin; at.Sub(begin) < probe || len(times) < enough && at.Sub(begin) < longest; {
		for range trips {
			n++
			ping.n.Store(n)
			for pong.n.Load() != n {
			}
		}
		now := time.Now()
		times = append(times, float64(now.Sub(at).Nanoseconds())/trips)
		at = now
	}
	return times
}

// answer sends every number back.
func answer(ping, pong *line, over *atomic.Bool) {
	last := uint64(0)
	for !over.Load() {
		if n := ping.n.Load(); n != last {
			pong.n.Store(n)
			last = n
		}
	}
}

// apart reports whether round trips are of different modes of the CPUs.
func apart(trips []float64) bool {
	return len(trips) > 0 && slices.Max(trips) > 2*slices.Min(trips)
}
