package grammar

import (
	"slices"
	"strings"
)

// Command is one command of a prompt.
type Command struct {
	Form    string
	Section string // under which help lists it
	Help    string // one sentence, or more
	// Refused says why the command is not carried out here, and what to use instead. A
	// command that is carried out has Do.
	Refused string
	Do      func(Match) error
}

// Kind is a sort of value, which forms name in capitals.
type Kind struct {
	// Says what the value is, for people: "a port".
	Says string
	// Check returns why a text is no such value. It may be nil, for any text.
	Check func(text string) error
	// Values lists what there is to choose from, for completion. It may be nil.
	Values func() []string
}

// element is what can stand at one place of a form: one of several words or values.
type element []string

// form is a compiled [Command.Form].
type form struct {
	elements []element
	ends     []int // numbers of elements after which the command may end
	rest     bool  // any words may follow
}

// compile reads a form. Forms are constants, whose mistakes tests find.
func compile(text string) form {
	var f form
	for word := range strings.FieldsSeq(text) {
		for strings.HasPrefix(word, "[") {
			f.ends = append(f.ends, len(f.elements))
			word = word[1:]
		}
		word = strings.TrimRight(word, "]")
		if word == "..." {
			f.rest = true
			continue
		}
		word = strings.TrimSuffix(strings.TrimPrefix(word, "("), ")")
		f.elements = append(f.elements, strings.Split(word, "|"))
	}
	f.ends = append(f.ends, len(f.elements))
	return f
}

// mayEnd reports whether a command may end after n words.
func (f *form) mayEnd(n int) bool {
	return slices.Contains(f.ends, n) || f.rest && n > len(f.elements)
}

// isKind reports whether an alternative of an element names a [Kind]: it is in capitals.
func isKind(alternative string) bool {
	return alternative != "" && strings.ToUpper(alternative) == alternative &&
		strings.ToLower(alternative) != alternative
}
