package command

import (
	"slices"
	"strings"
)

// Word returns the word of words that text is, whatever its case, and reports whether
// there is one.
func Word(text string, words ...string) (string, bool) {
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, text) })
	if i < 0 {
		return "", false
	}
	return words[i], true
}
