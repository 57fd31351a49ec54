package result

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// writeHTML returns the page of a report, which is written the same each time.
func writeHTML(t *testing.T, r *Report) []byte {
	t.Helper()
	var b, again bytes.Buffer
	for _, w := range []*bytes.Buffer{&b, &again} {
		if err := WriteHTML(w, r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("written twice, the page differs")
	}
	return b.Bytes()
}

// samplePlots are the IDs of the plots of sampleReport.
var samplePlots = []string{
	"throughput-pps", "throughput-l1", "loss", "latency-load",
	"latency-curve-1", "latency-curve-2", "latency-curve-3", "latency-curve-4",
	"trial-1-rate", "trial-1-latency", "trial-1-latency-time",
}

// attributes returns the attributes of an element by name.
func attributes(n *html.Node) map[string]string {
	list := map[string]string{}
	for _, a := range n.Attr {
		list[a.Key] = a.Val
	}
	return list
}

// find returns the elements of a name, in the order of the document.
func find(root *html.Node, name string) []*html.Node {
	var list []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			list = append(list, n)
		}
	}
	return list
}

// textOf returns the text within an element.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.TrimSpace(b.String())
}

// external finds what would make a browser load something in a style.
var external = regexp.MustCompile(`(?i)url\s*\(|@import|image-set|expression\s*\(|https?:|//`)

// TestHTMLRefersToNothing: the page is complete. There is no script, and every reference is
// to a part of the page, except the empty icon that keeps browsers from asking for one.
func TestHTMLRefersToNothing(t *testing.T) {
	root, err := html.Parse(bytes.NewReader(writeHTML(t, sampleReport())))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for n := range root.Descendants() {
		if id := attributes(n)["id"]; id != "" {
			if ids[id] {
				t.Errorf("the ID %s is there twice", id)
			}
			ids[id] = true
		}
	}
	for _, name := range []string{"script", "img", "image", "iframe", "object", "embed", "audio", "video", "source",
		"foreignobject", "base", "form", "font-face", "animate", "set"} {
		if found := find(root, name); len(found) > 0 {
			t.Errorf("there are %d %s elements", len(found), name)
		}
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for key, value := range attributes(n) {
			switch {
			case n.Data == "link" && key == "href" && value == "data:,":
			case slices.Contains([]string{"href", "src", "srcset", "xlink:href", "action", "poster", "data", "ping"}, key):
				if !strings.HasPrefix(value, "#") || !ids[value[1:]] {
					t.Errorf("<%s %s=%q> is no part of the page", n.Data, key, value)
				}
			case strings.HasPrefix(key, "on"):
				t.Errorf("<%s> has a script in %s", n.Data, key)
			case key != "content" && external.MatchString(value):
				t.Errorf("<%s %s=%q> refers to something", n.Data, key, value)
			}
		}
		if n.Data == "style" && external.MatchString(textOf(n)) {
			t.Errorf("a style refers to %q", external.FindString(textOf(n)))
		}
	}
}

// TestHTMLCanBeRead: without seeing the plots too.
func TestHTMLCanBeRead(t *testing.T) {
	root, err := html.Parse(bytes.NewReader(writeHTML(t, sampleReport())))
	if err != nil {
		t.Fatal(err)
	}
	var plots []string
	for _, svg := range find(root, "svg") {
		a := attributes(svg)
		plots = append(plots, a["id"])
		title, desc := find(svg, "title"), find(svg, "desc")
		if a["role"] != "img" || len(title) != 1 || len(desc) != 1 || textOf(title[0]) == "" || textOf(desc[0]) == "" {
			t.Errorf("plot %s has no title and description", a["id"])
			continue
		}
		if want := attributes(title[0])["id"] + " " + attributes(desc[0])["id"]; a["aria-labelledby"] != want {
			t.Errorf("plot %s is labelled by %q, not %q", a["id"], a["aria-labelledby"], want)
		}
		if len(find(svg, "path")) < 5 || len(find(svg, "text")) < 4 {
			t.Errorf("plot %s has %d paths and %d texts", a["id"], len(find(svg, "path")), len(find(svg, "text")))
		}
	}
	if !slices.Equal(plots, samplePlots) {
		t.Errorf("the plots are %q", plots)
	}
	for _, table := range find(root, "table") {
		if caption := find(table, "caption"); len(caption) != 1 || textOf(caption[0]) == "" {
			t.Error("a table has no caption")
		}
		columns := len(find(table, "thead"))
		if columns > 0 {
			columns = len(find(find(table, "thead")[0], "th"))
		}
		for _, row := range find(find(table, "tbody")[0], "tr") {
			cells := append(find(row, "th"), find(row, "td")...)
			if columns > 0 && len(cells) != columns {
				t.Errorf("%s: %d cells under %d heads", textOf(find(table, "caption")[0]), len(cells), columns)
			}
		}
	}
	if lang := attributes(find(root, "html")[0])["lang"]; lang != "en" {
		t.Errorf("the language is %q", lang)
	}
}

// TestHTMLFollowsTheScheme: plots have no colours of their own.
func TestHTMLFollowsTheScheme(t *testing.T) {
	color := regexp.MustCompile(`(?:fill|stroke):\s*([^;"]+)`)
	page := writeHTML(t, sampleReport())
	found := 0
	for _, m := range color.FindAllSubmatch(page[bytes.Index(page, []byte("<svg")):], -1) {
		found++
		if c := string(m[1]); c != "none" && !strings.HasPrefix(c, "var(--") {
			t.Errorf("a plot has the colour %q", c)
		}
	}
	if found < 100 {
		t.Errorf("%d colours found", found)
	}
}

// TestHTMLHasAllColours: each property that plots or legends use is defined, for light and
// for dark.
func TestHTMLHasAllColours(t *testing.T) {
	css, err := pageFiles.ReadFile("page/report.css")
	if err != nil {
		t.Fatal(err)
	}
	for r := range roleSeries + seriesRoles {
		if n := bytes.Count(css, []byte(r.property()+": #")); n != 2 {
			t.Errorf("%s is defined %d times", r.property(), n)
		}
	}
	for i := range seriesRoles {
		if key := fmt.Sprintf(".key-%d {", i+1); !bytes.Contains(css, []byte(key)) {
			t.Errorf("the style has no %s", key)
		}
	}
	if len(dashes) != seriesRoles {
		t.Errorf("%d patterns for %d series", len(dashes), seriesRoles)
	}
}

// TestHTMLSaysWhatTheReportSays looks for figures in the text of the page.
func TestHTMLSaysWhatTheReportSays(t *testing.T) {
	root, err := html.Parse(bytes.NewReader(writeHTML(t, smallReport())))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(textOf(root)), " ")
	for _, want := range []string{
		"one of everything", "passed", "9,000,000", "min load fails", "999,000", "12.5 µs", "Mitigation: Retpolines",
		"isolcpus=1-3", "VIRTIO_F_RING_PACKED", "for orientation only", "RFC 2544 asks for 60 s at least", "pktgen v1.2.3",
		"aggregate of 2 interfaces", "packets sent at once",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// TestHTMLEscapes: what users name is text.
func TestHTMLEscapes(t *testing.T) {
	const hostile = `<script>alert(1)</script>"'&`
	r := smallReport()
	r.Title, r.Trials[0].Name, r.Trials[0].Streams[0].Name, r.Searches[0].Goals[0].Goal.Name = hostile, hostile, hostile, hostile
	r.Disclosure.Traffic.Scenario = hostile
	r.Searches[0].Size = Size{Name: hostile, Mean: 300, Min: 60, Max: 1514}
	root, err := html.Parse(bytes.NewReader(writeHTML(t, r)))
	if err != nil {
		t.Fatal(err)
	}
	if len(find(root, "script")) > 0 {
		t.Error("a name became a script")
	}
	if title := textOf(find(root, "title")[0]); title != hostile {
		t.Errorf("the title is %q", title)
	}
	if n := strings.Count(textOf(root), hostile); n < 6 {
		t.Errorf("the name is there %d times", n)
	}
}

// TestHTMLOfLittle: parts that a report does not have leave no trace, and plots of nothing
// or of one point are no error.
func TestHTMLOfLittle(t *testing.T) {
	empty := writeHTML(t, &Report{})
	if bytes.Contains(empty, []byte("<svg")) || bytes.Contains(empty, []byte(`id="throughput"`)) {
		t.Error("an empty report has plots")
	}
	nothing := &Report{
		Searches:      []Search{{Size: FixedSize(60), Goals: []GoalResult{{Goal: Goal{Name: "ndr"}}}}},
		LossCurves:    []LossCurve{{Size: FixedSize(60)}},
		LatencyAtLoad: []LatencyAtLoad{{Size: FixedSize(60), Points: []LoadPoint{{}}}},
		Trials: []Trial{{Intervals: []Interval{{}}, Streams: []Stream{{Latency: &Latency{Samples: 1}}}}, {
			Streams: []Stream{{Latency: &Latency{}}}}},
	}
	nothing.Conclude()
	writeHTML(t, nothing)
}
