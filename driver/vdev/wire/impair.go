package wire

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// ImpairConfig says what happens to the frames that come out of a wire, in this order.
// Which frames it happens to is random, and the same in every run with the same frames.
type ImpairConfig struct {
	Loss      float64 // percentage of frames that are lost
	Reorder   float64 // percentage of frames that leave after the next one, or 10 ms later if none comes
	Duplicate float64 // percentage of frames that leave twice
	// Delay is how long each frame takes, Jitter how much longer or shorter at most: the
	// time is uniformly distributed. A frame does not leave before the one in front of it.
	Delay, Jitter time.Duration
	Seed          uint64 // another one impairs other frames
}

const (
	// impairFrames is how many frames are delayed at once at most. Then no more are taken
	// from the wire.
	impairFrames = 16384
	// impairBatch is how many frames are taken from the wire at once.
	impairBatch = 64
	// reorderTimeout is how long a frame waits for the one that is to overtake it.
	reorderTimeout = 10 * time.Millisecond
)

// Check returns an *[Error] if c is not valid.
func (c *ImpairConfig) Check() error {
	for _, p := range []struct {
		name  string
		value float64
	}{{"loss", c.Loss}, {"reorder", c.Reorder}, {"duplicate", c.Duplicate}} {
		if !(p.value >= 0 && p.value <= 100) {
			return &Error{Kind: "impairment", Name: p.name, Reason: fmt.Sprintf("%v is no percentage", p.value),
				Remedy: "use 0 to 100"}
		}
	}
	if c.Delay < 0 || c.Jitter < 0 || c.Jitter > c.Delay {
		return &Error{Kind: "impairment", Name: "jitter", Reason: fmt.Sprintf("%v of a delay of %v", c.Jitter, c.Delay),
			Remedy: "use a delay that is not negative and a jitter up to the delay"}
	}
	return nil
}

// Impairment is a wire that loses, reorders, duplicates and delays the frames that come
// out of another one. What goes into it is not changed. It passes no offloads on, so that what
// is lost is a frame of the network and not a large packet.
type Impairment struct {
	vdev.Backend
	config ImpairConfig
	random *rand.Rand
	now    func() time.Duration

	in      [][]byte
	waiting []delayed // in the order in which they leave, from head on
	head    int
	lent    int      // of waiting, by the last Receive
	free    [][]byte // room of frames that have left
	held    *delayed // waits for the next frame

	wake  atomic.Pointer[func()]
	timer *time.Timer
	armed atomic.Bool

	lost, reordered, duplicated atomic.Uint64
}

// delayed is a copy of a frame and when it leaves.
type delayed struct {
	frame []byte
	leave time.Duration
}

// Impair returns a wire that impairs what comes out of w, which belongs to it from then on. An
// error is an *[Error].
func Impair(w vdev.Backend, c ImpairConfig) (*Impairment, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	start := time.Now()
	return &Impairment{
		Backend: w, config: c, random: rand.New(rand.NewPCG(c.Seed, 0)), in: make([][]byte, impairBatch),
		now: func() time.Duration { return time.Since(start) },
	}, nil
}

// Counts returns how many frames were lost, reordered and duplicated.
func (i *Impairment) Counts() (lost, reordered, duplicated uint64) {
	return i.lost.Load(), i.reordered.Load(), i.duplicated.Load()
}

// Attach implements [vdev.Backend].
func (i *Impairment) Attach(wake func()) error {
	i.wake.Store(&wake)
	i.timer = time.AfterFunc(time.Hour, func() {
		i.armed.Store(false)
		call(&i.wake)
	})
	i.timer.Stop()
	return i.Backend.Attach(wake)
}

// Close implements [vdev.Backend].
func (i *Impairment) Close() error {
	i.wake.Store(nil)
	if i.timer != nil {
		i.timer.Stop()
	}
	return i.Backend.Close()
}

// Receive implements [vdev.Backend].
func (i *Impairment) Receive(pair int, frames [][]byte) int {
	i.takeBack()
	now := i.now()
	i.take(pair, now)
	waiting := i.waiting[i.head:]
	n := 0
	for n < len(frames) && n < len(waiting) && waiting[n].leave <= now {
		frames[n] = waiting[n].frame
		n++
	}
	i.lent = n
	i.arm(now)
	return n
}

// takeBack takes the room of the frames back that are lent.
func (i *Impairment) takeBack() {
	for _, d := range i.waiting[i.head:][:i.lent] {
		i.free = append(i.free, d.frame)
	}
	i.head += i.lent
	i.lent = 0
	if 2*i.head >= len(i.waiting) { // so that moving costs less than what has left
		i.waiting = i.waiting[:copy(i.waiting, i.waiting[i.head:])]
		i.head = 0
	}
}

// take takes frames from the wire.
func (i *Impairment) take(pair int, now time.Duration) {
	for len(i.waiting)-i.head+2*impairBatch+2 <= impairFrames {
		n := i.Backend.Receive(pair, i.in)
		for _, f := range i.in[:n] {
			i.arrive(f, now)
		}
		if n < len(i.in) {
			break
		}
	}
	if i.held != nil && i.held.leave <= now {
		i.release(now)
	}
}

// arrive impairs a frame.
func (i *Impairment) arrive(frame []byte, now time.Duration) {
	if i.chance(i.config.Loss) {
		i.lost.Add(1)
		return
	}
	if i.held == nil && i.chance(i.config.Reorder) {
		i.held = &delayed{i.copy(frame), now + reorderTimeout}
		return
	}
	i.depart(i.copy(frame), now)
	if i.held != nil {
		i.reordered.Add(1)
		i.release(now)
	}
}

// release lets the frame that is held go.
func (i *Impairment) release(now time.Duration) {
	i.depart(i.held.frame, now)
	i.held = nil
}

// depart lets a frame go after the delay, once or twice.
func (i *Impairment) depart(frame []byte, now time.Duration) {
	leave := now + i.config.Delay
	if j := int64(i.config.Jitter); j > 0 {
		leave += time.Duration(i.random.Int64N(2*j+1) - j)
	}
	if n := len(i.waiting); n > i.head {
		leave = max(leave, i.waiting[n-1].leave)
	}
	i.waiting = append(i.waiting, delayed{frame, leave})
	if i.chance(i.config.Duplicate) {
		i.duplicated.Add(1)
		i.waiting = append(i.waiting, delayed{i.copy(frame), leave})
	}
}

// chance reports whether something happens that does in a percentage of cases.
func (i *Impairment) chance(percentage float64) bool {
	return percentage > 0 && i.random.Float64()*100 < percentage
}

// copy returns a copy of a frame.
func (i *Impairment) copy(frame []byte) []byte {
	var room []byte
	if n := len(i.free); n > 0 {
		room, i.free = i.free[n-1], i.free[:n-1]
	}
	return append(room[:0], frame...)
}

// arm has the device woken when the next frame leaves.
func (i *Impairment) arm(now time.Duration) {
	var at time.Duration
	switch {
	case i.head+i.lent < len(i.waiting):
		at = i.waiting[i.head+i.lent].leave
	case i.held != nil:
		at = i.held.leave
	default:
		return
	}
	if i.timer != nil && !i.armed.Swap(true) {
		i.timer.Reset(max(at-now, 0))
	}
}
