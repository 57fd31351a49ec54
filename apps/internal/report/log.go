package report

import "fmt"

// follow is the position in the log at which the newest message is the last line shown.
const follow = -1

// log returns the messages as a page: those that came last, or those from where the user
// moved to. Long ones take several lines.
func (m *model) log(height int) [][]string {
	if height < 1 {
		return [][]string{nil}
	}
	if m.top != follow {
		list, first, end := m.messages.from(m.top, height)
		lines, whole := m.wrapped(list, height)
		if len(lines) >= height && first+whole < end {
			m.top = first
			where := m.styles.faint.Render(m.cut(fmt.Sprintf("%d to %d of %d; End follows", first+1, first+max(whole, 1), end)))
			return [][]string{append(lines[:height-1], where)}
		}
		m.top = follow
	}
	list := m.messages.last(height)
	if len(list) == 0 {
		list = []string{"no messages"}
	}
	lines, _ := m.wrapped(list, 1<<30)
	return [][]string{lines[max(len(lines)-height, 0):]}
}

// wrapped returns messages as lines of the width of the screen, at least as many as asked
// for if there are, and how many messages are whole in so many lines.
func (m *model) wrapped(list []string, height int) (lines []string, whole int) {
	for _, text := range list {
		lines = append(lines, wrap(clean(text), m.width)...)
		if len(lines) <= height {
			whole++
		}
		if len(lines) >= height {
			break
		}
	}
	return lines, whole
}

// scrollLog moves in the log.
func (m *model) scrollLog(name string) {
	screen := max(m.height-4, 1)
	_, first, end := m.messages.from(m.top, 0)
	if m.top == follow {
		first = max(end-screen, 0)
	}
	switch name {
	case "down":
		first++
	case "up":
		first--
	case "pgdown":
		first += screen
	case "pgup":
		first -= screen
	case "home":
		first = 0
	case "end":
		m.top = follow
		return
	default:
		return
	}
	m.top = max(first, 0)
}
