package result

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The size of a plot in CSS pixels, which vgsvg calls points.
const (
	plotWidth  = 560
	plotHeight = 300
)

// role is what a mark is for. A plot is drawn in colours that stand for roles and are
// replaced by the custom properties of the page, which follow its light or dark scheme.
type role uint8

const (
	roleText role = iota
	roleGrid
	roleAxis
	roleSurface
	roleSeries // and those after it
)

// seriesRoles is how many series have a colour of their own.
const seriesRoles = 8

// RGBA makes a role a color.Color that no other one is equal to.
func (r role) RGBA() (red, green, blue, alpha uint32) {
	return color.RGBA{R: 1, G: 2, B: uint8(r), A: 0xff}.RGBA()
}

// property returns the custom property of the page that holds the role's colour.
func (r role) property() string {
	switch r {
	case roleText:
		return "--faint"
	case roleGrid:
		return "--grid"
	case roleAxis:
		return "--axis"
	case roleSurface:
		return "--surface"
	}
	return fmt.Sprintf("--series-%d", r-roleSeries+1)
}

// seriesRole returns the role of the i-th series.
func seriesRole(i int) role { return roleSeries + role(i%seriesRoles) }

// canvas is vgsvg's, which also remembers how wide the texts are.
type canvas struct {
	*vgsvg.Canvas
	widths []vg.Length
}

// FillString draws a text and remembers its width.
func (c *canvas) FillString(face font.Face, at vg.Point, text string) {
	c.widths = append(c.widths, face.Width(text))
	c.Canvas.FillString(face, at, text)
}

var (
	svgText   = regexp.MustCompile(`<text `)
	svgFamily = regexp.MustCompile(`font-family:[^"]*font-style:\w+;?\s*`)
)

// inlineSVG draws a plot as an element for a HTML page: with a title and a description for
// those who do not see it, without fonts, names and colours of its own.
func inlineSVG(p *plot.Plot, id, title, description string) (template.HTML, error) {
	c := &canvas{Canvas: vgsvg.New(plotWidth, plotHeight)}
	p.Draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return "", fmt.Errorf("plot %s: %w", id, err)
	}
	_, text, _ := strings.Cut(b.String(), "<svg")
	_, text, found := strings.Cut(text, ">")
	if !found {
		return "", fmt.Errorf("plot %s: vgsvg wrote no svg element", id)
	}
	colors := []string{}
	for r := range roleSeries + seriesRoles {
		colors = append(colors, fmt.Sprintf("#0102%02X", uint8(r)), "var("+r.property()+")")
	}
	text = strings.NewReplacer(colors...).Replace(svgFamily.ReplaceAllString(text, ""))
	// A font of the page is as wide as the one that the plot was laid out with.
	next := 0
	text = svgText.ReplaceAllStringFunc(text, func(string) string {
		width := c.widths[next]
		next++
		return fmt.Sprintf(`<text textLength="%.1f" lengthAdjust="spacingAndGlyphs" `, width.Points())
	})
	head := fmt.Sprintf(`<svg class="plot" id="%[1]s" role="img" viewBox="0 0 %[2]d %[3]d" `+
		`aria-labelledby="%[1]s-title %[1]s-desc"><title id="%[1]s-title">%[4]s</title>`+
		`<desc id="%[1]s-desc">%[5]s</desc>`, id, plotWidth, plotHeight,
		template.HTMLEscapeString(title), template.HTMLEscapeString(description))
	return template.HTML(head + text), nil
}
