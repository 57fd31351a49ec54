package report

import (
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// column is one of a table.
type column struct {
	title string
	right bool // its cells end at the same column; others may be cut
	rank  int  // the highest is left out first where there is no room, 0 never, losses late
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

// leastText is how wide a column of words is at least, if it has longer words.
const leastText = 10

// fit returns which columns are shown in a width, and makes those of words narrower if that
// helps.
func (t *table) fit(widths []int, width int) []bool {
	wanted := slices.Clone(widths)
	shown := make([]bool, len(widths))
	total := -len(gap)
	for i, col := range t.columns {
		if shown[i] = i == 0 || !t.empty(i); !shown[i] {
			continue
		}
		switch {
		case i == 0:
			widths[i] = min(widths[i], max(leastText, width/4))
		case !col.right:
			widths[i] = min(widths[i], leastText)
		}
		total += len(gap) + widths[i]
	}
	ranks := t.ranks()
	for total > width {
		worst := 0
		for i, rank := range ranks {
			if shown[i] && rank > 0 && rank >= ranks[worst] {
				worst = i
			}
		}
		if worst == 0 {
			break
		}
		shown[worst] = false
		total -= len(gap) + widths[worst]
	}
	for i := range widths {
		if more := min(wanted[i]-widths[i], width-total); shown[i] && more > 0 {
			widths[i] += more
			total += more
		}
	}
	return shown
}

// ranks returns the ranks of the columns, of which one that shows a loss is below others.
func (t *table) ranks() []int {
	ranks := make([]int, len(t.columns))
	for i, col := range t.columns {
		if col.rank > 0 {
			ranks[i] = col.rank + 1
		}
		if slices.ContainsFunc(t.rows, func(row []cell) bool { return row[i].loss }) {
			ranks[i] = min(ranks[i], 1)
		}
	}
	return ranks
}

// empty reports whether a table of some rows has nothing in a column.
func (t *table) empty(i int) bool {
	return len(t.rows) > 0 && !slices.ContainsFunc(t.rows, func(row []cell) bool { return row[i].text != "" })
}
