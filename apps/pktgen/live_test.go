package main

import (
	"testing"
	"time"
)

// TestStopAndStart: a trial that the user has ended is not the last one, also if packets
// are to be sent again before it has ended. A start while nothing is stopped is refused, as
// is a second stop.
func TestStopAndStart(t *testing.T) {
	l := newLive()
	for range 3 {
		trial, ok := l.begin(t.Context(), 0)
		if !ok {
			t.Fatal("no trial begins")
		}
		if err := l.Stop(); err != nil {
			t.Fatal(err)
		}
		<-trial.Done()
		if l.Stop() == nil {
			t.Error("stopped twice")
		}
		if err := l.Start(); err != nil {
			t.Fatal(err)
		}
		if l.Start() == nil {
			t.Error("started twice")
		}
		if !l.end() {
			t.Fatal("the user has not ended the trial")
		}
	}
	if _, ok := l.begin(t.Context(), 0); !ok || l.end() {
		t.Error("a trial that ends by itself was ended by the user")
	}
	if err := l.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, ok := l.begin(t.Context(), time.Millisecond); ok {
		t.Error("a trial begins while packets are stopped")
	}
}
