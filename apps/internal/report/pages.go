package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Names of the pages.
const (
	portsPage   = "ports"
	queuesPage  = "queues"
	streamsPage = "streams"
	latencyPage = "latency"
	trialsPage  = "trials"
	logPage     = "log"
)

// page is one of the pages of a screen.
type page struct {
	name string
	// parts returns what the page shows, as at least one part. Each has at most so many
	// lines, which fit the width.
	parts func(height int) [][]string
}

// pages returns the pages that there are for what is known.
func (m *model) pages() []page {
	list := []page{{portsPage, m.ports}}
	if slices.ContainsFunc(m.sample.ports, func(p portSample) bool { return p.queues != nil }) {
		list = append(list, page{queuesPage, m.queues})
	}
	if m.sample.streams != nil {
		list = append(list, page{streamsPage, m.streams})
	}
	if m.sample.latencies != nil {
		list = append(list, page{latencyPage, m.latency})
	}
	if m.sample.progress != nil {
		list = append(list, page{trialsPage, m.trials})
	}
	return append(list, page{logPage, m.log})
}

// index returns which page is shown.
func (m *model) index(pages []page) int {
	return max(slices.IndexFunc(pages, func(p page) bool { return p.name == m.page }), 0)
}

// tabs names the pages, with their keys and the one that is shown in brackets.
func (m *model) tabs(pages []page, at int) string {
	write := func(short bool) string {
		var b strings.Builder
		for i, p := range pages {
			text := strconv.Itoa(i + 1)
			if i == at || !short {
				text += " " + p.name
			}
			if i == at {
				b.WriteString(m.styles.title.Render("[" + text + "]"))
			} else {
				b.WriteString(m.styles.faint.Render(" " + text + " "))
			}
		}
		return b.String()
	}
	text := write(false)
	if ansi.StringWidth(text) > m.width {
		text = write(true)
	}
	if ansi.StringWidth(text) > m.width {
		text = m.styles.title.Render(fmt.Sprintf("[%d %s]", at+1, pages[at].name)) + fmt.Sprintf(" of %d", len(pages))
	}
	return m.cut(text)
}

// turn turns to the page that is n further, around the end.
func (m *model) turn(n int) {
	pages := m.pages()
	at := (m.index(pages) + n + len(pages)) % len(pages)
	m.page, m.part = pages[at].name, 0
}

// foot says which part of the page this is, and what keys there are: with what they do
// if there is room, or for short.
func (m *model) foot(parts int) string {
	if m.prompt != nil {
		return m.prompt.line(m.width)
	}
	where := ""
	if parts > 1 {
		where = fmt.Sprintf("%d/%d", m.part+1, parts) + gap
	}
	text := where + "Ctrl-C quits"
	if m.keys {
		long, short := m.footKeys(parts)
		text = where + strings.Join(long, gap)
		for len(long) > 2 && ansi.StringWidth(text) > m.width {
			long = long[1:]
			text = where + strings.Join(long, gap)
		}
		if ansi.StringWidth(text) > m.width {
			text = where + strings.Join(short, " ")
		}
	}
	return m.styles.faint.Render(m.cut(text))
}

// chunk puts rows in parts of at most as many lines, each of which begins with the same
// lines if there is room for more.
func chunk(top, rows []string, height int) [][]string {
	if len(top) >= height {
		top = nil
	}
	parts := [][]string{slices.Clone(top)}
	for _, r := range rows {
		last := &parts[len(parts)-1]
		if len(*last) >= height && len(*last) > len(top) {
			parts = append(parts, slices.Clone(top))
			last = &parts[len(parts)-1]
		}
		if len(*last) < height {
			*last = append(*last, r)
		}
	}
	return parts
}
