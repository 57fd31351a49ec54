package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// readIdle reads whether pollers sleep, and has the ports interrupt then.
func (p *plan) readIdle(c *cli.Context) error {
	if !c.Bool("adaptive") {
		if c.IsSet("idle") {
			return &command.UsageError{Option: "idle", Value: c.Generic("idle").(fmt.Stringer).String(),
				Reason: "pollers do not sleep", Remedy: "give --adaptive as well"}
		}
		return nil
	}
	var err error
	if p.idle, err = command.ReadTime(c, "idle"); err != nil || p.idle == 0 {
		return err
	}
	if !p.mode.sleeps() && !p.drives() {
		return &command.UsageError{Option: "adaptive", Reason: p.mode.name + " has something to do when no packets come",
			Remedy: "leave it out, or use another mode"}
	}
	p.keys = append(p.keys, "intr=1")
	return nil
}

// sleeps reports whether a mode has nothing to do while no packets come.
func (m *mode) sleeps() bool { return m.receives && !m.everyRound && m.name != "noisy" }

// pollersOf returns the pollers as functions, which sleep if the plan says so and the mode can.
func (e *engine) pollersOf() []pollers.Poller {
	var list []pollers.Poller
	for i := range e.pollers {
		p := &e.pollers[i]
		one := pollers.Poller{Poll: p.function(), Abandon: p.abandon}
		if e.plan.idle > 0 && e.plan.mode.sleeps() {
			s := &pollers.Sleeper{Rx: p.receiving(), Tx: p.sending()}
			e.sleepers = append(e.sleepers, s)
			one.Sleep = lcore.Sleep{Idle: e.plan.idle, Wait: s.Wait}
		}
		list = append(list, one)
	}
	return list
}

func (p *poller) receiving() []*driver.RxQueue {
	var list []*driver.RxQueue
	for _, s := range p.streams {
		list = append(list, s.rx)
	}
	return list
}

func (p *poller) sending() []*driver.TxQueue {
	var list []*driver.TxQueue
	for _, s := range p.streams {
		if s.tx != nil {
			list = append(list, s.tx)
		}
	}
	return list
}
