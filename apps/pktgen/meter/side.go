package meter

import (
	"runtime"
	"sync/atomic"
	"time"
)

// trial is what a receiver has to know of a trial. It is not changed any more when the
// receiver finds it.
type trial struct {
	number int
	first  []uint32 // of each stream, in the order of the configuration
}

// side names the set of counters, 0 or 1, that the receiver writes, and the trial that
// they belong to. Each is made for one change and is not changed.
type side struct {
	index int
	trial *trial
}

// sides lets a reader take the counters of a receiver that does not wait for it. The
// receiver makes turn odd, looks which side it is to write, and makes turn even when it
// is done with a burst. A reader first changes the side and then looks at turn. As both
// write before they look, either the receiver sees the new side or the reader sees an
// odd turn and waits until it changes, which is a burst at most; the other side then is
// the reader's.
type sides struct {
	turn    atomic.Uint64
	current atomic.Pointer[side]
}

// enter returns the side to write until leave.
func (s *sides) enter() *side {
	s.turn.Store(s.turn.Load() + 1)
	return s.current.Load()
}

func (s *sides) leave() { s.turn.Store(s.turn.Load() + 1) }

// change makes the receiver write the other side, for trial t, and returns the index of
// the one that it has left. One reader at a time may call it.
func (s *sides) change(t *trial) (left int) {
	left = s.current.Load().index
	s.current.Store(&side{index: 1 - left, trial: t})
	turn := s.turn.Load()
	for i := 0; turn%2 != 0 && s.turn.Load() == turn; i++ {
		if i < 100 {
			runtime.Gosched()
		} else {
			time.Sleep(20 * time.Microsecond) // the receiver is not on a CPU
		}
	}
	return left
}
