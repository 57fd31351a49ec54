package driver

import "fmt"

// Link is the state of a port's link.
type Link struct {
	// Up tells whether there is a link. A device without STATUS always has one,
	// a port that failed or is being recovered never.
	Up bool
	// Speed is in Mbit/s, 0 if unknown.
	Speed int
	// Duplex is UnknownDuplex unless the device says better.
	Duplex Duplex
}

// Duplex tells whether a link carries frames both ways at once.
type Duplex int

// The values of Duplex.
const (
	UnknownDuplex Duplex = iota
	HalfDuplex
	FullDuplex
)

// String is "up", with speed and duplex if they are known, or "down".
func (l Link) String() string {
	if !l.Up {
		return "down"
	}
	s := "up"
	if l.Speed != 0 {
		s += fmt.Sprintf(" %d Mbit/s", l.Speed)
	}
	if l.Duplex != UnknownDuplex {
		s += " " + l.Duplex.String()
	}
	return s
}

// String is "full-duplex", "half-duplex" or "unknown duplex".
func (d Duplex) String() string {
	switch d {
	case FullDuplex:
		return "full-duplex"
	case HalfDuplex:
		return "half-duplex"
	}
	return "unknown duplex"
}
