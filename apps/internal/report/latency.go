package report

import "time"

// namedTime is one figure of a latency.
type namedTime struct {
	name string
	d    time.Duration
}

// times returns the figures of a latency, in the order that people read them.
func (l *Latency) times() []namedTime {
	return []namedTime{
		{"min", l.Min}, {"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999},
		{"p99.99", l.P9999}, {"max", l.Max}, {"mean", l.Mean}, {"stddev", l.StdDev}, {"jitter", l.Jitter},
	}
}
