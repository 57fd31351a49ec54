package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// calibrationTime is how long each measurement of pktgen itself takes.
const calibrationTime = 200 * time.Millisecond

// defaultMTU is that of ports that state none.
const defaultMTU = 1500

// calibrate measures pktgen itself, over a cable without a device under test: the latency
// that it has in it, and for a search the rate that it reaches. What cannot be measured
// is noted in the report.
func (p *plan) calibrate(ctx context.Context, r *result.Report) {
	if ctx.Err() == nil && p.latencyMeasured() {
		bias, err := meter.Loopback{Duration: calibrationTime, Burst: p.options.Burst, CPUs: p.options.CPUs}.Measure(ctx)
		switch {
		case err == nil:
			l := bias.Summary()
			r.Disclosure.Latency.Bias = &l
		case ctx.Err() != nil:
			return // opening the ports says that
		default:
			p.options.Logger.Warn("the latency of pktgen itself is not known", "err", err)
		}
	}
	if !p.search.wanted() || p.traffic.scenario != nil {
		return
	}
	for _, size := range p.allSizes() {
		limit, err := p.loopback(ctx, size)
		if err != nil {
			return // the report says that it was not measured
		}
		r.Disclosure.Limits.Loopback = append(r.Disclosure.Limits.Loopback, limit)
	}
}

// latencyMeasured reports whether some stream's latency is measured.
func (p *plan) latencyMeasured() bool {
	return p.hasLatency() && (!p.search.wanted() || p.search.latency)
}

// hasLatency reports whether the options or the scenario describe a stream whose latency can
// be measured.
func (p *plan) hasLatency() bool {
	if s := p.traffic.scenario; s != nil {
		return slices.ContainsFunc(s.Streams, func(s traffic.Stream) bool { return s.Latency })
	}
	return p.traffic.latency > 0
}

// loopback returns what pktgen sends and receives of a size over a cable.
func (p *plan) loopback(ctx context.Context, size traffic.Size) (limit result.LoopbackMaximum, err error) {
	self := *p
	end := fmt.Sprintf("emu:cable=self,mtu=%d", max(p.longest, defaultMTU))
	if self.specs, err = portset.Parse([]string{end, end}); err != nil {
		return limit, err
	}
	set, err := portset.Open(ctx, portset.Config{Specs: self.specs, Frame: p.longest, Burst: p.options.Burst, PollDevices: true,
		Pollers: pollers.Count(p.options.CPUs), NoHuge: p.options.NoHuge, Logger: p.options.Logger})
	if err != nil {
		return limit, err
	}
	defer func() { err = errors.Join(err, set.Close()) }()
	r := newRig(&self, set)
	defer r.stop()
	streams := self.traffic.streams(r.ports(), size, p.oneWay)
	if err := r.change(streams, pace.Rate{Unit: pace.Max}, true); err != nil {
		return limit, err
	}
	b, _ := r.current()
	t, err := b.Trial(ctx, generator.Run{Duration: calibrationTime, Tolerance: 1})
	if err != nil {
		return limit, err
	}
	return result.LoopbackMaximum{Size: sizeOf(b, size), Rate: t.Received,
		Method: fmt.Sprintf("%v at rate max between two software devices in this process, on the CPUs of the measurement", calibrationTime)}, nil
}
