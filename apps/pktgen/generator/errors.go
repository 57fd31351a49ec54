package generator

import (
	"errors"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// ConfigError is a Config or a Run that cannot be used. Nothing was sent.
type ConfigError struct {
	Field  string
	Value  any
	Reason string
	Remedy string
	Err    error // cause, or nil
}

// Error names the field, the reason and the remedy.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("generator: %s %v: %s; %s", e.Field, e.Value, e.Reason, e.Remedy)
}

// Unwrap returns the cause.
func (e *ConfigError) Unwrap() error { return e.Err }

// ShortError is a trial that sent less than was intended: what it says about loss is not
// about the intended rate.
type ShortError struct {
	Intended, Achieved result.Rate
	Tolerance          float64 // the part of the intended rate that may be missing
	Unsent             uint64  // packets
	MaxLate            int64   // how late packets were found due at most, in nanoseconds
}

// Error names both rates.
func (e *ShortError) Error() string {
	return fmt.Sprintf("trial: sent %s, %.3g %% less than the %s intended (%d packets unsent, up to %v late); "+
		"lower the rate, or use more CPUs or larger bursts",
		result.PPSText(e.Achieved.PPS), 100*(1-e.Achieved.PPS/e.Intended.PPS), result.PPSText(e.Intended.PPS), e.Unsent,
		time.Duration(e.MaxLate).Round(time.Microsecond))
}

// StuckError is a trial that its pollers did not end: they are not polled, or one of them
// has failed.
type StuckError struct {
	Queues int // transmit queues that had not ended
}

func (e *StuckError) Error() string {
	return fmt.Sprintf("trial: %d transmit queues did not end it in time: their pollers are not polled; "+
		"start a goroutine for each, and look for one that failed", e.Queues)
}

// check returns the [*ConfigError] of a Config that cannot be used.
func (c *Config) check() error {
	switch {
	case len(c.Ports) == 0:
		return &ConfigError{Field: "Ports", Value: 0, Reason: "there is none", Remedy: "open one"}
	case len(c.Caches) == 0:
		return &ConfigError{Field: "Caches", Value: 0, Reason: "there would be no poller",
			Remedy: "make a cache of the pool for each"}
	case c.Burst < 1:
		return &ConfigError{Field: "Burst", Value: c.Burst, Reason: "less than 1", Remedy: "leave it 0 for the default"}
	case c.CatchUp < 0:
		return &ConfigError{Field: "CatchUp", Value: c.CatchUp, Reason: "negative", Remedy: "leave it 0 for the default"}
	}
	for i, port := range c.Ports {
		for j := range port.Streams {
			if err := c.checkStream(i, &port.Streams[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkStream returns the [*ConfigError] of a stream of a port.
func (c *Config) checkStream(port int, s *Stream) error {
	field := fmt.Sprintf("port %d, stream %s: ", port, s.Name)
	queues := c.Ports[port].Port.Queues()
	switch {
	case s.Queue < 0 || s.Queue >= queues:
		return &ConfigError{Field: field + "Queue", Value: s.Queue,
			Reason: fmt.Sprintf("the port has %d", queues), Remedy: "count from 0"}
	case s.Source == nil:
		return &ConfigError{Field: field + "Source", Value: nil,
			Reason: "there is none", Remedy: "compile one with package traffic"}
	}
	if _, err := c.pacer(s, s.PPS); err != nil {
		return rateError(field+"PPS", s.PPS, "", err)
	}
	return nil
}

// rateError returns the error of a rate that err, of package pace, says is of no use.
func rateError(field string, value any, prefix string, err error) error {
	e := &ConfigError{Field: field, Value: value, Reason: prefix + err.Error(), Remedy: "choose another", Err: err}
	var cause *pace.Error
	if errors.As(err, &cause) {
		e.Reason = fmt.Sprintf("%s%s %q: %s", prefix, cause.Op, cause.Value, cause.Reason)
		e.Remedy = cause.Remedy
	}
	return e
}
