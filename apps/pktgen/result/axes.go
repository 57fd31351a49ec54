package result

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// newPlot returns an empty plot in the style of the page: horizontal lines, no frame.
func newPlot(xLabel string, x, y plot.Ticker) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Tick.Label.Font = font.Font{Typeface: "Liberation", Variant: "Sans", Size: 12}
		a.Tick.Label.Color = roleText
		a.Tick.LineStyle = draw.LineStyle{Color: roleAxis, Width: vg.Points(1)}
		a.LineStyle = draw.LineStyle{Color: roleAxis, Width: vg.Points(1)}
		a.Label.TextStyle.Font = a.Tick.Label.Font
		a.Label.TextStyle.Color = roleText
	}
	p.X.Label.Text = xLabel
	p.X.Label.Padding = vg.Points(4)
	p.X.Padding = 0
	p.X.Tick.Marker = x
	p.Y.Padding = vg.Points(6)
	p.Y.LineStyle.Width = 0
	p.Y.Tick.Length = 0
	p.Y.Tick.Marker = y
	p.Add(gridLines{})
	return p
}

// gridLines draws a line at each labelled tick of the Y axis.
type gridLines struct{}

// Plot implements plot.Plotter.
func (gridLines) Plot(c draw.Canvas, p *plot.Plot) {
	_, y := p.Transforms(&c)
	style := draw.LineStyle{Color: roleGrid, Width: vg.Points(1)}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if at := y(t.Value); !t.IsMinor() && at >= c.Min.Y && at <= c.Max.Y {
			c.StrokeLine2(style, c.Min.X, at, c.Max.X, at)
		}
	}
}

// linearTicks are at multiples of 1, 2 or 5 times a power of ten.
type linearTicks struct {
	format func(float64) string
}

// Ticks implements plot.Ticker.
func (l linearTicks) Ticks(low, high float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/4)))
	for _, factor := range []float64{5, 2} {
		if (high-low)/(step*factor) >= 4 {
			step *= factor
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(low / step); i*step <= high*(1+1e-9); i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: l.format(i * step)})
	}
	return ticks
}

// logTicks are at 1, 2 and 5 times the powers of ten; at the powers alone if there are many.
type logTicks struct {
	format func(float64) string
}

// Ticks implements plot.Ticker.
func (l logTicks) Ticks(low, high float64) []plot.Tick {
	factors := []float64{1, 2, 5}
	if high/low > 2000 {
		factors = factors[:1]
	}
	var ticks []plot.Tick
	for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
		for _, f := range factors {
			if v := decade * f; v >= low*(1-1e-9) && v <= high*(1+1e-9) {
				ticks = append(ticks, plot.Tick{Value: v, Label: l.format(v)})
			}
		}
	}
	return ticks
}

// fixedTicks are at given places.
type fixedTicks []plot.Tick

// Ticks implements plot.Ticker.
func (f fixedTicks) Ticks(_, _ float64) []plot.Tick { return f }

// mostLabels is how many names fit below a plot.
const mostLabels = 14

// categories returns ticks at 0, 1, 2 … with the given names, or every n-th of many.
func categories(names []string) fixedTicks {
	var ticks fixedTicks
	every := (len(names) + mostLabels - 1) / mostLabels
	for i, name := range names {
		if i%every != 0 {
			continue
		}
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: name})
	}
	return ticks
}

// nines returns where a percentile stands on an axis on which each further nine takes as
// much room: 0 % at 0, 90 % at 1, 99 % at 2.
func nines(percentile float64) float64 {
	return -math.Log10(1 - percentile/100)
}

// nineTicks are at 0, 50, 90, 99 … percent.
func nineTicks() fixedTicks {
	ticks := fixedTicks{{Value: 0, Label: "0 %"}, {Value: nines(50), Label: "50 %"}}
	for i, name := range []string{"90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"} {
		ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: name})
	}
	return ticks
}

// scaleLatency makes the Y axis logarithmic if the values are far apart, and lets it begin
// at 0 else. All values are positive.
func scaleLatency(p *plot.Plot, low, high float64) {
	low = max(low, 1)
	high = max(high, low)
	text := func(v float64) string { return nsText(v) }
	if high/low < 20 {
		p.Y.Min, p.Y.Max = 0, high*1.05
		p.Y.Tick.Marker = linearTicks{text}
		return
	}
	p.Y.Scale = plot.LogScale{}
	p.Y.Min, p.Y.Max = floorNice(low), ceilNice(high)
	p.Y.Tick.Marker = logTicks{text}
}

// floorNice and ceilNice return the next of 1, 2, 5, 10, 20 … below and above v.
func floorNice(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{5, 2} {
		if v >= decade*f {
			return decade * f
		}
	}
	return decade
}

func ceilNice(v float64) float64 {
	decade := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= decade*f*(1+1e-9) {
			return decade * f
		}
	}
	return decade * 10
}
