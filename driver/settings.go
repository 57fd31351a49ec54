package driver

import (
	"context"
	"errors"
	"sync"
)

// settings is what the application has set by commands. A device forgets it when it is
// reset, and is told again then. Each group of settings has a file of its own.
//
// It is changed by the goroutine that has the control queue, with mu held, so that others
// can read it with mu alone.
type settings struct {
	mu         sync.Mutex
	rx         rxModes
	mac        primaryMAC
	macs       macTable
	vlans      vlanTable
	offloads   receiveOffloads
	coalescing coalescing
	inner      innerHash
}

// setting is a group of settings.
type setting interface {
	// restore sends a device that was reset what was set, as far as it differs from
	// what a reset leaves. What the device no longer offers is an error that is
	// errors.ErrUnsupported; that, and what it refuses, does not keep the rest of the
	// group from it. The mutex of settings is not held: only the goroutine that
	// has the control queue changes settings, and that is this one.
	restore(c *commander) error
}

// all returns the groups, in the order in which a device is told.
func (s *settings) all() []setting {
	return []setting{&s.mac, &s.macs, &s.vlans, &s.rx, &s.offloads, &s.coalescing, &s.inner}
}

// update changes settings.
func (s *settings) update(f func(s *settings)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// restoreSettings tells a device that was reset what was set. One that refuses what it had
// accepted before, or is another one, goes on without it, if it is not the first start. One
// that does not answer is not ready. d.mu is held, and no other goroutine has the control
// queue.
func (d *device) restoreSettings(ctx context.Context, n *negotiated, first bool) error {
	for _, group := range d.settings.all() {
		err := d.restoreGroup(ctx, n, group, first)
		switch {
		case err == nil:
		case !first && isRefusal(err):
			d.log.Error("what was set before the device was reset is not in force", "err", err)
		default:
			return err
		}
	}
	return nil
}

// isRefusal reports whether a device has not carried out a command because it does not want
// to, or cannot.
func isRefusal(err error) bool {
	return errors.Is(err, ErrRefused) || errors.Is(err, errors.ErrUnsupported)
}

// unlessRefused returns err, unless that is a refusal: the first one is kept in refused, and
// the rest of a group is restored.
func unlessRefused(err error, refused *error) error {
	if !isRefusal(err) {
		return err
	}
	if *refused == nil {
		*refused = err
	}
	return nil
}

// restoreGroup tells the device of one group, which may take thousands of commands.
func (d *device) restoreGroup(ctx context.Context, n *negotiated, group setting, first bool) error {
	op := "set again what was set before the reset"
	if first {
		op = "set what the configuration asks for"
	}
	return group.restore(&commander{device: d, ctx: ctx, op: op, n: n})
}
