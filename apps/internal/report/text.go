package report

import (
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// clean returns a text as one line without what would move the cursor: escape sequences,
// tabs and other control characters.
func clean(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return text
	}
	text = strings.ToValidUTF8(ansi.Strip(text), "?")
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return -1
	}, text)
}

// wrap returns a text as lines of a width, broken between words where that is possible.
func wrap(text string, width int) []string {
	if width < 1 {
		return []string{""}
	}
	lines := strings.Split(ansi.Wrap(text, width, ""), "\n")
	for i := range lines {
		lines[i] = ansi.Truncate(lines[i], width, "…")
	}
	return lines
}

// pad returns a text with blanks up to a width, before it or behind it.
func pad(text string, size int, right bool) string {
	blanks := strings.Repeat(" ", max(size-ansi.StringWidth(text), 0))
	if right {
		return blanks + text
	}
	return text + blanks
}

// columns remembers how wide the columns of what is shown have been, so that they do not
// move when a number gets shorter.
type columns map[string][]int

// widen returns the widths of the columns of that name, which are at least those given.
func (c columns) widen(name string, widths []int) []int {
	for i, w := range widths {
		if i == len(c[name]) {
			c[name] = append(c[name], 0)
		}
		c[name][i] = max(c[name][i], w)
	}
	return c[name][:len(widths)]
}
