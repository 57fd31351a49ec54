package result

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page/report.html page/report.css
var pageFiles embed.FS

// mostPrinted is how many rows a closed table may have to be printed.
const mostPrinted = 40

// WriteHTML writes the report as one HTML file, which needs no other: plots are inline SVG,
// there is no script, and a policy in the file forbids it to load anything.
func WriteHTML(w io.Writer, r *Report) error {
	p, err := newPage(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	css, err := pageFiles.ReadFile("page/report.css")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	t, err := template.New("report.html").Funcs(template.FuncMap{
		"css":    func() template.CSS { return template.CSS(css) },
		"series": func(i int) int { return i%seriesRoles + 1 },
		"long":   func(t table) bool { return len(t.Rows) > mostPrinted },
		"number": func(t table, column int) bool { return column >= t.Text },
	}).ParseFS(pageFiles, "page/report.html")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err = w.Write(b.Bytes())
	return err
}
