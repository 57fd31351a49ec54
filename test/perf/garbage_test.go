package main

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestGarbage checks that a long run in which something was collected fails the race
// and is named.
func TestGarbage(t *testing.T) {
	o := &outcomes{Options: options{Long: 10 * time.Second},
		Long: []longRun{{Work: receive, Path: paths()[0], Duration: 10 * time.Second}}}
	if err := o.garbage(); err != nil {
		t.Errorf("nothing was collected: %v", err)
	}
	o.Long = append(o.Long, longRun{Work: transmit, Path: paths()[4], Duration: 10 * time.Second,
		Collections: 2})
	var e *garbageError
	if err := o.garbage(); !errors.As(err, &e) ||
		!strings.Contains(err.Error(), "TX, packed, in-order: 2 garbage collections within 10s") {
		t.Errorf("%v, want a *garbageError that names the run", err)
	}
	var b strings.Builder
	o.writeLong(&b)
	if got, want := b.String(), "Garbage collections in one run of ours of 10s each: RX 0, TX 2.\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
