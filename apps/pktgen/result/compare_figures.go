package result

import "strconv"

// samples collects the figures of a report by their names.
type samples struct {
	list  []*sample
	index map[string]*sample
}

// samplesOf returns all figures of a report, repetitions of one together, in the order of
// the report.
func samplesOf(r *Report) []*sample {
	s := &samples{index: map[string]*sample{}}
	for _, search := range r.Searches {
		s.search(search)
	}
	for _, m := range r.MRR {
		for _, pps := range m.Trials {
			s.add("maximum receive rate, "+sizeLabel(m.Size), "pps", true, pps)
		}
	}
	for _, c := range r.LossCurves {
		for _, p := range c.Points {
			s.add("loss at "+percentText(p.Percent)+" load, "+sizeLabel(c.Size), "ratio", false, p.LossRatio)
		}
	}
	for _, l := range r.LatencyAtLoad {
		for _, p := range l.Points {
			s.latency("at "+percentText(p.Percent)+" of "+l.Reference+", "+sizeLabel(l.Size), p.Latency)
		}
	}
	for _, b := range r.BackToBack {
		for _, n := range b.Bursts {
			s.add("longest burst, "+sizeLabel(b.Size), "packets", true, float64(n))
		}
	}
	for _, t := range r.Trials {
		s.trial(t)
	}
	return s.list
}

// add adds a measurement of a figure.
func (s *samples) add(name, unit string, higherIsBetter bool, value float64) *sample {
	f := s.index[name]
	if f == nil {
		f = &sample{name: name, unit: unit, higherIsBetter: higherIsBetter}
		s.index[name] = f
		s.list = append(s.list, f)
	}
	f.values = append(f.values, value)
	return f
}

// search adds the lower bounds. Without an upper one a search says nothing of what lies above.
func (s *samples) search(search Search) {
	for _, g := range search.Goals {
		if g.LowerBound == nil {
			continue
		}
		f := s.add("lower bound of goal "+g.Goal.Name+", "+sizeLabel(search.Size), "pps", true, g.LowerBound.Load.PPS)
		if g.UpperBound != nil {
			f.low = append(f.low, g.LowerBound.Load.PPS)
			f.high = append(f.high, g.UpperBound.Load.PPS)
		}
	}
}

func (s *samples) trial(t Trial) {
	if t.Sent+t.Unsent > 0 {
		s.add("received, "+t.Name, "pps", true, t.Received.PPS)
		s.add("loss, "+t.Name, "ratio", false, t.LossRatio)
	}
	for _, stream := range t.Streams {
		if stream.Latency != nil {
			s.latency("stream "+stream.Name+", "+t.Name, *stream.Latency)
		}
	}
}

// latency adds the percentiles of a latency that was measured.
func (s *samples) latency(where string, l Latency) {
	if l.Samples == 0 {
		return
	}
	for _, p := range []struct {
		name  string
		value int64
	}{{"min", l.Min}, {"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999}, {"p99.99", l.P9999}, {"max", l.Max}} {
		s.add("latency "+p.name+" "+where, "ns", false, float64(p.value))
	}
}

func sizeLabel(s Size) string { return sizeCell(s) + " bytes" }

func percentText(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) + " %" }
