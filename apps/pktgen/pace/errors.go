package pace

import (
	"errors"
	"fmt"
)

// What is wrong with a rate or a pattern; errors.Is finds them in an [*Error].
var (
	ErrSyntax     = errors.New("not a rate")
	ErrZero       = errors.New("nothing would be sent")
	ErrTooHigh    = errors.New("more than there can be")
	ErrTooLow     = errors.New("less than can be counted")
	ErrNoLineRate = errors.New("no line rate was stated")
	ErrPattern    = errors.New("not a pattern")
)

// Error is a rate or a pattern that cannot be used.
type Error struct {
	Op     string // "rate", "line rate", "pattern", …
	Value  string
	Reason string
	Remedy string
	Err    error // one of the above
}

// Error names the value, the reason and the remedy.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %q: %s; %s", e.Op, e.Value, e.Reason, e.Remedy)
}

// Unwrap returns what kind of error it is.
func (e *Error) Unwrap() error { return e.Err }
