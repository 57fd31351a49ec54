package portset

import "runtime"

const (
	// idleRounds is after how many rounds without a packet a poller of emulated devices
	// yields its CPU.
	idleRounds = 16
	// lastRounds bounds the rounds of Drain: more than the largest ring takes.
	lastRounds = 2048
)

// Devices are the emulated devices that one poller polls.
type Devices struct {
	polls []func() int
	idle  int // rounds without a packet
}

// Devices deals the emulated devices out to the pollers. uses reports whether a poller
// receives from or sends to a port; a device is polled by one of those that use its port,
// because a device that two of them polled would have one wait for the other.
func (s *Set) Devices(uses func(poller, port int) bool) []Devices {
	dealt := make([]Devices, len(s.Caches))
	for port, poll := range s.EmuPolls {
		owner := -1
		for i := range dealt {
			if uses(i, port) && (owner < 0 || len(dealt[i].polls) < len(dealt[owner].polls)) {
				owner = i
			}
		}
		if poll != nil && owner >= 0 {
			dealt[owner].polls = append(dealt[owner].polls, poll)
		}
	}
	return dealt
}

// Any reports whether there is a device to poll.
func (d *Devices) Any() bool { return len(d.polls) > 0 }

// Poll has the devices process their queues. When no packet has come for a while it
// yields the CPU: a goroutine of this process at the other end of a cable may be waiting
// for it.
func (d *Devices) Poll(busy bool) {
	for _, poll := range d.polls {
		poll()
	}
	d.idle++
	if busy {
		d.idle = 0
	}
	if d.idle > idleRounds {
		d.idle = 0
		runtime.Gosched()
	}
}

// Drain polls the devices until they have taken what was sent, so that a recording is
// complete. It is called after the last poll.
func (d *Devices) Drain() {
	for moved, rounds := 1, 0; moved > 0 && rounds < lastRounds; rounds++ {
		moved = 0
		for _, poll := range d.polls {
			moved += poll()
		}
	}
}
