package report

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// column is one of a table.
type column struct {
	title string
	right bool // its cells end at the same column
	rank  int  // the highest is left out first where there is no room, 0 never
}

// table is rows of cells under titles.
type table struct {
	name    string // for the widths of its columns
	columns []column
	rows    [][]cell
}

// text is a cell of a table.
func text(s string) cell { return cell{text: s} }

// add adds a row.
func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

// lines returns the titles and the rows, as lines of a width.
func (t *table) lines(c columns, width int, st styles) (head string, rows []string) {
	widths := make([]int, len(t.columns))
	for i, col := range t.columns {
		widths[i] = ansi.StringWidth(col.title)
	}
	for _, row := range t.rows {
		for i := range row {
			widths[i] = max(widths[i], ansi.StringWidth(row[i].text))
		}
	}
	widths = slices.Clone(c.widen(t.name, widths))
	shown := t.fit(widths, width)
	titles := make([]cell, len(t.columns))
	for i, col := range t.columns {
		titles[i] = text(col.title)
	}
	write := func(row []cell, st styles) string {
		var b strings.Builder
		for i, c := range row {
			if !shown[i] {
				continue
			}
			if i > 0 {
				b.WriteString(gap)
			}
			text := pad(ansi.Truncate(c.text, widths[i], "…"), widths[i], t.columns[i].right)
			if c.loss {
				text = st.loss.Render(text)
			}
			b.WriteString(text)
		}
		return ansi.Truncate(strings.TrimRight(b.String(), " "), width, "…")
	}
	head = st.faint.Render(write(titles, st))
	for _, row := range t.rows {
		rows = append(rows, write(row, st))
	}
	return head, rows
}

// fit returns which columns are shown in a width, and makes the first one narrower if it
// takes too much of it.
func (t *table) fit(widths []int, width int) []bool {
	const least = 10
	wanted := widths[0]
	widths[0] = min(wanted, max(least, width/4))
	shown := make([]bool, len(widths))
	total := 0
	for i := range shown {
		shown[i] = true
		total += len(gap) + widths[i]
	}
	total -= len(gap)
	for total > width {
		worst := 0
		for i, col := range t.columns {
			if shown[i] && col.rank > t.columns[worst].rank {
				worst = i
			}
		}
		if t.columns[worst].rank == 0 {
			break
		}
		shown[worst] = false
		total -= len(gap) + widths[worst]
	}
	widths[0] = min(wanted, widths[0]+max(width-total, 0))
	return shown
}
