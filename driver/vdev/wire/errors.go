package wire

import "fmt"

// Error is a wire that cannot be used, has ended, or has lost frames.
type Error struct {
	Kind   string // "cable", "capture file", "TAP interface" or "impairment"
	Name   string // of the cable, the file, the interface or what of the impairment
	Reason string // "" if Err says it
	Remedy string // "" if none is known
	Err    error  // of the system or of the capture library; may be nil
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s %q", e.Kind, e.Name)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
