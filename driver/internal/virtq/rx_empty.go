package virtq

const (
	// yieldPeriod is the number of empty polls between two looks at whether the pool has
	// run out, and needs what the cache holds, and at the watchdog.
	yieldPeriod = 64
	// quietLimit is after how many empty polls, a good part of a second, the
	// watchdog rings the doorbell although the device did not ask: a lost
	// notification, or an invalid event index, must not stop the queue.
	quietLimit = 1 << 22
)

// NothingToDo reports whether Burst would find nothing, and have nothing else to do. Most
// polls are like that, and a caller that calls CountEmpty instead spares itself the rest.
func (r *Rx) NothingToDo() bool { return r.watching && load32(r.watched) == r.unchanged }

// watch has NothingToDo watch the device, after a burst that received nothing, if there is
// nothing else to do: no packet to complete, no buffers to post, no doorbell to decide about.
func (r *Rx) watch() {
	r.watching = false
	if r.pending > 0 || r.free() >= r.batch || r.unkicked > 0 || r.idle() {
		return
	}
	if r.packed {
		r.watched, r.unchanged, r.watching = r.nextPackedWord()
	} else {
		r.watched, r.unchanged, r.watching = r.nextSplitWord()
	}
}

// CountEmpty counts a poll that received nothing.
func (r *Rx) CountEmpty() {
	if r.stats.EmptyPolls.Add(1)%yieldPeriod == 0 {
		r.lookAround()
	}
}

// lookAround does what is due after many empty polls: the pool may have run out, or a
// notification may be lost.
func (r *Rx) lookAround() {
	r.cache.Yield()
	r.beQuiet(yieldPeriod)
}

// beQuiet is the watchdog's count of empty polls.
func (r *Rx) beQuiet(polls int) {
	r.quiet += polls
	if r.quiet >= quietLimit && r.count > 0 {
		r.quiet = 0
		r.stats.Rekicks.Add(1)
		r.rekick()
	}
}
