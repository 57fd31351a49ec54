package report

import (
	"fmt"
	"runtime/debug"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
)

const (
	// shownMessages is how many of the last messages the screen shows at most.
	shownMessages = 3
	// tabsFrom is from how many lines on the names of the pages are shown.
	tabsFrom = 5
)

// model is what the screen shows, and where the user turned to.
type model struct {
	app           string
	sample        sample
	messages      *messages
	actions       Actions
	sending       func() Sending
	styles        styles
	columns       columns
	width, height int

	page   string // its name; the first if there is none
	part   int    // of the page
	view   logView
	detail detail // at least
	help   bool   // the keys are shown instead of the page
	prompt *prompt
	notice string // what an action returned, until the next key

	keys    bool // there is a keyboard
	ending  bool // a key has ended the command
	busy    bool // an action is in progress
	pending []action
	signal  func(unix.Signal)
	fail    func(error) // ends a screen that cannot be drawn
	after   unix.Signal // sent when the screen has ended, 0 for none
}

// newModel returns a model that shows what r has, on a terminal of unknown size.
func newModel(r *Report, first sample) *model {
	m := &model{app: clean(r.App), sample: first, messages: new(messages), actions: r.Traffic.Actions,
		sending: r.Traffic.Sending, styles: newStyles(), columns: columns{}, width: 80, height: 24, view: logView{top: follow},
		signal: func(unix.Signal) {}, fail: func(error) {}}
	if first.progress != nil {
		m.page = trialsPage
	}
	return m
}

// Init implements [tea.Model].
func (m *model) Init() tea.Cmd { return nil }

// Update implements [tea.Model].
func (m *model) Update(msg tea.Msg) (next tea.Model, cmd tea.Cmd) {
	defer m.survive()
	switch msg := msg.(type) {
	case sample:
		m.sample = msg
	case tea.WindowSizeMsg:
		m.width, m.height, m.columns = msg.Width, msg.Height, columns{}
	case tea.KeyPressMsg:
		return m, m.press(msg.String(), msg.Text)
	case tea.PasteMsg:
		if m.prompt != nil {
			m.prompt.insert(msg.Content)
		}
	case outcome:
		return m, m.finish(msg)
	}
	return m, nil
}

// survive ends the screen if what is shown cannot be drawn. The command goes on.
func (m *model) survive() {
	if cause := recover(); cause != nil {
		m.fail(fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	}
}

// View implements [tea.Model].
func (m *model) View() (v tea.View) {
	defer m.survive()
	v.AltScreen = true
	v.SetContent(strings.Join(m.lines(), "\n"))
	if m.prompt != nil && m.height > 0 {
		v.Cursor = tea.NewCursor(min(m.prompt.cursor(), max(m.width-1, 0)), m.height-1)
	}
	return v
}

// lines returns the lines of the screen: the head, the names of the pages, a part of one
// of them, the last messages and the foot. Each fits the width, and all fit the height.
func (m *model) lines() []string {
	lines := []string{m.cut(m.styles.title.Render(m.app) + m.sample.head())}
	pages := m.pages()
	at := m.index(pages)
	if m.height >= tabsFrom {
		lines = append(lines, m.tabs(pages, at))
	}
	notes := m.notes(pages[at].name)
	room := max(m.height-len(lines)-len(notes)-1, 0)
	parts := m.parts(pages[at], room)
	m.part = max(min(m.part, len(parts)-1), 0)
	body := parts[m.part]
	lines = append(lines, body[:min(len(body), room)]...)
	for len(lines) < m.height-1-len(notes) {
		lines = append(lines, "")
	}
	lines = append(append(lines, notes...), m.foot(len(parts)))
	if m.prompt != nil && m.height == 1 {
		return lines[len(lines)-1:]
	}
	return lines[:max(min(len(lines), m.height), 0)]
}

// parts returns what is shown of a page in the parts that fit a height.
func (m *model) parts(p page, height int) [][]string {
	if m.help {
		return chunk(nil, m.helpLines(), height)
	}
	return p.parts(height)
}

// notes returns what is shown above the foot: what an action returned, or the last
// messages where the page is not that of them.
func (m *model) notes(page string) []string {
	if m.notice != "" {
		list := wrap(m.notice, m.width)
		list = list[:min(len(list), max(m.height/4, 0))]
		for i := range list {
			list[i] = m.styles.loss.Render(list[i])
		}
		return list
	}
	if page == logPage {
		return nil
	}
	var list []string
	for _, text := range m.messages.last(min(shownMessages, m.height/8)) {
		list = append(list, m.styles.faint.Render(m.cut(clean(text))))
	}
	return list
}

// cut cuts a line to the width of the screen.
func (m *model) cut(text string) string { return ansi.Truncate(text, max(m.width, 0), "…") }
