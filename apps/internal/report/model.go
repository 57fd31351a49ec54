package report

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
)

// shownMessages is how many of the last messages the screen shows at most.
const shownMessages = 3

// model is what the screen shows, and the page that the user turned to.
type model struct {
	app           string
	sample        sample
	messages      *messages
	styles        styles
	width, height int
	page          int
	detail        detail // at least
	keys          bool   // there is a keyboard
	signal        func(unix.Signal)
	after         unix.Signal // sent when the screen has ended, 0 for none
}

// Init implements [tea.Model].
func (m *model) Init() tea.Cmd { return nil }

// Update implements [tea.Model].
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case sample:
		m.sample = msg
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		return m, m.key(msg.String())
	}
	return m, nil
}

// key does what a key is for. The terminal makes no signals of keys while the screen
// reads them.
func (m *model) key(name string) tea.Cmd {
	switch name {
	case "n", "right", "down", "pgdown", "space", "tab":
		m.page++
	case "p", "left", "up", "pgup", "shift+tab":
		m.page--
	case "home":
		m.page = 0
	case "c":
		m.detail = compact - m.detail
	case "q", "ctrl+c":
		m.signal(unix.SIGINT) // whose end ends the screen
	case "ctrl+\\":
		m.after = unix.SIGQUIT
		return tea.Quit
	case "ctrl+l":
		return tea.ClearScreen
	case "ctrl+z":
		return tea.Suspend
	}
	return nil
}

// View implements [tea.Model].
func (m *model) View() tea.View {
	v := tea.NewView(strings.Join(m.lines(), "\n"))
	v.AltScreen = true
	return v
}

// lines returns the lines of the screen: the head, a page of ports, the last messages
// and the foot. Each fits the width, and all fit the height.
func (m *model) lines() []string {
	head := ansi.Truncate(m.styles.title.Render(m.app)+m.sample.head, m.width, "…")
	var notes []string
	for _, text := range m.messages.last(min(shownMessages, m.height/8)) {
		notes = append(notes, m.styles.faint.Render(ansi.Truncate(text, m.width, "…")))
	}
	pages := m.pages(m.height - 2 - len(notes))
	m.page = max(min(m.page, len(pages)-1), 0)
	lines := append([]string{head}, pages[m.page]...)
	for len(lines) < m.height-1-len(notes) {
		lines = append(lines, "")
	}
	lines = append(append(lines, notes...), m.foot(len(pages)))
	return lines[:max(min(len(lines), m.height), 0)]
}

// foot says which page this is, and what keys there are.
func (m *model) foot(pages int) string {
	words, short := []string{"Ctrl-C quits"}, ""
	if m.keys {
		words, short = []string{"c compact", "q quit"}, "c q"
		if m.detail == compact {
			words[0] = "c all"
		}
	}
	if pages > 1 {
		if m.keys {
			words, short = append([]string{"n next", "p previous"}, words...), "n p "+short
		}
		page := fmt.Sprintf("page %d of %d", m.page+1, pages)
		words, short = append([]string{page}, words...), page+gap+short
	}
	text := strings.Join(words, gap)
	if len(text) > m.width && short != "" {
		text = short
	}
	return m.styles.faint.Render(ansi.Truncate(text, m.width, "…"))
}

// pages returns the pages of the ports, of at most as many lines. Ports are shown in as
// much detail as has room; where there are several, the sums of all are on every page,
// or on the first if there is no room for that.
func (m *model) pages(height int) [][]string {
	for d := m.detail; ; d++ {
		var blocks [][]string
		tallest := 0
		for i := range m.sample.ports {
			b := m.sample.ports[i].block(d, m.width, m.styles)
			blocks, tallest = append(blocks, b), max(tallest, len(b))
		}
		if tallest > height && d < line {
			continue
		}
		if len(blocks) < 2 {
			return paginate(blocks, nil, height)
		}
		total := m.sample.total.block(max(d, compact), m.width, m.styles)
		if d < line {
			total = append(total, "")
		}
		if tallest+len(total) <= height {
			return paginate(blocks, total, height)
		}
		return paginate(append([][]string{total}, blocks...), nil, height)
	}
}

// paginate puts blocks on pages that begin with the same lines. Blocks of several lines
// are set apart where there is room.
func paginate(blocks [][]string, top []string, height int) [][]string {
	pages := [][]string{append([]string(nil), top...)}
	for _, b := range blocks {
		page := &pages[len(pages)-1]
		if len(*page)+len(b) > height && len(*page) > len(top) {
			pages = append(pages, append([]string(nil), top...))
			page = &pages[len(pages)-1]
		}
		*page = append(*page, b[:max(min(len(b), height-len(*page)), 0)]...)
		if len(b) > 1 && len(*page) < height {
			*page = append(*page, "")
		}
	}
	return pages
}
