package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// detail is how much of a port is shown.
type detail int

const (
	full    detail = iota // all that there is
	compact               // packets, rates and losses
	line                  // rates, on one line
	details               // their number
)

// gap is between columns, and before the first.
const gap = "  "

// styles are how text is emphasised. Where the terminal has no colors, or NO_COLOR is
// set, they are left out.
type styles struct{ title, loss, faint lipgloss.Style }

func newStyles() styles {
	return styles{
		title: lipgloss.NewStyle().Bold(true),
		loss:  lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
		faint: lipgloss.NewStyle().Faint(true),
	}
}

// cell is a counter with its name.
type cell struct {
	text string
	loss bool // it counts what was lost, and something was
	room int  // how wide it may become, if there is room for that
}

// digits is how many digits a counter soon has.
const digits = 10

func count(name string, n uint64) cell {
	return cell{text: name + ": " + strconv.FormatUint(n, 10), room: len(name) + len(": ") + digits}
}

func loss(name string, n uint64) cell {
	return cell{text: name + ": " + strconv.FormatUint(n, 10), loss: n > 0}
}

// cells returns the counters of a port in rows that belong together.
func (p *portSample) cells(d detail) [][]cell {
	losses := []cell{loss("RX-errors", p.RxErrors), loss("RX-nombuf", p.RxNoMbuf),
		loss("TX-errors", p.TxErrors), loss("TX-dropped", p.TxDropped)}
	if d == compact && p.RxMissed > 0 {
		losses = append(losses, loss("RX-missed", p.RxMissed))
	}
	if d == compact {
		return [][]cell{
			{count("RX-packets", p.RxPackets), count("TX-packets", p.TxPackets),
				count("Rx-pps", p.rxPPS), count("Tx-pps", p.txPPS)},
			losses,
		}
	}
	units := func(pps, bps uint64) (a, b cell) {
		return cell{text: inUnits(pps, "pps")}, cell{text: inUnits(bps, "bit/s")}
	}
	rxP, rxB := units(p.rxPPS, p.rxBPS)
	txP, txB := units(p.txPPS, p.txBPS)
	rows := [][]cell{
		{count("RX-packets", p.RxPackets), count("RX-bytes", p.RxBytes), losses[0], losses[1]},
		{count("TX-packets", p.TxPackets), count("TX-bytes", p.TxBytes), losses[2], losses[3]},
		{count("Rx-pps", p.rxPPS), count("Rx-bps", p.rxBPS), rxP, rxB},
		{count("Tx-pps", p.txPPS), count("Tx-bps", p.txBPS), txP, txB},
		{count("Polls", p.Polls), {text: Share(p.EmptyPolls, p.Polls) + " empty"},
			count("kicks", p.Kicks), count("resets", p.Resets)},
	}
	if p.RxFiltered > 0 {
		rows = append(rows, []cell{count("RX-filtered", p.RxFiltered)})
	}
	if p.recovered() {
		rows = append(rows, []cell{loss("RX-missed", p.RxMissed), loss("TX-lost", p.TxLost),
			count("disconnects", p.Disconnects), loss("refusals", p.Refusals)})
	}
	return rows
}

// recovered reports whether there is anything to say about what rarely happens.
func (n *counts) recovered() bool { return n.RxMissed+n.TxLost+n.Disconnects+n.Refusals > 0 }

// line returns a port on one line of a width: the rates and losses that there is room for.
func (p *portSample) line(width int) string {
	figures := []string{fmt.Sprintf("Rx %9s", inUnits(p.rxPPS, "pps")), fmt.Sprintf("Tx %9s", inUnits(p.txPPS, "pps"))}
	if lost := p.RxErrors + p.RxMissed + p.TxErrors + p.TxDropped; lost > 0 {
		figures = append(figures, fmt.Sprintf("lost: %d", lost))
	}
	text := fmt.Sprintf("%-6s", p.name)
	for _, f := range figures {
		if ansi.StringWidth(text+gap+f) > width {
			return ansi.Truncate(text, width, "…")
		}
		text += gap + f
	}
	return ansi.Truncate(text+gap+p.about, width, "…")
}

// block returns a port as lines of a width.
func (p *portSample) block(d detail, width int, c columns, st styles) []string {
	if d == line {
		return []string{p.line(width)}
	}
	title := st.title.Render(ansi.Truncate(p.title(), width, "…"))
	if room := width - ansi.StringWidth(title) - len(gap); len(p.past) > 0 && room >= len(p.past) {
		title += gap + chart(p.past)
	}
	return append([]string{title}, flow(p.cells(d), "port", width, c, st)...)
}

// flow arranges rows in as many columns as fit the width, each as wide as its widest
// cell has been, and cuts what does not fit one column.
func flow(rows [][]cell, name string, width int, c columns, st styles) []string {
	for n := 4; ; n /= 2 {
		broken := breakRows(rows, n)
		widths := c.widen(fmt.Sprintf("%s in %d", name, n), columnWidths(broken))
		total := 0
		for _, w := range widths {
			total += len(gap) + w
		}
		if total <= width || n == 1 {
			return render(broken, spread(broken, widths, width-total), width, st)
		}
	}
}

// spread returns the widths of columns with what is left of a line given to those that may
// become wider, so that they seldom move.
func spread(rows [][]cell, widths []int, left int) []int {
	widths = slices.Clone(widths)
	for i := range widths {
		room := 0
		for _, row := range rows {
			if i < len(row) {
				room = max(room, row[i].room)
			}
		}
		more := max(min(room-widths[i], left), 0)
		widths[i] += more
		left -= more
	}
	return widths
}

// breakRows breaks rows that have more cells than there are columns.
func breakRows(rows [][]cell, columns int) [][]cell {
	var broken [][]cell
	for _, row := range rows {
		for ; len(row) > columns; row = row[columns:] {
			broken = append(broken, row[:columns])
		}
		broken = append(broken, row)
	}
	return broken
}

func columnWidths(rows [][]cell) []int {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(c.text))
		}
	}
	return widths
}

func render(rows [][]cell, widths []int, width int, st styles) []string {
	var lines []string
	for _, row := range rows {
		var b strings.Builder
		for i, c := range row {
			text := pad(c.text, widths[i], false)
			if c.loss {
				text = st.loss.Render(text)
			}
			b.WriteString(gap + text)
		}
		lines = append(lines, ansi.Truncate(strings.TrimRight(b.String(), " "), width, "…"))
	}
	return lines
}
