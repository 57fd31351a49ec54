package main

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"
)

// live is what keys change while packets are sent.
type live struct {
	mu      sync.Mutex
	factor  float64            // of the rates
	stop    context.CancelFunc // ends the trial that runs; nil if none does
	cut     bool               // the user has ended that trial, and may have started again since
	stopped bool               // by the user
	start   chan struct{}      // wakes who waits for a start
}

func newLive() *live { return &live{factor: 1, start: make(chan struct{}, 1)} }

// begin waits until packets are to be sent, for at most the time that is left of the
// duration, 0 for no limit, and returns the context of the trial. ok is false if ctx or the
// time ended first.
func (l *live) begin(ctx context.Context, left time.Duration) (trial context.Context, ok bool) {
	var over <-chan time.Time
	if left > 0 {
		over = time.After(left)
	}
	for {
		l.mu.Lock()
		if !l.stopped {
			trial, l.stop = context.WithCancel(ctx)
			l.cut = false
			l.mu.Unlock()
			return trial, true
		}
		l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, false
		case <-over:
			return nil, false
		case <-l.start:
		}
	}
}

// end says that a trial has ended, and reports whether the user ended it.
func (l *live) end() (stopped bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
	l.stop = nil
	return l.cut
}

// Stop ends the trial that runs.
func (l *live) Stop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return errors.New("nothing is sent")
	}
	l.stopped = true
	if l.stop != nil {
		l.cut = true
		l.stop()
	}
	return nil
}

// Start has the next trial begin.
func (l *live) Start() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		return errors.New("packets are sent already")
	}
	l.stopped = false
	select {
	case l.start <- struct{}{}:
	default:
	}
	return nil
}

func (l *live) scale() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.factor
}

func (l *live) sending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.stopped
}

// setScale sets the factor of the rates after set has taken it.
func (l *live) setScale(factor float64, set func(float64) error) error {
	if !(factor > 0) || math.IsInf(factor, 0) {
		return errors.New("not a rate that can be sent")
	}
	if err := set(factor); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.factor = factor
	return nil
}
