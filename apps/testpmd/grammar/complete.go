package grammar

import (
	"slices"
	"strings"
)

// Candidate is what can stand at the end of a line.
type Candidate struct {
	Word  string // a word, or the name of a kind of which no values are known
	Value bool   // Word cannot be typed: it stands for a value
	Says  string // what it is or does
}

// Complete returns what the last word of the text can become; it is empty if the text ends in a
// space. Candidates are in order and each one is there once. Commands that are refused are left
// out unless there is nothing else.
func (g *Grammar) Complete(text string) []Candidate {
	words := strings.Fields(text)
	last := ""
	if n := len(words); n > 0 && !strings.HasSuffix(text, " ") {
		last, words = words[n-1], words[:n-1]
	}
	all := g.candidatesOf(words, last, false)
	if len(all) == 0 && text != "" { // only commands that are refused go on like that
		all = g.candidatesOf(words, last, true)
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return strings.Compare(a.Word, b.Word) })
	return all
}

// candidatesOf returns what can follow some words and begins with a prefix, in commands that are
// carried out or in those that are refused.
func (g *Grammar) candidatesOf(words []string, last string, refused bool) []Candidate {
	var all []Candidate
	add := func(c Candidate) {
		i := slices.IndexFunc(all, func(other Candidate) bool { return other.Word == c.Word })
		switch {
		case i < 0:
			all = append(all, c)
		case all[i].Says != c.Says:
			all[i].Says = "" // of several commands
		}
	}
	for i := range g.commands {
		f := &g.forms[i]
		if n, _ := g.fits(f, words); n < len(words) {
			continue
		}
		if (g.commands[i].Refused != "") != refused {
			continue
		}
		g.candidates(f, len(words), last, g.commands[i].says(), add)
		if last == "" && f.mayEnd(len(words)) {
			add(Candidate{Word: "<Enter>", Value: true, Says: g.commands[i].says()})
		}
	}
	return all
}

// candidates adds what can stand at place n of a form and begins with a prefix.
func (g *Grammar) candidates(f *form, n int, prefix, says string, add func(Candidate)) {
	if n >= len(f.elements) {
		return
	}
	for _, alternative := range f.elements[n] {
		if !isKind(alternative) {
			if strings.HasPrefix(alternative, prefix) {
				add(Candidate{Word: alternative, Says: says})
			}
			continue
		}
		kind := g.kinds[alternative]
		if kind.Values == nil {
			add(Candidate{Word: alternative, Value: true, Says: kind.Says})
			continue
		}
		for _, v := range kind.Values() {
			if strings.HasPrefix(v, prefix) {
				add(Candidate{Word: v, Says: kind.Says})
			}
		}
	}
}

// says returns what a command does in its first sentence.
func (c *Command) says() string {
	if c.Refused != "" {
		return "not here: " + first(c.Refused)
	}
	return first(c.Help)
}

func first(text string) string {
	sentence, _, more := strings.Cut(text, ". ")
	if more {
		sentence += "."
	}
	return sentence
}

// Prefix returns the longest text that all candidates that can be typed begin with, "" if there
// is none or if a value is among them.
func Prefix(candidates []Candidate) string {
	prefix := ""
	for i, c := range candidates {
		switch {
		case c.Value:
			return ""
		case i == 0:
			prefix = c.Word
		}
		for !strings.HasPrefix(c.Word, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}
