package devargs

import "fmt"

// Error reports the text of a port that cannot be used. Nothing was opened or changed.
type Error struct {
	Port   string // the whole text
	Key    string // the key that is wrong, "" if it is the device or the form
	Value  string // what was given
	Reason string // what is wrong with it
	Remedy string // what to write instead
	Err    error  // cause, or nil: errors.ErrUnsupported for a transport that is missing
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	what := e.Value
	if e.Key != "" {
		what = e.Key + "=" + e.Value
	}
	if what == e.Port {
		return fmt.Sprintf("port %q: %s; %s", e.Port, e.Reason, e.Remedy)
	}
	return fmt.Sprintf("port %q: %q: %s; %s", e.Port, what, e.Reason, e.Remedy)
}
