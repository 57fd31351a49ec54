package result

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// dashes tell series apart that are printed without colours.
var dashes = [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 3, 2, 3}, {12, 4}, {1, 3}, {4, 2, 1, 2}, {10, 2, 2, 2, 2, 2}}

// line draws a series as a line through its points, each marked.
type line struct {
	series int
	points plotter.XYs
	marks  bool
}

// Plot implements plot.Plotter.
func (l line) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at := make([]vg.Point, len(l.points))
	for i, pt := range l.points {
		at[i] = vg.Point{X: x(pt.X), Y: y(pt.Y)}
	}
	c.StrokeLines(draw.LineStyle{
		Color: seriesRole(l.series), Width: vg.Points(2), Dashes: dashes[l.series%len(dashes)],
	}, at)
	if !l.marks && len(at) > 1 {
		return
	}
	for _, pt := range at {
		disc(c, pt, 5, roleSurface)
		disc(c, pt, 3.5, seriesRole(l.series))
	}
}

// DataRange implements plot.DataRanger.
func (l line) DataRange() (xmin, xmax, ymin, ymax float64) { return plotter.XYRange(l.points) }

// disc fills a circle.
func disc(c draw.Canvas, at vg.Point, radius vg.Length, color role) {
	c.DrawGlyph(draw.GlyphStyle{Color: color, Radius: radius, Shape: draw.CircleGlyph{}}, at)
}

// interval is a value at a category with the range that it may be in.
type interval struct {
	category        int
	low, mark, high float64
}

// bars draws the intervals of one of several series side by side: as a bar from 0 to the
// mark, if from0 is set, and a whisker from low to high; else as a thick line from low to
// high with a dot at the mark.
type bars struct {
	series, of int
	intervals  []interval
	from0      bool
}

// center returns where the i-th interval stands, and the width that it may take.
func (b bars) center(i interval) (at, width float64) {
	width = min(0.72/float64(b.of), 0.36)
	return float64(i.category) + (float64(b.series)-float64(b.of-1)/2)*width, width
}

// Plot implements plot.Plotter.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	color := seriesRole(b.series)
	for _, i := range b.intervals {
		at, width := b.center(i)
		middle := x(at)
		if !b.from0 {
			c.StrokeLine2(draw.LineStyle{Color: color, Width: vg.Points(3)}, middle, y(i.low), middle, y(i.high))
			disc(c, vg.Point{X: middle, Y: y(i.mark)}, 6, roleSurface)
			disc(c, vg.Point{X: middle, Y: y(i.mark)}, 4.5, color)
			continue
		}
		half := (x(at+width) - middle) / 2 * 0.86
		c.FillPolygon(color, []vg.Point{
			{X: middle - half, Y: y(p.Y.Min)}, {X: middle + half, Y: y(p.Y.Min)},
			{X: middle + half, Y: y(i.mark)}, {X: middle - half, Y: y(i.mark)},
		})
		whisker := draw.LineStyle{Color: roleText, Width: vg.Points(1.5)}
		tip := min(half*0.6, vg.Points(6))
		c.StrokeLine2(whisker, middle, y(i.low), middle, y(i.high))
		c.StrokeLine2(whisker, middle-tip, y(i.low), middle+tip, y(i.low))
		c.StrokeLine2(whisker, middle-tip, y(i.high), middle+tip, y(i.high))
	}
}

// DataRange implements plot.DataRanger.
func (b bars) DataRange() (xmin, xmax, ymin, ymax float64) {
	points := make(plotter.XYs, 0, 2*len(b.intervals))
	for _, i := range b.intervals {
		at, width := b.center(i)
		points = append(points, plotter.XY{X: at - width, Y: i.low}, plotter.XY{X: at + width, Y: i.high})
	}
	return plotter.XYRange(points)
}
