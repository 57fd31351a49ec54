package vdev

// Backend is what a device is connected to: see package wire.
//
// A device calls Transmit and Receive from one goroutine at a time, holding its
// own lock: they must not wait and must not call the device.
type Backend interface {
	// Attach is called once, before the other methods. The back end calls wake
	// when Receive has frames again, or when Transmit would take frames again that
	// it refused; from any goroutine at any time.
	Attach(wake func()) error
	// Transmit takes frames that the driver sent on a queue pair, counted from
	// 0, and returns how many it took. The frames are in the driver's memory:
	// they may change at any time, and the back end must not keep them.
	Transmit(pair int, frames [][]byte) int
	// Receive puts frames into the slice, for delivery to a queue pair, and
	// returns how many. They stay valid until the next Receive for that pair.
	// The pair is [AnyPair] if the device picks one for each frame.
	Receive(pair int, frames [][]byte) int
	// Traits returns how a device has to use the back end. It never changes.
	Traits() Traits
	// Close releases what the back end holds. It is called once.
	Close() error
}

// LinkReporter is a [Backend] whose link goes down and up. What makes a device with one
// calls FollowLink, as package pcifn and package vhostback do.
type LinkReporter interface {
	// FollowLink is called once, after Attach. The back end calls up with the state
	// of the link, at once and at every change; up is a device's SetLink. If no frame
	// will ever pass again it calls gone once, with the reason. The calls come
	// from any goroutine, until Close returns, and not while the back end's own methods
	// are called.
	FollowLink(up func(bool), gone func(reason error))
}

// LossReporter is a [Backend] that may lose frames that Transmit took.
type LossReporter interface {
	// Lost returns how many frames and bytes of them were lost. Any goroutine may
	// call it.
	Lost() (frames, bytes uint64)
}

// Traits are how a device has to use a [Backend].
type Traits struct {
	// PerPair is true if Receive is to be called for each queue pair in use, in
	// place of once for all of them with [AnyPair].
	PerPair bool
	// Lossless is true if received frames always wait for buffers, also without
	// Config.Hold: the back end loses nothing by it.
	Lossless bool
}

// AnyPair is the argument of Receive when the device distributes the frames over
// its queue pairs.
const AnyPair = -1

// unconnected is the back end of a device that none was given for.
type unconnected struct{}

func (unconnected) Attach(func()) error                 { return nil }
func (unconnected) Transmit(_ int, frames [][]byte) int { return len(frames) }
func (unconnected) Receive(int, [][]byte) int           { return 0 }
func (unconnected) Traits() Traits                      { return Traits{} }
func (unconnected) Close() error                        { return nil }
