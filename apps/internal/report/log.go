package report

import "fmt"

// follow is the position in the log at which the newest message is the last line shown.
const follow = -1

// logView is where the user is in the log, and what is shown of it.
type logView struct {
	top         int // number of the first message shown, or follow
	first, size int // the first and how many were shown last
}

// log returns the messages as a page: those that came last, or those from where the user
// moved to. Long ones take several lines.
func (m *model) log(height int) [][]string {
	if height < 1 {
		return [][]string{nil}
	}
	v := &m.view
	if v.top != follow {
		list, first, end := m.messages.from(v.top, height)
		if _, whole := m.wrapped(list, height); first+whole < end && height > 1 {
			lines, whole := m.wrapped(list, height-1)
			v.top, v.first, v.size = first, first, max(whole, 1)
			where := fmt.Sprintf("%d to %d of %d; End follows", first+1, first+v.size, end)
			return [][]string{append(lines[:height-1], m.styles.faint.Render(m.cut(where)))}
		}
		v.top = follow
	}
	list := m.messages.last(height)
	_, _, end := m.messages.from(0, 0)
	lines, _ := m.wrapped(list, 1<<30)
	over := max(len(lines)-height, 0)
	_, hidden := m.wrapped(list, over)
	v.size = max(len(list)-hidden, 1)
	v.first = max(end-v.size, 0)
	if len(list) == 0 {
		lines = []string{m.cut("no messages")}
	}
	return [][]string{lines[over:]}
}

// wrapped returns messages as lines of the width of the screen, at least as many as asked
// for if there are, and how many messages are whole in so many lines.
func (m *model) wrapped(list []string, height int) (lines []string, whole int) {
	for _, text := range list {
		if len(lines) >= height {
			break
		}
		lines = append(lines, wrap(clean(text), m.width)...)
		if len(lines) <= height {
			whole++
		}
	}
	return lines, whole
}

// scrollLog moves in the log.
func (m *model) scrollLog(name string) {
	m.lines() // which finds out what is shown
	v := &m.view
	switch name {
	case "down":
		v.top = v.first + 1
	case "up":
		v.top = v.first - 1
	case "pgdown":
		v.top = v.first + v.size
	case "pgup":
		v.top = v.first - v.size
	case "home":
		v.top = 0
	case "end":
		v.top = follow
		return
	default:
		return
	}
	v.top = max(v.top, 0)
}
