package console

import (
	"os"
	"path/filepath"
	"strings"
)

const (
	// keptLines is how many lines a history has at most.
	keptLines = 1000
	// trimAt is the size in bytes from which the file is written anew with the last of them.
	trimAt = 256 << 10
)

// history is the lines of a file and those that are added. Without a file that can be written it
// lasts as long as the program.
type history struct {
	path  string
	lines []string // the oldest first

	found  string // by the last search
	wanted string // ... which was for this
	before int    // ... and is continued before this line
}

// HistoryFile returns where the lines of a program are kept, "" if the environment names no
// place.
func HistoryFile(name string) string {
	state := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "virtio-pmd", name+"_history")
}

func openHistory(path string) *history {
	h := &history{path: path}
	text, err := os.ReadFile(path)
	if err != nil { // there is none yet, or it cannot be read
		return h
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if line != "" {
			h.lines = append(h.lines, line)
		}
	}
	h.lines = h.lines[max(len(h.lines)-keptLines, 0):]
	if len(text) > trimAt {
		_ = os.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	}
	return h
}

// Add implements [term.History]. What is empty, or the same again, is not kept.
func (h *history) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > keptLines {
		h.lines = h.lines[1:]
	}
	if h.path == "" || os.MkdirAll(filepath.Dir(h.path), 0o700) != nil {
		return
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.WriteString(line + "\n")
}

// Len implements [term.History].
func (h *history) Len() int { return len(h.lines) }

// At implements [term.History]: 0 is the last line.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

// search returns the last line that contains a text, or if the text is what the last search has
// found, the one before it that contains what was searched then.
func (h *history) search(text string) (line string, ok bool) {
	if text == "" || text != h.found {
		h.wanted, h.before = text, len(h.lines)
	}
	for i := min(h.before, len(h.lines)) - 1; i >= 0; i-- {
		if strings.Contains(h.lines[i], h.wanted) && h.lines[i] != text {
			h.found, h.before = h.lines[i], i
			return h.found, true
		}
	}
	return "", false
}
