package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// check compiles the streams of the options once, so that what is wrong with them is found
// before a port is opened.
func (p *plan) check() error {
	for _, size := range p.allSizes() {
		for _, s := range p.traffic.streams([]port{{}}, size, false) {
			program, err := s.Compile(traffic.Options{})
			if err != nil {
				return p.wrongPacket(size, err)
			}
			p.longest = max(p.longest, program.MaxLen())
			if s.Latency {
				continue
			}
			pps, err := p.rate.PPS(program.MeanLen(), p.lineRate)
			if err != nil {
				return wrong("rate", p.rate.String(), err)
			}
			_, pattern, _, err := s.Pacing()
			if err == nil {
				_, err = pace.New(pace.Config{PPS: pps, Pattern: pattern})
			}
			if err != nil {
				return wrong("pattern", s.Pattern.Kind, err)
			}
		}
	}
	return nil
}

// checkScenario compiles the streams of the scenario once.
func (p *plan) checkScenario() error {
	s := p.traffic.scenario
	for i := range s.Streams {
		if s.Streams[i].Replay != nil {
			r, err := s.OpenReplay(i, traffic.Options{})
			if err != nil {
				return err
			}
			p.longest = max(p.longest, r.MaxLen())
			continue
		}
		program, err := s.Compile(i, traffic.Options{})
		if err != nil {
			return err
		}
		p.longest = max(p.longest, program.MaxLen())
	}
	return nil
}

// wrongPacket makes the error of a stream one of the option that is to be changed.
func (p *plan) wrongPacket(size traffic.Size, err error) error {
	var e *traffic.Error
	switch {
	case errors.As(err, &e) && strings.HasPrefix(e.Field, "fields"):
		return wrong("flows", strconv.Itoa(p.traffic.flows), err)
	case e != nil && e.Field == "payload":
		return wrong("payload", e.Value, err)
	}
	return wrong("size", size.String(), err)
}

// wrongSize makes the error of a bench that of an option if it is about packets of a size
// that options say.
func (p *plan) wrongSize(size traffic.Size, err error) error {
	var e *traffic.Error
	if p.traffic.scenario == nil && errors.As(err, &e) {
		return p.wrongPacket(size, err)
	}
	return err
}

// checkRange checks that there are rates between the least and the largest one, if that is
// given, for packets of each size. Those of a scenario are only known when it is sent.
func (p *plan) checkRange() error {
	if p.traffic.scenario != nil {
		return nil
	}
	for _, size := range p.allSizes() {
		program, err := p.traffic.streams([]port{{}}, size, false)[0].Compile(traffic.Options{})
		if err != nil {
			return p.wrongPacket(size, err)
		}
		least, err := p.search.minRate.PPS(program.MeanLen(), p.lineRate)
		if err != nil {
			return wrong("min-rate", p.search.minRate.String(), err)
		}
		if !p.search.hasMax {
			continue
		}
		most, err := p.search.maxRate.PPS(program.MeanLen(), p.lineRate)
		if err != nil {
			return wrong("max-rate", p.search.maxRate.String(), err)
		}
		if most <= least {
			return &command.UsageError{Option: "max-rate", Value: p.search.maxRate.String(),
				Reason: fmt.Sprintf("not above the --min-rate, %s", p.search.minRate), Remedy: "give a larger rate, or a smaller --min-rate"}
		}
	}
	return nil
}
