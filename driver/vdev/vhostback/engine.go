package vhostback

import (
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// engine is what the messages of a peer act upon: a *vdev.VhostDevice or a
// *raw.Engine. Its methods are called by the goroutine that serves the peer,
// except Notify by the one that waits for kicks, and Poll, which moves packets.
type engine interface {
	// Offered returns the device features that a peer may accept.
	Offered() virtio.Features
	// Pairs returns how many queue pairs there are.
	Pairs() int
	// Begin settles the features; rings may be started from now on. End stops
	// them all and forgets the features.
	Begin(f virtio.Features)
	End()
	// Remap replaces all memory, and the areas of those rings that are started.
	Remap(all []vdev.Mapping, areas map[int][3][]byte) error
	// StartRing starts a ring, disabled or as EnableRing last said; StopRing
	// returns where it would go on. After StopRing and End no ring memory is
	// touched.
	StartRing(i int, v vdev.Ring) error
	StopRing(i int) uint16
	EnableRing(i int, on bool)
	// Notify is called when the driver kicked ring i, SetNoKick with true while
	// there is a ring that it cannot kick.
	Notify(i int)
	SetNoKick(on bool)
	// Config returns the device configuration, MTU the largest MTU that a driver
	// may announce.
	Config() []byte
	MTU() int
	// Failure returns what made the engine stop since Begin, false if nothing did.
	Failure() (vdev.Violation, bool)
	Stats() vdev.Stats
	// Poll moves packets, at most a burst from each ring, and returns how many.
	Poll() int
	Close() error
}

// failure returns why the engine stopped by itself, nil if it did not.
func failure(e engine) error {
	if v, failed := e.Failure(); failed {
		return &RingError{Ring: v.Queue, Rule: v.Rule, Reason: v.Text}
	}
	return nil
}
