package devargs

import (
	"strings"

	"github.com/xrash/smetrics"
)

// maxTypos is by how many letters a word may differ from the one that was meant.
const maxTypos = 2

// similar returns the word that was probably meant, "" if there is none.
func similar(word string, words []string) string {
	best, least := "", maxTypos+1
	word = strings.ToLower(word)
	for _, w := range words {
		// Of a short word fewer letters are changed than stay.
		if n := smetrics.WagnerFischer(word, w, 1, 1, 1); n < least && 2*n < len(w) {
			best, least = w, n
		}
	}
	return best
}

// unknownKey is a key that there is not.
func unknownKey(name, value string) *Error {
	e := &Error{Key: name, Value: value, Reason: "unknown key", Remedy: "the keys are " + Keys()}
	if meant := similar(name, keyNames()); meant != "" {
		e.Remedy = "did you mean " + meant + "? help ports explains all keys"
	}
	return e
}

// noValue is what stands between two commas and is not of the form key=value.
func noValue(field string) *Error {
	e := &Error{Value: field, Reason: "not of the form key=value"}
	switch meant := similar(field, keyNames()); {
	case field == "":
		e.Reason, e.Remedy = "no key between commas, or behind the last one",
			`leave the comma out; one in a name is written "\,"`
	case meant != "":
		e.Remedy = "write " + meant + "= and a value; help ports explains all keys"
	default:
		e.Remedy = `the keys are ` + Keys() + `; a comma in a name is written "\,"`
	}
	return e
}

// unknownKind is a device that is of none of the kinds.
func unknownKind(text string) *Error {
	e := &Error{Value: text, Reason: "unknown kind of port", Remedy: forms}
	prefix, rest, named := strings.Cut(text, ":")
	switch meant := similar(prefix, []string{"emu", "pci", "vhost-user"}); {
	case named && meant != "":
		e.Remedy = "did you mean " + meant + ":" + strings.ToLower(rest) + "?"
		if meant == "vhost-user" {
			e.Remedy = "did you mean vhost-user:" + rest + "?"
		}
	case strings.Contains(text, "/"):
		e.Remedy = "for a socket write vhost-user:" + text + ", for a capture emu:pcap=" + text
	case !named && backendNames(text):
		e.Remedy = "write emu:" + text
	case !named:
		e.Remedy = forms + "; devbind status lists the addresses of interfaces"
	}
	return e
}

// backendNames reports whether a text begins with the name of a back end of emu:.
func backendNames(text string) bool {
	name, _, _ := strings.Cut(text, "=")
	_, ok := backends[name]
	return ok
}
