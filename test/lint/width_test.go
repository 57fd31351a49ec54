package lint

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Comments wrap at maxWidth columns; a tab counts as tabWidth.
const (
	maxWidth = 100
	tabWidth = 4
)

func TestCommentsWrap(t *testing.T) {
	for _, s := range sources(t) {
		lines := strings.Split(string(s.text), "\n")
		for _, group := range s.file.Comments {
			first, last := s.fset.Position(group.Pos()).Line, s.fset.Position(group.End()).Line
			for n := first; n <= last; n++ {
				line := lines[n-1]
				if !strings.HasPrefix(strings.TrimSpace(line), "//") {
					continue // beside code
				}
				width := utf8.RuneCountInString(line) + (tabWidth-1)*strings.Count(line, "\t")
				if width > maxWidth {
					t.Errorf("%s:%d: the comment is %d columns wide", s.path, n, width)
				}
			}
		}
	}
}
