package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// longRun is one run of ours in which no garbage may be collected.
type longRun struct {
	Work        work          `json:"work"`
	Path        path          `json:"path"`
	Duration    time.Duration `json:"duration"`
	Mpps        float64       `json:"mpps"`
	Collections int           `json:"collections"`
}

// long has our driver run for longer than in pairs, where it is fastest: in heat
// 2, with its best path at 64 bytes. What allocates something now and then, a
// packet or a second, shows in it.
func (l *lab) long(ctx context.Context, w work, p path) (run longRun, err error) {
	b, err := l.startBackEnd(ctx, 2, w, 64)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	j := job{work: w, path: p, size: 64, duration: l.options.Long}
	r, err := l.steady(new(tally), ours, func() (result, error) { return l.run(ctx, b, ours, j) })
	l.say("heat 2, %s, %s: %.2f Mpps and %d garbage collections in %v", w, p.Name, r.Mpps,
		r.Collections, r.Measured)
	return longRun{w, p, l.options.Long, r.Mpps, r.Collections}, err
}

// garbage returns a *garbageError for each long run that was not free of it.
func (o *outcomes) garbage() error {
	var err error
	for _, r := range o.Long {
		if r.Collections > 0 {
			err = errors.Join(err, &garbageError{r})
		}
	}
	return err
}

// garbageError is a long run in which garbage was collected.
type garbageError struct{ run longRun }

func (e *garbageError) Error() string {
	return fmt.Sprintf("%s, %s: %d garbage collections within %v, where none may be; see GODEBUG=gctrace=1 and go test -benchmem",
		e.run.Work, e.run.Path.Name, e.run.Collections, e.run.Duration)
}

// writeLong writes a line on the long runs, if there are any.
func (o *outcomes) writeLong(b *strings.Builder) {
	if len(o.Long) == 0 {
		return
	}
	fmt.Fprintf(b, "Garbage collections in one run of ours of %v each:", o.Options.Long)
	sep := " "
	for _, r := range o.Long {
		fmt.Fprintf(b, "%s%s %d", sep, r.Work, r.Collections)
		sep = ", "
	}
	b.WriteString(".\n")
}
