package report

import (
	"fmt"
	"strconv"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// namedTime is one figure of a latency.
type namedTime struct {
	name string
	d    time.Duration
}

// times returns the figures of a latency, in the order that people read them.
func (l *Latency) times() []namedTime {
	return []namedTime{
		{"min", l.Min}, {"p50", l.P50}, {"p90", l.P90}, {"p99", l.P99}, {"p99.9", l.P999},
		{"p99.99", l.P9999}, {"max", l.Max}, {"mean", l.Mean}, {"stddev", l.StdDev}, {"jitter", l.Jitter},
	}
}

// Lines of a histogram. Those of several streams share a part only if they are not small.
const (
	leastBins  = 4
	sharedBins = 8
	mostBins   = 20
)

// latency returns the page of latencies: the figures of each stream with a histogram, if
// there is room for at least one of them, otherwise a table of the figures.
func (m *model) latency(height int) [][]string {
	list := m.sample.latencies
	if len(list) == 0 {
		return [][]string{{m.cut("no stream has its latency measured")}}
	}
	var figures [][]string
	tallest := 0
	for range 2 { // the first time is for the widths of the columns
		figures = figures[:0]
		for i := range list {
			figures = append(figures, list[i].figures(m.width, m.columns, m.styles))
			tallest = max(tallest, len(figures[i]))
		}
	}
	if m.detail == compact || tallest > height {
		return m.latencyTable(height)
	}
	bins := height/len(list) - tallest - 2
	if bins < sharedBins {
		bins = height - tallest - 1
	}
	bins = min(bins, mostBins)
	var blocks [][]string
	for i := range list {
		block := figures[i]
		switch l := &list[i]; {
		case l.Packets == 0:
		case bins >= leastBins:
			block = append(append(block, ""), l.histogram(bins, m.width)...)
		case height > leastBins: // in a part of its own
			blocks = append(blocks, block)
			block = append(block[:1:1], l.histogram(min(height-1, mostBins), m.width)...)
		}
		blocks = append(blocks, block)
	}
	return paginate(blocks, nil, height)
}

// figures returns a latency as a title and its figures, as lines of a width.
func (l *Latency) figures(width int, c columns, st styles) []string {
	title := st.title.Render(clean(l.Name)) + gap + fmt.Sprintf("packets: %d", l.Packets)
	var cells []cell
	for _, t := range l.times() {
		value := "-"
		if l.Packets > 0 {
			value = inTime(t.d)
		}
		cells = append(cells, text(pad(t.name, 6, false)+" "+pad(value, 7, true)))
	}
	rows := [][]cell{cells[:4], cells[4:7], cells[7:]}
	return append([]string{ansi.Truncate(title, max(width, 0), "…")}, flow(rows, "latency", width, c, st)...)
}

// latencyTable returns the latencies as a table.
func (m *model) latencyTable(height int) [][]string {
	ranks := map[string]int{"p50": 1, "p99": 0, "max": 2, "p99.9": 3, "min": 4, "p90": 5, "p99.99": 6, "mean": 7, "stddev": 8, "jitter": 9}
	t := table{name: "latency", columns: []column{{title: "stream"}}}
	for _, f := range new(Latency).times() {
		t.columns = append(t.columns, column{f.name, true, ranks[f.name]})
	}
	t.columns = append(t.columns, column{"packets", true, 10})
	for i := range m.sample.latencies {
		l := &m.sample.latencies[i]
		row := []cell{text(clean(l.Name))}
		for _, f := range l.times() {
			value := "-"
			if l.Packets > 0 {
				value = inTime(f.d)
			}
			row = append(row, text(value))
		}
		t.add(append(row, text(strconv.FormatUint(l.Packets, 10)))...)
	}
	return m.tableParts(&t, height)
}
