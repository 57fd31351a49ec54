package result

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// WriteComparisonJSON writes a comparison as an indented JSON document.
func WriteComparisonJSON(w io.Writer, c *Comparison) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// WriteComparison writes a comparison for people.
func WriteComparison(w io.Writer, c *Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "a: %s\nb: %s\n\n", c.A, c.B)
	if len(c.Setup) == 0 {
		b.WriteString("The set-up is the same.\n\n")
	} else {
		b.WriteString("The set-up differs in:\n")
		for _, d := range c.Setup {
			fmt.Fprintf(&b, "  %s\n    a: %s\n    b: %s\n", d.Member, d.A, d.B)
		}
		b.WriteString("\n")
	}
	writeFigures(&b, c.Figures)
	for _, only := range []struct {
		report string
		names  []string
	}{{"a", c.OnlyA}, {"b", c.OnlyB}} {
		if len(only.names) > 0 {
			fmt.Fprintf(&b, "Only %s has:\n  %s\n\n", only.report, strings.Join(only.names, "\n  "))
		}
	}
	fmt.Fprintf(&b, "%s\n\nOutcome: %s\n", wrap(c.Rule, 78), c.outcomeText())
	_, err := io.WriteString(w, b.String())
	return err
}

// outcomeText says the outcome with how many figures it is made of.
func (c *Comparison) outcomeText() string {
	count := map[Verdict]int{}
	for _, f := range c.Figures {
		count[f.Verdict]++
	}
	text := string(c.Outcome)
	if len(c.Figures) > 0 {
		text += fmt.Sprintf(" (of %d figures %d better, %d worse, %d same, %d that cannot be told)",
			len(c.Figures), count[Better], count[Worse], count[Same], count[CannotTell])
	}
	if n := c.tested(); float64(n)*alpha >= 1 && count[Better]+count[Worse] > 0 {
		text += fmt.Sprintf("\nOf %d figures that were tested, about %.0f would differ by chance alone.", n, float64(n)*alpha)
	}
	return text
}

// tested returns how many figures had enough measurements for the test.
func (c *Comparison) tested() int {
	n := 0
	for _, f := range c.Figures {
		if f.A.Samples >= fewest && f.B.Samples >= fewest {
			n++
		}
	}
	return n
}

// wrap breaks a text into lines of at most width columns.
func wrap(text string, width int) string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return strings.Join(append(lines, line), "\n")
}

func writeFigures(b *strings.Builder, figures []FigureDifference) {
	if len(figures) == 0 {
		b.WriteString("The reports have no figure in common.\n\n")
		return
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "figure\ta\tb\tchange\tverdict\treason")
	for _, f := range figures {
		change := "0 %"
		switch {
		case f.A.Median == 0 && f.B.Median != 0:
			change = "from 0"
		case f.Change != 0:
			change = fmt.Sprintf("%+.2f %%", 100*f.Change)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.A.text(f.Unit), f.B.text(f.Unit), change, f.Verdict, f.Reason)
	}
	_ = table.Flush() // into a strings.Builder, which does not fail
	b.WriteString("\n")
}

// text returns the median and how far the measurements are from it.
func (e Estimate) text(unit string) string {
	text := inScaledUnit(e.Median, unit)
	if e.Samples > 1 && e.Median > 0 {
		spread := math.Max(e.Max-e.Median, e.Median-e.Min) / e.Median
		text += fmt.Sprintf(" ±%.1f %%", 100*spread)
	}
	return text
}

func inScaledUnit(v float64, unit string) string {
	if unit == "pps" {
		return PPSText(v)
	}
	return inUnit(v, unit)
}
