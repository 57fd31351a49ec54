package report

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/sys/unix"
)

// press does what a key is for; text is what it types.
func (m *model) press(key, text string) tea.Cmd {
	m.notice = ""
	if m.prompt != nil {
		return m.edit(key, text)
	}
	return m.key(key)
}

// key does what a key is for. The terminal makes no signals of keys while the screen
// reads them.
func (m *model) key(name string) tea.Cmd {
	if m.help && (name == "?" || name == "esc" || name == "enter") {
		m.help, m.part = false, 0
		return nil
	}
	switch name {
	case "?", "h", "f1":
		m.help, m.part = true, 0
	case "c":
		m.detail = compact - m.detail
	case "q", "ctrl+c":
		// Its end ends the screen. Another signal would end it at once, with the terminal
		// as it is now.
		if !m.ending {
			m.ending = true
			m.signal(unix.SIGINT)
		}
	case "ctrl+\\":
		m.after = unix.SIGQUIT
		return tea.Quit
	case "ctrl+l":
		return tea.ClearScreen
	case "ctrl+z":
		return tea.Suspend
	case "s", "+", "=", "-", "r":
		return m.actionKey(name)
	default:
		m.move(name)
	}
	return nil
}

// move turns pages and their parts.
func (m *model) move(name string) {
	switch name {
	case "n", "space":
		m.next()
	case "p":
		m.previous()
	case "tab", "right":
		m.help = false
		m.turn(1)
	case "shift+tab", "left":
		m.help = false
		m.turn(-1)
	case "1", "2", "3", "4", "5", "6", "7", "8", "9":
		if pages, i := m.pages(), int(name[0]-'1'); i < len(pages) {
			m.help, m.page, m.part = false, pages[i].name, 0
		}
	default:
		m.scroll(name)
	}
}

// scroll moves within the page.
func (m *model) scroll(name string) {
	if !m.help && m.at() == logPage {
		m.scrollLog(name)
		return
	}
	switch name {
	case "down", "pgdown":
		m.part++
	case "up", "pgup":
		m.part--
	case "home":
		m.part = 0
	case "end":
		m.part = last
	}
	m.lines() // which bounds the part
}

// last is the last part, whatever its number.
const last = 1 << 30

// at returns the name of the page that is shown.
func (m *model) at() string {
	pages := m.pages()
	return pages[m.index(pages)].name
}

// next turns to the next part, or behind the last one to the next page.
func (m *model) next() {
	before := m.part
	m.part++
	if m.lines(); m.part == before {
		m.help = false
		m.turn(1)
	}
}

// previous turns to the part before, or before the first one to the end of the page before.
func (m *model) previous() {
	if m.part--; m.part >= 0 {
		return
	}
	m.help = false
	m.turn(-1)
	m.part = last
	m.lines()
}

// keyHelp is a key and what it does: in the foot if it has a word there, and on the
// page of all keys.
type keyHelp struct{ key, word, text string }

// allKeys returns the keys that do something, those first that the foot can best do
// without.
func (m *model) allKeys(parts int) []keyHelp {
	list := []keyHelp{{"c", "compact", "less of each port and stream, or all"}}
	if m.detail == compact {
		list[0].word = "all"
	}
	list = append(list, keyHelp{"p", "previous", "the part or page before"}, keyHelp{"n", "next", "the next part, or page"})
	a := m.actions
	if a.SetRate != nil {
		list = append(list, keyHelp{"r", "type rate", "type a rate"})
	}
	if a.Step != nil {
		list = append(list, keyHelp{"+ -", "rate", "a higher or lower rate"})
	}
	if a.Start != nil || a.Stop != nil {
		word := "start"
		if m.sample.sending != nil && m.sample.sending.On {
			word = "stop"
		}
		list = append(list, keyHelp{"s", word, "start or stop sending"})
	}
	return append(list, keyHelp{"?", "help", "these keys, or back"}, keyHelp{"q", "quit", "end, like Ctrl-C"})
}

// footKeys returns the keys with what they do, and without.
func (m *model) footKeys(parts int) (long, short []string) {
	for _, k := range m.allKeys(parts) {
		long, short = append(long, k.key+" "+k.word), append(short, k.key)
	}
	return long, short
}

// helpLines lists the keys.
func (m *model) helpLines() []string {
	var lines []string
	for _, k := range append(m.allKeys(1), []keyHelp{
		{"1-9", "", "the page of that number"},
		{"Tab", "", "the next page; Shift-Tab the one before"},
		{"↑ ↓", "", "lines of the log, parts of other pages"},
		{"PgUp PgDn", "", "pages of the log"},
		{"Home End", "", "the first or last of them"},
		{"Ctrl-L", "", "draw again"},
		{"Ctrl-Z", "", "stop, until the shell's fg"},
	}...) {
		lines = append(lines, m.cut(fmt.Sprintf("  %-9s  %s", k.key, k.text)))
	}
	return lines
}
