package main

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// A command changes what a device negotiates, or the size of its rings, by opening its port
// again: at once, or when the port is started if it has to be stopped for the command.

// wanted returns how a port is opened next.
func (p *port) wanted() devargs.Spec {
	if p.next != nil {
		return *p.next
	}
	return p.spec
}

// want has a port opened like that when it is started.
func (p *port) want(spec devargs.Spec) { p.next = &spec }

// offers reports whether a device has a feature to negotiate. One in software has all of them.
func (p *port) offers(features ...virtio.Feature) bool {
	if p.spec.Kind == devargs.Emu {
		return true
	}
	offered := virtio.Features{}
	for _, f := range p.dev.Info().Features {
		if f.Offered {
			offered = offered.With(f.Feature)
		}
	}
	return virtio.FeatureSet(features...).Minus(offered).Empty()
}

// reopen opens a port again with other properties, and sets on it what commands have set before.
// If it cannot be opened like that, it is opened as it was.
func (t *tester) reopen(p *port, spec devargs.Spec) error {
	former, kept := p.spec, keep(p)
	if spec.MAC == nil && spec.Kind == devargs.VhostUser {
		spec.MAC = p.dev.MAC() // it has none of its own, and would be given another
	}
	if err := t.set.Remove(p.number); err != nil {
		return err
	}
	err := t.set.Add(t.ctx, p.number, spec)
	if err != nil {
		spec = former
		if again := t.set.Add(t.ctx, p.number, spec); again != nil {
			t.ports[p.number] = nil
			return fmt.Errorf("%w\n  the port is closed, as it cannot be opened as before either: %w; port attach %s adds it again",
				err, again, former.Device())
		}
	}
	again := t.record(p.number, spec)
	again.stopped, again.tags, again.csum, again.given, again.vlans = p.stopped, p.tags, p.csum, p.given, p.vlans
	*p = *again
	t.ports[p.number] = p
	if failed := t.withDevices(func() error { return kept.apply(t.ctx, p.dev) }); err == nil {
		return failed
	}
	return err
}
