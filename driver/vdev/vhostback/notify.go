package vhostback

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// canNotify reports whether fd is an eventfd, or, with pipes, a pipe, which some front
// ends use where one side only writes and the other only reads. It returns true if
// the kind of fd is not known.
func canNotify(fd int, pipes bool) bool {
	name, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return err != nil || name == "anon_inode:[eventfd]" || pipes && strings.HasPrefix(name, "pipe:")
}

// calls are the eventfds by which the device interrupts the driver. It
// implements vdev.Interrupts.
type calls struct {
	*eventfds
	failed func() // called when the device may have failed
	armed  []atomic.Bool
}

func newCalls(rings int, failed func(), broken func(ring int, err error)) *calls {
	return &calls{eventfds: newEventfds(rings, broken), failed: failed,
		armed: make([]atomic.Bool, rings)}
}

// set replaces the eventfd of ring i, -1 for none, and owns it from now on. It
// signals the new one: an interrupt may have been due while there was none.
func (c *calls) set(i, fd int) {
	c.eventfds.set(i, fd)
	c.armed[i].Store(fd >= 0)
	c.signal(i)
}

// Masked implements [vdev.Interrupts].
func (c *calls) Masked(i int) bool { return !c.armed[i].Load() }

// Queue implements [vdev.Interrupts].
func (c *calls) Queue(i int) { c.signal(i) }

// Config implements [vdev.Interrupts]. Changes of the configuration are not sent to
// the peer; a failure is one of them.
func (c *calls) Config() { c.failed() }
