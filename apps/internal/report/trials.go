package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// trials returns the page of a series of trials: how far it is, the trial in progress,
// the bounds of each goal, and the trials that have ended, the newest first.
func (m *model) trials(height int) [][]string {
	p := m.sample.progress
	top := []string{m.cut(bar(p.Done, max(min(m.width-28, 60), 0)) + pad(inPercent(p.Done), 5, true) + p.left())}
	if p.What != "" {
		top = append(top, m.cut(clean(p.What)))
	}
	top = append(top, m.cut(p.Current.words()))
	if len(p.Goals) > 0 {
		head, rows := m.goals()
		top = append(append(top, "", head), rows...)
	}
	if len(p.Trials) == 0 || m.detail == compact {
		return chunk(nil, squeeze(top, height), height)
	}
	head, rows := m.ended()
	if room := height - len(top) - 2; room >= 3 {
		first := append(append(top, "", head), rows[:min(room, len(rows))]...)
		rest := rows[min(room, len(rows)):]
		if len(rest) == 0 {
			return [][]string{first}
		}
		return append([][]string{first}, chunk([]string{head}, rest, height)...)
	}
	return append(chunk(nil, squeeze(top, height), height), chunk([]string{head}, rows, height)...)
}

// squeeze leaves out empty lines if there are too many.
func squeeze(lines []string, height int) []string {
	if len(lines) <= height {
		return lines
	}
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" })
}

// words says how far the trials are.
func (p *Progress) words() string { return inPercent(p.Done) + p.left() }

func inPercent(done float64) string { return fmt.Sprintf("%.0f %%", math.Floor(100*share(done))) }

// left says how long it takes until the trials are done.
func (p *Progress) left() string {
	switch {
	case p.Done >= 1:
		return gap + "done"
	case p.Left >= 0:
		return gap + inLeft(p.Left) + " left"
	}
	return ""
}

// share bounds a share to what it can be.
func share(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, 1)
}

// inLeft returns a time as people say it.
func inLeft(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	}
	return fmt.Sprintf("%d h %02d min", s/3600, s/60%60)
}

// words says which trial is in progress.
func (t *CurrentTrial) words() string {
	if t.Number == 0 {
		return "no trial in progress"
	}
	return fmt.Sprintf("trial %d: %9s  %4.1f of %.1f s", t.Number, bound(t.Load), t.Elapsed.Seconds(), t.Duration.Seconds())
}

// bar returns a share as a bar of a width, with a gap behind it, or nothing if that is
// too narrow.
func bar(done float64, width int) string {
	if width < 5 {
		return ""
	}
	n := int(math.Round(share(done) * float64(width)))
	return strings.Repeat("█", n) + strings.Repeat("░", width-n) + gap
}

// goals returns a table of what is looked for.
func (m *model) goals() (head string, rows []string) {
	t := table{name: "goals", columns: []column{
		{title: "goal"}, {"lower bound", true, 0}, {"upper bound", true, 1}, {"width", true, 4},
		{"conditional", true, 3}, {"state", false, 2},
	}}
	for _, g := range m.sample.progress.Goals {
		width := "-"
		if g.Lower > 0 && g.Upper > 0 {
			width = percent((g.Upper - g.Lower) / g.Upper)
		}
		t.add(text(clean(g.Name)), text(bound(g.Lower)), text(bound(g.Upper)), text(width),
			text(bound(g.Conditional)), text(clean(g.State)))
	}
	return t.lines(m.columns, m.width, m.styles)
}

func bound(load float64) string {
	if !(load > 0) {
		return "-"
	}
	return inPPS(load)
}

// ended returns a table of the trials that have ended, the newest first.
func (m *model) ended() (head string, rows []string) {
	t := table{name: "trials", columns: []column{
		{title: "trial"}, {"load", true, 0}, {"loss", true, 1}, {"duration", true, 3}, {"of", false, 4}, {"outcome", false, 2},
	}}
	for _, trial := range slices.Backward(m.sample.progress.Trials) {
		loss := text(percent(trial.Loss))
		loss.loss = trial.Loss > 0
		t.add(text(strconv.Itoa(trial.Number)), text(inPPS(trial.Load)), loss,
			text(inTime(trial.Duration)), text(clean(trial.What)), text(clean(trial.Outcome)))
	}
	return t.lines(m.columns, m.width, m.styles)
}
