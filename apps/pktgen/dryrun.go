package main

import (
	"io"
	"math"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// dryRun is what is shown or written of the packets, and that no port is opened.
type dryRun struct {
	wanted  bool
	file    string // a capture, or "" to print
	packets int    // of each stream
}

// planned is a stream of a dry run.
type planned struct {
	name    string
	packets traffic.Packets
	pacer   *pace.Pacer
	left    int
}

// run prints or writes the packets of all streams, at the times at which they are due. An
// endless rate has none: its packets are written as if they took no time.
func (d *dryRun) run(p *plan, stdout io.Writer) error {
	var all []*planned
	for _, size := range p.allSizes() {
		list, err := p.planned(size)
		if err != nil {
			return err
		}
		all = append(all, list...)
	}
	if d.file == "" {
		for _, s := range all {
			if err := traffic.Dump(stdout, s.name, s.packets, d.packets); err != nil {
				return err
			}
		}
		return nil
	}
	capture, err := traffic.NewCapture(d.file)
	if err != nil {
		return err
	}
	for _, s := range all {
		s.left = d.packets
	}
	merge(all, time.Now(), capture)
	return capture.Close()
}

// merge writes the packets of all streams in the order in which they are due.
func merge(all []*planned, start time.Time, capture *traffic.Capture) {
	for {
		var first *planned
		at := int64(math.MaxInt64)
		for _, s := range all {
			if s.left > 0 && !s.pacer.Done() && s.pacer.Oldest() < at {
				first, at = s, s.pacer.Oldest()
			}
		}
		if first == nil {
			return
		}
		data := make([]byte, first.packets.MaxLen())
		n := first.packets.Next(data, at)
		first.pacer.Due(at)
		first.pacer.Advance(1)
		first.left--
		capture.Add(start.Add(time.Duration(at)), data[:n])
	}
}

// planned compiles the streams of a size.
func (p *plan) planned(size traffic.Size) ([]*planned, error) {
	var list []*planned
	var streams []*traffic.Stream
	if s := p.traffic.scenario; s != nil {
		for i := range s.Streams {
			streams = append(streams, &s.Streams[i])
		}
	} else {
		streams = p.traffic.streams(p.ports(), size, p.oneWay)
	}
	for i, s := range streams {
		one, err := p.plannedStream(i, s)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// ports returns as many ports as the command line has, one if it has none, without
// addresses.
func (p *plan) ports() []port { return make([]port, max(len(p.specs), 1)) }

// plannedStream compiles a stream, which has a number in the scenario.
func (p *plan) plannedStream(i int, s *traffic.Stream) (*planned, error) {
	o := traffic.Options{ID: uint16(i)}
	rate, pattern, set, err := s.Pacing()
	if err != nil {
		return nil, err
	}
	if !set {
		rate = p.rate
	}
	one := &planned{name: s.Name}
	meanLen := 0.0
	if s.Replay != nil {
		r, err := p.traffic.scenario.OpenReplay(i, o)
		if err != nil {
			return nil, err
		}
		one.packets, meanLen, pattern = r, r.MeanLen(), r.Pattern()
	} else {
		program, err := p.compile(i, s, o)
		if err != nil {
			return nil, err
		}
		one.packets, meanLen = program, program.MeanLen()
	}
	pps, err := rate.PPS(meanLen, p.lineRate)
	if err != nil {
		return nil, err
	}
	if math.IsInf(pps, 1) {
		pps = pace.MaxPPS
	}
	one.pacer, err = pace.New(pace.Config{PPS: pps, Pattern: pattern, Burst: 1})
	if err != nil {
		return nil, err
	}
	one.pacer.Start(0, pace.Forever)
	return one, nil
}

func (p *plan) compile(i int, s *traffic.Stream, o traffic.Options) (*traffic.Program, error) {
	if p.traffic.scenario != nil {
		return p.traffic.scenario.Compile(i, o)
	}
	return s.Compile(o)
}
