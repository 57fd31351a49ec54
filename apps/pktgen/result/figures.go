package result

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// figure is a plot with what stands around it.
type figure struct {
	ID, Title, Sub string
	SVG            template.HTML
	Legend         []string // of the series, in their order; empty if there is one alone
}

// newFigure draws a plot. The description says what is to be seen, and where the numbers are.
func newFigure(id, title, sub string, p *plot.Plot, legend []string) (figure, error) {
	description := sub + ". The table beside it has the numbers."
	if len(legend) > 0 {
		description = sub + ". Series: " + strings.Join(legend, ", ") + ". The table beside it has the numbers."
	}
	svg, err := inlineSVG(p, id, title, description)
	if len(legend) == 1 {
		legend = nil
	}
	return figure{ID: id, Title: title, Sub: sub, SVG: svg, Legend: legend}, err
}

// names returns the different values of a sequence in the order of their first use.
func names[T any](list []T, name func(T) string) []string {
	var found []string
	for _, v := range list {
		if n := name(v); !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	return found
}

// withFCS returns the name of a size as plots have it: fixed sizes count the FCS.
func withFCS(s Size) string {
	if s.Min == s.Max {
		return strconv.Itoa(s.Min + fcsLen)
	}
	return s.Name
}

// rateUnit is a way to look at rates.
type rateUnit struct {
	id, title string
	of        func(Rate) float64
	text      func(float64) string
}

// throughputFigures are the bounds of all goals by size, in packets and in bits; none if no
// lower bound was found.
func throughputFigures(searches []Search) ([]figure, error) {
	var list []figure
	for _, u := range []rateUnit{
		{"throughput-pps", "Throughput in packets", func(r Rate) float64 { return r.PPS }, PPSText},
		{"throughput-l1", "Throughput on the wire (L1)", func(r Rate) float64 { return r.L1BPS }, bpsText},
	} {
		p := throughputPlot(searches, u)
		if p == nil {
			return nil, nil
		}
		f, err := newFigure(u.id, u.title, "Bar: relevant lower bound (median of repetitions); "+
			"whisker: from the lowest lower to the highest upper bound", p, goalNames(searches))
		if err != nil {
			return nil, err
		}
		list = append(list, f)
	}
	return list, nil
}

// throughputPlot returns nil if there is nothing to plot.
func throughputPlot(searches []Search, u rateUnit) *plot.Plot {
	goals := goalNames(searches)
	sizes := names(searches, func(s Search) string { return withFCS(s.Size) })
	p := newPlot("frame size in bytes, with FCS", categories(sizes), linearTicks{u.text})
	found := false
	for g, goal := range goals {
		b := bars{series: g, of: len(goals), from0: true}
		for i, size := range sizes {
			if v, ok := boundsOf(searches, size, goal, u.of); ok {
				v.category = i
				b.intervals = append(b.intervals, v)
			}
		}
		if len(b.intervals) > 0 {
			p.Add(b)
			found = true
		}
	}
	if !found {
		return nil
	}
	p.X.Min, p.X.Max = -0.5, float64(len(sizes))-0.5
	p.Y.Min, p.Y.Max = 0, max(p.Y.Max, 1)*1.04
	return p
}

func goalNames(searches []Search) []string {
	var goals []GoalResult
	for _, s := range searches {
		goals = append(goals, s.Goals...)
	}
	return names(goals, func(g GoalResult) string { return g.Goal.Name })
}

// boundsOf sums up the repetitions of a search for a goal.
func boundsOf(searches []Search, size, goal string, of func(Rate) float64) (interval, bool) {
	var lower []float64
	high := 0.0
	for _, s := range searches {
		for _, g := range s.Goals {
			if withFCS(s.Size) != size || g.Goal.Name != goal || g.LowerBound == nil {
				continue
			}
			lower = append(lower, of(g.LowerBound.Load))
			high = max(high, of(g.LowerBound.Load))
			if g.UpperBound != nil {
				high = max(high, of(g.UpperBound.Load))
			}
		}
	}
	if len(lower) == 0 {
		return interval{}, false
	}
	return interval{low: slices.Min(lower), mark: median(lower), high: high}, true
}

// lossFigure is the loss of all sizes by load.
func lossFigure(curves []LossCurve) (figure, error) {
	percent := func(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) + " %" }
	p := newPlot("offered load, of the maximum", linearTicks{percent}, linearTicks{percent})
	var legend []string
	highest := 0.0
	sub := "Lost frames in percent of those sent"
	curves, sub = firstOf(curves, sub)
	for i, c := range curves {
		var points plotter.XYs
		for _, pt := range c.Points {
			points = append(points, plotter.XY{X: pt.Percent, Y: 100 * pt.LossRatio})
			highest = max(highest, 100*pt.LossRatio)
		}
		slices.SortFunc(points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
		if len(points) > 0 {
			p.Add(line{series: i, points: points, marks: true})
		}
		legend = append(legend, withFCS(c.Size)+" bytes")
	}
	p.X.Min, p.X.Max = 0, max(p.X.Max, 100)
	p.Y.Min, p.Y.Max = 0, max(highest*1.05, 1)
	return newFigure("loss", "Frame loss by offered load", sub, p, legend)
}

// curvePoints returns the points of a percentile curve, ending with the maximum where the
// slowest of all samples stands.
func curvePoints(l Latency) plotter.XYs {
	curve := l.Curve
	if len(curve) == 0 {
		curve = []Quantile{{0, l.Min}, {50, l.P50}, {90, l.P90}, {99, l.P99}, {99.9, l.P999}, {99.99, l.P9999}}
	}
	const last = 6 // nines
	end := min(math.Log10(float64(max(l.Samples, 2))), last)
	var points plotter.XYs
	for _, q := range curve {
		if x := nines(q.Percentile); q.Percentile < 100 && x < end {
			points = append(points, plotter.XY{X: x, Y: float64(max(q.Value, 1))})
		}
	}
	return append(points, plotter.XY{X: end, Y: float64(max(l.Max, 1))})
}

// firstOf returns as many series as a plot can tell apart, and says so if that is not all.
func firstOf[T any](list []T, sub string) ([]T, string) {
	if len(list) <= seriesRoles {
		return list, sub
	}
	return list[:seriesRoles], fmt.Sprintf("%s; the first %d of %d", sub, seriesRoles, len(list))
}

// namedLatency is a latency with the name that it has in a legend.
type namedLatency struct {
	name string
	Latency
}

// percentileFigure draws percentile curves.
func percentileFigure(id, title string, list []namedLatency) (figure, error) {
	p := newPlot("percentile", nineTicks(), nil)
	var legend []string
	end, low, high := 1.0, math.Inf(1), 1.0
	list, sub := firstOf(list, "Latency that this share of the packets did not exceed; the end is the maximum")
	for i, l := range list {
		points := curvePoints(l.Latency)
		p.Add(line{series: i, points: points})
		legend = append(legend, l.name)
		for _, pt := range points {
			end, low, high = max(end, pt.X), min(low, pt.Y), max(high, pt.Y)
		}
	}
	p.X.Min, p.X.Max = 0, end*1.02
	scaleLatency(p, low, high)
	return newFigure(id, title, sub, p, legend)
}

// loadFigure is the latency at all loads by size.
func loadFigure(list []LatencyAtLoad) (figure, error) {
	sizes := names(list, func(l LatencyAtLoad) string { return withFCS(l.Size) })
	var points []LoadPoint
	for _, l := range list {
		points = append(points, l.Points...)
	}
	loads := names(points, func(p LoadPoint) string { return loadName(p) })
	p := newPlot("frame size in bytes, with FCS", categories(sizes), nil)
	low, high := math.Inf(1), 1.0
	for s, load := range loads {
		b := bars{series: s, of: len(loads)}
		for _, l := range list {
			for _, pt := range l.Points {
				if loadName(pt) != load || pt.Latency.Samples == 0 {
					continue
				}
				median, p99 := max(float64(pt.Latency.P50), 1), max(float64(pt.Latency.P99), 1)
				b.intervals = append(b.intervals,
					interval{slices.Index(sizes, withFCS(l.Size)), median, median, p99})
				low, high = min(low, median), max(high, p99)
			}
		}
		if len(b.intervals) > 0 {
			p.Add(b)
		}
	}
	p.X.Min, p.X.Max = -0.5, float64(len(sizes))-0.5
	scaleLatency(p, low, high)
	return newFigure("latency-load", "Latency at parts of the throughput",
		"Dot: median; line: up to the 99th percentile; loads in percent of the rate that was found", p, loads)
}

func loadName(p LoadPoint) string { return strconv.FormatFloat(p.Percent, 'g', 4, 64) + " %" }

// rateFigure is what a trial sent and received over time.
func rateFigure(id string, t Trial) (figure, error) {
	p := newPlot("time", linearTicks{secondsText}, linearTicks{PPSText})
	var tx, rx plotter.XYs
	for _, i := range t.Intervals {
		at := float64(i.Start+i.Duration/2) / 1e9
		tx = append(tx, plotter.XY{X: at, Y: i.TxPPS})
		rx = append(rx, plotter.XY{X: at, Y: i.RxPPS})
	}
	p.Add(line{series: 0, points: tx}, line{series: 1, points: rx})
	p.X.Min, p.X.Max = 0, intervalsEnd(t)
	p.Y.Min, p.Y.Max = 0, max(p.Y.Max, 1)*1.1
	return newFigure(id, "Rate over time", "Packets sent and received per second, in intervals of "+
		durationText(t.Intervals[0].Duration), p, []string{"sent", "received"})
}

// latencyTimeFigure is the latency of a trial over time.
func latencyTimeFigure(id string, t Trial) (figure, error) {
	p := newPlot("time", linearTicks{secondsText}, nil)
	legend := []string{"median", "99th percentile", "maximum"}
	points := make([]plotter.XYs, len(legend))
	low, high := math.Inf(1), 1.0
	for _, i := range t.Intervals {
		if i.LatencyMax == 0 {
			continue
		}
		at := float64(i.Start+i.Duration/2) / 1e9
		for s, v := range []int64{i.LatencyP50, i.LatencyP99, i.LatencyMax} {
			y := float64(max(v, 1))
			points[s] = append(points[s], plotter.XY{X: at, Y: y})
			low, high = min(low, y), max(high, y)
		}
	}
	for s := range points {
		p.Add(line{series: s, points: points[s]})
	}
	p.X.Min, p.X.Max = 0, intervalsEnd(t)
	scaleLatency(p, low, high)
	return newFigure(id, "Latency over time", "Latency of the packets received in each interval", p, legend)
}

func secondsText(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) + " s" }

func intervalsEnd(t Trial) float64 {
	last := t.Intervals[len(t.Intervals)-1]
	return max(float64(last.Start+last.Duration)/1e9, 1e-9)
}

// trialID returns the ID of the i-th trial's part of the page.
func trialID(i int, part string) string { return fmt.Sprintf("trial-%d-%s", i+1, part) }
