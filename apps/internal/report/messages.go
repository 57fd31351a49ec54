package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxMessages is how many lines of messages are kept for when the screen ends.
const maxMessages = 10000

// messages are lines that wait for the end of the screen. Any goroutine may add some.
type messages struct {
	mu      sync.Mutex
	lines   []string
	dropped int
}

func (m *messages) add(text []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for text := range strings.Lines(string(text)) {
		m.lines = append(m.lines, strings.TrimSuffix(text, "\n"))
	}
	if extra := len(m.lines) - maxMessages; extra > 0 {
		m.lines, m.dropped = m.lines[extra:], m.dropped+extra
	}
}

// last returns the last n lines, or fewer.
func (m *messages) last(n int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.lines[max(len(m.lines)-n, 0):])
}

// all returns all lines as they were written.
func (m *messages) all() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b bytes.Buffer
	if m.dropped > 0 {
		fmt.Fprintf(&b, "%d lines are not shown\n", m.dropped)
	}
	for _, l := range m.lines {
		b.WriteString(l + "\n")
	}
	return b.Bytes()
}

// from returns up to n lines from number i on, and the numbers of the first line of these
// and of the line behind the last one that there is. Lines count from 0.
func (m *messages) from(i, n int) (list []string, first, end int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end = m.dropped + len(m.lines)
	first = min(max(i, m.dropped), end)
	at := first - m.dropped
	return slices.Clone(m.lines[at:min(at+max(n, 0), len(m.lines))]), first, end
}
