package traffic

import (
	"fmt"
	"strings"
)

// Error says what of a scenario, a stream or a capture file cannot be used.
type Error struct {
	// File and Line say where it is written; Line counts from 1. A stream that was made
	// by a program has neither.
	File string
	Line int
	// Field is the path of what is wrong: streams[0].packet[1].ipv4.src.
	Field string
	// Value is what is there, as text; "" if nothing is.
	Value string
	// Reason and Remedy are what is wrong with it and what would be right.
	Reason, Remedy string
	// Err is the error of the operating system or the parser, if there was one.
	Err error
}

// Error returns "file:line: field: value: reason; remedy".
func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.File != "" && e.Line > 0:
		fmt.Fprintf(&b, "%s:%d: ", e.File, e.Line)
	case e.File != "":
		b.WriteString(e.File + ": ")
	}
	if e.Field != "" {
		b.WriteString(e.Field + ": ")
	}
	if e.Value != "" {
		b.WriteString(e.Value + ": ")
	}
	b.WriteString(e.Reason)
	if e.Err != nil {
		if e.Reason != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns what the error comes from.
func (e *Error) Unwrap() error { return e.Err }
