package report

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// maxPending is how many actions wait for the one in progress, as when a key is held
// down. More are left out.
const maxPending = 16

// action is what a key asked for.
type action struct {
	name string
	do   func() error
	// typed is what the user typed for it, "" if it was a key.
	typed string
}

// outcome is what came of an action.
type outcome struct {
	action
	err     error
	sending *Sending // after it
}

// actionKey does what a key is for that an action is for.
func (m *model) actionKey(key string) tea.Cmd {
	a := m.actions
	step := func(n int) tea.Cmd {
		if a.Step == nil {
			return nil
		}
		return m.act(action{name: "rate", do: func() error { return a.Step(n) }})
	}
	switch key {
	case "+", "=":
		return step(1)
	case "-":
		return step(-1)
	case "r":
		if a.SetRate != nil {
			m.prompt = &prompt{name: "rate", hint: a.RateHint}
		}
	case "s":
		if a.Start != nil || a.Stop != nil {
			return m.act(action{name: "start or stop", do: m.toggle})
		}
	}
	return nil
}

// toggle stops what is sent, or starts it. It is called as an action, when what came
// before it is done.
func (m *model) toggle() error {
	on := m.sending != nil && m.sending().On
	switch {
	case on && m.actions.Stop != nil:
		return m.actions.Stop()
	case !on && m.actions.Start != nil:
		return m.actions.Start()
	}
	return nil
}

// act has an action done, after those that were asked for before.
func (m *model) act(a action) tea.Cmd {
	if m.busy {
		if len(m.pending) < maxPending {
			m.pending = append(m.pending, a)
		}
		return nil
	}
	m.busy = true
	sending := m.sending
	return func() tea.Msg {
		o := outcome{action: a}
		o.err = survived(func() error {
			if sending != nil {
				defer func() { now := sending(); o.sending = &now }()
			}
			return a.do()
		})
		return o
	}
}

// survived calls do and makes an error of a panic.
func survived(do func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return do()
}

// finish shows what came of an action, and begins the next.
func (m *model) finish(o outcome) tea.Cmd {
	m.busy = false
	before := m.sample.sending
	if o.sending != nil {
		m.sample.sending = o.sending
	}
	switch {
	case o.err != nil:
		m.notice = clean(o.err.Error())
		if o.typed != "" && m.prompt == nil {
			m.prompt = &prompt{name: o.name, hint: m.actions.RateHint, text: o.typed}
		} else if o.typed == "" {
			m.messages.add([]byte(fmt.Sprintf("%s: %s: %v\n", m.app, o.name, o.err)))
		}
	case o.sending != nil && (before == nil || *before != *o.sending):
		m.messages.add([]byte(fmt.Sprintf("%s: %s at %s\n", m.app, o.sending.words(), m.sample.at)))
	}
	if len(m.pending) == 0 {
		return nil
	}
	next := m.pending[0]
	m.pending = m.pending[1:]
	return m.act(next)
}

// prompt is a line that the user types.
type prompt struct{ name, hint, text string }

// maxTyped is how many bytes a prompt takes.
const maxTyped = 64

func (p *prompt) insert(text string) {
	if text = clean(text); len(p.text)+len(text) <= maxTyped {
		p.text += text
	}
}

// line returns the prompt as the last line of a screen. If it is too long, its end is shown.
func (p *prompt) line(width int) string {
	text := p.name + ": " + p.text
	if over := ansi.StringWidth(text) - (width - 1); over > 0 {
		return ansi.Truncate(ansi.TruncateLeft(text, over+1, "…"), max(width, 0), "")
	}
	hint := "Enter sets, Esc leaves"
	if p.hint != "" && p.text == "" {
		hint = p.hint + "; " + hint
	}
	return ansi.Truncate(text+" "+gap+hint, max(width, 0), "…")
}

// cursor returns the column in which the next character will be.
func (p *prompt) cursor() int { return ansi.StringWidth(p.name + ": " + p.text) }

// edit edits the line of a prompt.
func (m *model) edit(key, text string) tea.Cmd {
	p := m.prompt
	switch key {
	case "esc":
		m.prompt = nil
	case "enter":
		m.prompt = nil
		if p.text != "" {
			return m.act(action{name: p.name, typed: p.text, do: func() error { return m.actions.SetRate(p.text) }})
		}
	case "backspace":
		if r := []rune(p.text); len(r) > 0 {
			p.text = string(r[:len(r)-1])
		}
	case "ctrl+u":
		p.text = ""
	case "ctrl+c", "ctrl+\\", "ctrl+z", "ctrl+l":
		return m.key(key)
	default:
		p.insert(text)
	}
	return nil
}
