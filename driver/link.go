package driver

import (
	"encoding/binary"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Link is the state of a port's link.
type Link struct {
	// Up is whether there is a link. A device without STATUS always has one, a
	// port that failed or is being recovered never.
	Up bool `json:"up"`
	// Speed is in Mbit/s, 0 if unknown.
	Speed int `json:"speed_mbps"`
	// Duplex is [UnknownDuplex] unless the device says which it is.
	Duplex Duplex `json:"duplex"`
}

// Duplex is whether a link carries frames both ways at once.
type Duplex int

// The values of Duplex.
const (
	UnknownDuplex Duplex = iota
	HalfDuplex
	FullDuplex
)

// String returns "up", with speed and duplex if they are known, or "down".
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

// String returns "full-duplex", "half-duplex" or "unknown duplex".
func (d Duplex) String() string {
	switch d {
	case FullDuplex:
		return "full-duplex"
	case HalfDuplex:
		return "half-duplex"
	}
	return "unknown duplex"
}

// MarshalText returns the words of String.
func (d Duplex) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Speed and duplex as the device says them (5.1.4.2).
const (
	speedMax   = 0x7fffffff // anything above means unknown
	duplexFull = 1
	duplexHalf = 0
)

// readLink reads those fields of the link's state that the negotiated features f
// include.
func readLink(t transport.Transport, f virtio.Features) (Link, error) {
	link := Link{Up: true} // without STATUS the link counts as up (5.1.4.2)
	if f.Has(virtio.NetStatus) {
		status, err := readConfig16(t, virtio.NetConfigStatus)
		if err != nil {
			return Link{}, err
		}
		link.Up = status&virtio.NetStatusLinkUp != 0
	}
	if !f.Has(virtio.NetSpeedDuplex) {
		return link, nil
	}
	var speed [4]byte
	if err := t.ReadConfig(virtio.NetConfigSpeed, 4, speed[:]); err != nil {
		return Link{}, err
	}
	var duplex [1]byte
	if err := t.ReadConfig(virtio.NetConfigDuplex, 1, duplex[:]); err != nil {
		return Link{}, err
	}
	if v := binary.LittleEndian.Uint32(speed[:]); v <= speedMax {
		link.Speed = int(v)
	}
	switch duplex[0] {
	case duplexFull:
		link.Duplex = FullDuplex
	case duplexHalf:
		link.Duplex = HalfDuplex
	}
	return link, nil
}
