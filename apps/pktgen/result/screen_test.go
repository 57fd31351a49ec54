package result

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// box is where an element stands on the page, in CSS pixels.
type box struct {
	ID                  string
	X, Y, Width, Height float64
}

// TestReportInChromium opens the report in a browser: every plot is seen in light and dark,
// on a wide and a narrow screen, with nothing on the console and no request but the one for
// the file; on paper too.
func TestReportInChromium(t *testing.T) {
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, writeHTML(t, sampleReport()), 0o666); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	b.must(t, "Page.navigate", map[string]any{"url": "file://" + file}, nil)
	b.await(t, "Page.loadEventFired")
	for _, look := range []struct {
		scheme string
		width  int
	}{{"light", 1280}, {"dark", 1280}, {"light", 360}} {
		t.Run(fmt.Sprint(look.scheme, look.width), func(t *testing.T) { seePlots(t, b, look.scheme, look.width) })
	}
	t.Run("paper", func(t *testing.T) { seePaper(t, b) })

	for _, kind := range []string{"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"} {
		for _, message := range b.happened(kind) {
			t.Errorf("%s: %s", kind, message)
		}
	}
	requests := b.happened("Network.requestWillBeSent")
	for _, r := range requests {
		var request struct{ Request struct{ URL string } }
		if err := json.Unmarshal([]byte(r), &request); err != nil {
			t.Fatal(err)
		}
		if url := request.Request.URL; url != "file://"+file && url != "data:," {
			t.Errorf("the page asks for %s", url)
		}
	}
	if len(requests) == 0 {
		t.Error("the request for the page itself was not seen, so others would not be")
	}
}

// TestBrowserSeesFaults: a console error and a request would be seen.
func TestBrowserSeesFaults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fault.html")
	const page = `<!DOCTYPE html><img src="http://127.0.0.1:9/x.png"><script>console.error("wrong"); undefinedFunction()</script>`
	if err := os.WriteFile(file, []byte(page), 0o666); err != nil {
		t.Fatal(err)
	}
	b := startBrowser(t)
	b.must(t, "Page.navigate", map[string]any{"url": "file://" + file}, nil)
	for _, kind := range []string{"Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.loadEventFired"} {
		b.await(t, kind)
	}
	if requests := b.happened("Network.requestWillBeSent"); !strings.Contains(strings.Join(requests, " "), "http://127.0.0.1:9/x.png") {
		t.Errorf("the requests are %q", requests)
	}
}

// seePlots looks at the pixels of all plots.
func seePlots(t *testing.T, b *browser, scheme string, width int) {
	b.must(t, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.must(t, "Emulation.setEmulatedMedia", map[string]any{
		"features": []any{map[string]any{"name": "prefers-color-scheme", "value": scheme}}}, nil)
	var page struct {
		Plots                      []box
		ScrollWidth, Width, Height float64
		Surface, FirstSeries       string
	}
	b.evaluate(t, `(() => {
		const style = getComputedStyle(document.documentElement);
		const plots = [...document.querySelectorAll("svg.plot")].map(svg => {
			svg.parentElement.scrollLeft = 0;
			const r = svg.getBoundingClientRect(), p = svg.parentElement.getBoundingClientRect();
			return {ID: svg.id, X: r.x + scrollX, Y: r.y + scrollY, Width: Math.min(r.right, p.right) - r.x, Height: r.height};
		});
		const e = document.documentElement;
		return {Plots: plots, ScrollWidth: e.scrollWidth, Width: e.clientWidth, Height: e.scrollHeight,
			Surface: style.getPropertyValue("--surface"), FirstSeries: style.getPropertyValue("--series-1")};
	})()`, &page)
	if page.ScrollWidth > page.Width {
		t.Errorf("the page is %g wide on a screen of %g", page.ScrollWidth, page.Width)
	}
	if len(page.Plots) != len(samplePlots) {
		t.Fatalf("%d plots, not %d", len(page.Plots), len(samplePlots))
	}
	surface, series := parseColor(t, page.Surface), parseColor(t, page.FirstSeries)
	if dark := surface.R < 128; dark != (scheme == "dark") {
		t.Errorf("the surface is %v in the %s scheme", surface, scheme)
	}
	picture := screenshot(t, b, page.Width, page.Height)
	for i, plot := range page.Plots {
		if plot.ID != samplePlots[i] {
			t.Errorf("plot %d is %s, not %s", i, plot.ID, samplePlots[i])
		}
		if plot.Width < 250 || plot.Height < 150 {
			t.Errorf("plot %s is %g by %g", plot.ID, plot.Width, plot.Height)
			continue
		}
		seePlot(t, picture, plot, surface, series)
	}
}

// seePlot counts the pixels of a plot that are not background, and those of the first series.
func seePlot(t *testing.T, picture *image.RGBA, plot box, surface, series color.RGBA) {
	inked, first, total := 0, 0, 0
	for y := int(plot.Y) + 1; y < int(plot.Y+plot.Height)-1; y++ {
		for x := int(plot.X) + 1; x < int(plot.X+plot.Width)-1; x++ {
			total++
			switch picture.RGBAAt(x, y) {
			case surface:
			case series:
				first++
				inked++
			default:
				inked++
			}
		}
	}
	if inked < total/50 || inked > total*3/4 {
		t.Errorf("of the %d pixels of plot %s %d are not background", total, plot.ID, inked)
	}
	if first < 20 {
		t.Errorf("plot %s has %d pixels of its first series", plot.ID, first)
	}
}

// screenshot returns the picture of the whole page.
func screenshot(t *testing.T, b *browser, width, height float64) *image.RGBA {
	t.Helper()
	var shot struct{ Data []byte }
	b.must(t, "Page.captureScreenshot", map[string]any{"format": "png", "captureBeyondViewport": true,
		"clip": map[string]any{"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}, &shot)
	picture, err := png.Decode(bytes.NewReader(shot.Data))
	if err != nil {
		t.Fatal(err)
	}
	rgba := image.NewRGBA(picture.Bounds())
	draw.Draw(rgba, rgba.Rect, picture, image.Point{}, draw.Src)
	return rgba
}

// parseColor reads "#rrggbb".
func parseColor(t *testing.T, text string) color.RGBA {
	t.Helper()
	v, err := strconv.ParseUint(strings.TrimPrefix(strings.TrimSpace(text), "#"), 16, 32)
	if err != nil {
		t.Fatalf("the colour %q: %v", text, err)
	}
	return color.RGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

var (
	pdfPage   = regexp.MustCompile(`/Type\s*/Page\b`)
	pdfStream = regexp.MustCompile(`(?s)/FlateDecode.*?>>\s*stream\r?\n`)
	pdfText   = regexp.MustCompile(`\bT[jJ]\b`)
	pdfPath   = regexp.MustCompile(`(?m)\b[lc]$`)
)

// seePaper prints the page, with the screen as it was last, and counts texts and
// lines in what would be printed.
func seePaper(t *testing.T, b *browser) {
	var printed struct{ Data []byte }
	b.must(t, "Page.printToPDF", map[string]any{"printBackground": true, "preferCSSPageSize": true}, &printed)
	pages := len(pdfPage.FindAll(printed.Data, -1))
	texts, paths := 0, 0
	for _, at := range pdfStream.FindAllIndex(printed.Data, -1) {
		r, err := zlib.NewReader(bytes.NewReader(printed.Data[at[1]:]))
		if err != nil {
			continue
		}
		content, _ := io.ReadAll(r)
		texts += len(pdfText.FindAll(content, -1))
		paths += len(pdfPath.FindAll(content, -1))
	}
	if pages < 4 || pages > 20 || texts < 100*pages || paths < 500 {
		t.Errorf("on paper: %d pages with %d texts and %d lines", pages, texts, paths)
	}
	var surface string
	b.must(t, "Emulation.setEmulatedMedia", map[string]any{"media": "print"}, nil)
	b.evaluate(t, `getComputedStyle(document.documentElement).getPropertyValue("--surface")`, &surface)
	if c := parseColor(t, surface); c.R < 200 {
		t.Errorf("paper is %v", c)
	}
}
