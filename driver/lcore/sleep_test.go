package lcore

import (
	"context"
	"errors"
	"testing"
	"time"
)

// An adaptive core sleeps when polls find nothing, polls when it is woken, and Stop ends its
// sleep.
func TestAdaptiveCoreSleeps(t *testing.T) {
	work, asleep := make(chan bool, 1), make(chan bool)
	found := make(chan bool, 1)
	poll := func() bool {
		select {
		case <-work:
			found <- true
			return true
		default:
			return false
		}
	}
	wait := func(ctx context.Context) error {
		select {
		case asleep <- true: // the test has seen it
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case w := <-work:
			work <- w
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	core, err := new(Group).StartAdaptive(AnyCPU, poll, Sleep{Idle: time.Microsecond, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		<-asleep
		work <- true
		<-found
	}
	<-asleep
	if err := core.Stop(); err != nil {
		t.Error(err)
	}
	busy, _ := core.Polls()
	if sleeps, total := core.Asleep(); busy != 5 || sleeps != 6 || total <= 0 {
		t.Errorf("%d polls found work, %d sleeps of %v", busy, sleeps, total)
	}
	if busyTime, total := core.Times(); busyTime > total {
		t.Errorf("busy for %v of %v", busyTime, total)
	}
}

// A core whose Wait fails polls on, and does not call it again.
func TestWaitThatFails(t *testing.T) {
	waits, polls := 0, 0
	done := make(chan bool)
	core, err := new(Group).StartAdaptive(AnyCPU, func() bool {
		if polls++; polls == 10_000_000 {
			close(done)
		}
		return false
	}, Sleep{Idle: time.Nanosecond, Wait: func(context.Context) error {
		waits++
		polls = 10_000_000 - 1000
		return errors.New("no interrupts")
	}})
	if err != nil {
		t.Fatal(err)
	}
	<-done
	if err := core.Stop(); err != nil || waits != 1 {
		t.Errorf("Wait was called %d times: %v", waits, err)
	}
}

// The idle time is stretched while sleeps are short, and shrinks again when they are long.
func TestIdleTimeFollowsTheSleeps(t *testing.T) {
	var long time.Duration
	s := &sleeper{Sleep: Sleep{Idle: 20 * time.Microsecond, Wait: func(context.Context) error {
		time.Sleep(long)
		return nil
	}}, idle: 20 * time.Microsecond}
	next := func() {
		for before := s.sleeps.Load(); s.sleeps.Load() == before; {
			s.foundNothing()
		}
	}
	short := uint64(0)
	for s.idle != maxIdleFactor*s.Idle { // a sleep may be long on a machine that is busy elsewhere
		next()
		if short++; short == 10_000 {
			t.Fatalf("after short sleeps it is %v", s.idle)
		}
	}
	long = 2 * s.idle
	for range 5 {
		next()
	}
	if s.idle != s.Idle {
		t.Errorf("after long sleeps it is %v", s.idle)
	}
	if n, total := s.sleeps.Load(), time.Duration(s.asleep.Load()); n != short+5 || total < 5*long {
		t.Errorf("%d sleeps, %v", n, total)
	}
}
