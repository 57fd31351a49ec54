package portset

import (
	"context"
	"errors"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/await"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

// spare returns what the ports that may come later are taken to be: like the first, or as many
// ports are.
func (c *Config) spare() []devargs.Spec {
	list := make([]devargs.Spec, c.Spare)
	for i := range list {
		if list[i].Kind = devargs.VhostUser; len(c.Specs) > 0 {
			list[i] = c.Specs[0]
		}
	}
	return list
}

// Add opens one port more, or a port again whose place is empty after [Set.Remove]. A place
// beyond the last is made. The pool must have room for it, which Spare is for: if not, the error
// is one of the command line.
func (s *Set) Add(ctx context.Context, i int, spec devargs.Spec) error {
	for len(s.Ports) <= i {
		s.Ports, s.EmuPolls = append(s.Ports, nil), append(s.EmuPolls, nil)
		s.config.Specs = append(s.config.Specs, devargs.Spec{})
	}
	if s.Ports[i] != nil {
		return fmt.Errorf("port %d is open", i)
	}
	if err := spec.Check(s.config.root); err != nil {
		return named(spec, s.config.addUse(spec, err))
	}
	if err := s.room(i, spec); err != nil {
		return named(spec, err)
	}
	o := s.options
	if s.config.PollDevices {
		o.EmuPoll = &s.EmuPolls[i]
	}
	port, err := s.config.openPort(ctx, spec, o)
	if await.Left(err) {
		s.left = true
	}
	if err != nil {
		return named(spec, tooSmall(err))
	}
	s.Ports[i], s.config.Specs[i] = port, spec
	return nil
}

// room returns an error if the pool is too small for the rings of the open ports and one more in
// place i.
func (s *Set) room(i int, spec devargs.Spec) error {
	need := 0
	for j := range s.Ports {
		each := s.config.Specs[j]
		switch {
		case j == i:
			each = spec
		case s.Ports[j] == nil:
			continue
		}
		need += max(each.Queues, 1) * (each.RxRing() + driver.MinSpare)
	}
	if have := s.Pool.Size(); have < need {
		return errors.Unwrap(&poolSizeError{size: have, need: need})
	}
	return nil
}

// Remove closes a port, whose place stays empty. Nothing polls it any more.
func (s *Set) Remove(i int) error {
	port := s.Ports[i]
	if port == nil {
		return nil
	}
	s.Ports[i], s.EmuPolls[i] = nil, nil
	if err := port.Close(); err != nil {
		s.left = true // it may use the memory
		return fmt.Errorf("closing port %s: %w", s.config.Specs[i].Text, err)
	}
	return nil
}
