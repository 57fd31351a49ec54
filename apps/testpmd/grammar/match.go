package grammar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Grammar is the commands of a prompt and the kinds of their values.
type Grammar struct {
	commands []Command
	forms    []form
	kinds    map[string]Kind
}

// New returns the grammar of commands.
func New(commands []Command, kinds map[string]Kind) *Grammar {
	g := &Grammar{commands: commands, kinds: kinds}
	for _, c := range commands {
		g.forms = append(g.forms, compile(c.Form))
	}
	return g
}

// Commands returns the commands of the grammar.
func (g *Grammar) Commands() []Command { return g.commands }

// Match is a line that a command has.
type Match struct {
	Command *Command
	Words   []string // of the line
}

// Int returns the word of a place as a number; its kind has checked that it is one.
func (m Match) Int(i int) int {
	n, _ := strconv.ParseInt(m.Words[i], 0, 64)
	return int(n)
}

// Has reports whether the line has a word at a place.
func (m Match) Has(i int, word string) bool { return i < len(m.Words) && m.Words[i] == word }

// Words splits a line into words. What follows "#" at its beginning or after a space is a
// comment, and so is a line that begins with "!".
func Words(line string) []string {
	words := strings.Fields(line)
	if len(words) > 0 && strings.HasPrefix(words[0], "!") {
		return nil
	}
	if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "#") }); i >= 0 {
		words = words[:i]
	}
	return words
}

// Parse finds the command of a line that has words. A failure is an [*Error].
func (g *Grammar) Parse(line string) (Match, error) {
	words := Words(line)
	e, refused := &Error{Words: words}, &Error{} // what refused commands expect there
	for i := range g.commands {
		n, reason := g.fits(&g.forms[i], words)
		if n == len(words) && g.forms[i].mayEnd(n) {
			return Match{Command: &g.commands[i], Words: words}, nil
		}
		if n > e.Place || e.Reason == "" && n == e.Place {
			if n > e.Place {
				e.Expected, refused.Expected = nil, nil
			}
			e.Place, e.Reason = n, reason
		}
		if n == e.Place {
			expecting := e
			if g.commands[i].Refused != "" {
				expecting = refused
			}
			expecting.expect(g.expected(&g.forms[i], n))
		}
	}
	if len(e.Expected) == 0 { // only they go on like that
		e.Expected = refused.Expected
	}
	return Match{}, e
}

// fits returns how many words a form has from the first on, and why not the next.
func (g *Grammar) fits(f *form, words []string) (n int, reason string) {
	for n < len(words) {
		if n == len(f.elements) {
			if f.rest {
				return len(words), ""
			}
			return n, ""
		}
		ok := false
		for _, alternative := range f.elements[n] {
			var err error
			if ok, err = g.is(alternative, words[n]); ok {
				break
			} else if err != nil {
				reason = err.Error()
			}
		}
		if !ok {
			return n, reason
		}
		n++
	}
	return n, ""
}

// is reports whether a word is what an alternative stands for, and if it is a value that is
// refused, why.
func (g *Grammar) is(alternative, word string) (bool, error) {
	if !isKind(alternative) {
		return alternative == word, nil
	}
	kind, ok := g.kinds[alternative]
	if !ok || kind.Check == nil {
		return true, nil
	}
	err := kind.Check(word)
	return err == nil, err
}

// expected returns what can stand at place n of a form.
func (g *Grammar) expected(f *form, n int) []string {
	var list []string
	if n < len(f.elements) {
		for _, alternative := range f.elements[n] {
			list = append(list, g.says(alternative)...)
		}
	}
	if f.mayEnd(n) {
		list = append(list, end)
	}
	return list
}

// says returns what an alternative stands for: a word, the values of a kind, or what it is.
func (g *Grammar) says(alternative string) []string {
	if !isKind(alternative) {
		return []string{alternative}
	}
	switch kind := g.kinds[alternative]; {
	case kind.Values != nil && len(kind.Values()) > 0:
		return kind.Values()
	case kind.Says != "":
		return []string{kind.Says}
	}
	return []string{alternative}
}

// end stands for the end of the line in [Error.Expected].
const end = "the end"

// Error is a line that no command has.
type Error struct {
	Words    []string
	Place    int      // of the first word that is wrong or missing
	Reason   string   // why a value is refused, "" if that is not known
	Expected []string // what can stand there
}

// expect adds what else can stand there.
func (e *Error) expect(list []string) {
	for _, w := range list {
		if !slices.Contains(e.Expected, w) {
			e.Expected = append(e.Expected, w)
		}
	}
}

// Unknown reports whether not even the first word begins a command.
func (e *Error) Unknown() bool { return e.Place == 0 }

// Error says as testpmd does that the line is wrong, then which word is, and what can stand
// there.
func (e *Error) Error() string {
	if e.Unknown() {
		return "Command not found"
	}
	var b strings.Builder
	b.WriteString("Bad arguments\n")
	before := strings.Join(e.Words[:e.Place], " ")
	if e.Place == len(e.Words) {
		fmt.Fprintf(&b, "  %q is not complete: ", before)
	} else {
		fmt.Fprintf(&b, "  %q after %q: ", e.Words[e.Place], before)
	}
	if e.Reason != "" {
		b.WriteString(e.Reason + "; ")
	}
	b.WriteString("here can stand " + list(e.Expected))
	return b.String()
}

// shown is how many words an error lists at most.
const shown = 16

// list joins words for people.
func list(words []string) string {
	if len(words) > shown {
		words = append(slices.Clone(words[:shown]), "... (? lists all)")
	}
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}
