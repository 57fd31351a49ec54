package wire

import (
	"sync"
	"sync/atomic"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// cableFrames is how many frames are under way in one direction of a cable.
const cableFrames = 1024

const (
	// largeFrame is the length from which on frames count as large, and largeBytes how many
	// bytes of them are under way at most, for the sake of memory.
	largeFrame = 16 << 10
	largeBytes = 8 << 20
)

// fifo is one direction of a cable: frames are copied in and lent out.
type fifo struct {
	mu       sync.Mutex
	slots    [cableFrames][]byte
	todo     [cableFrames]vdev.Offload // what is left to be done on them
	offloads bool                      // todo was ever used
	head     uint32                    // the oldest frame
	lent     uint32                    // frames from head on that get returned
	tail     uint32                    // where the next one goes
	full     bool                      // a frame was refused since the last time there was room
	large    int                       // bytes of large frames
	spare    [][]byte                  // memory that large frames had
	reader   atomic.Pointer[func()]
	writer   atomic.Pointer[func()]
	takes    atomic.Pointer[virtio.Features] // the offloads that the reader takes; nil: none
}

// put copies frames in and returns how many there was room for. offloads are nil or as
// many as the frames.
func (f *fifo) put(frames [][]byte, offloads []vdev.Offload) int {
	n := f.copyIn(frames, offloads)
	if n > 0 {
		call(&f.reader)
	}
	return n
}

func (f *fifo) copyIn(frames [][]byte, offloads []vdev.Offload) int {
	f.mu.Lock()
	// Deferred, because frames may be in memory that another process takes away:
	// after the fault the other end still gets the lock.
	defer f.mu.Unlock()
	if f.offloads = f.offloads || offloads != nil; f.offloads {
		f.putOffloads(len(frames), offloads)
	}
	n := 0
	for n < len(frames) && f.tail-f.head < cableFrames {
		slot, frame := &f.slots[f.tail%cableFrames], frames[n]
		if len(frame) >= largeFrame && !f.makeLarge(slot, len(frame)) {
			break
		}
		*slot = append((*slot)[:0], frame...)
		f.tail++
		n++
	}
	f.full = f.full || n < len(frames)
	return n
}

// putOffloads sets the offloads of the next n frames, before they are there.
func (f *fifo) putOffloads(n int, offloads []vdev.Offload) {
	for i := range min(uint32(n), cableFrames-(f.tail-f.head)) {
		o := &f.todo[(f.tail+i)%cableFrames]
		if *o = (vdev.Offload{}); offloads != nil {
			*o = offloads[i]
		}
	}
}

// makeLarge gives a slot memory for a large frame of n bytes, unless there are too many.
func (f *fifo) makeLarge(slot *[]byte, n int) bool {
	if f.large >= largeBytes {
		return false
	}
	f.large += n
	if last := len(f.spare) - 1; last >= 0 {
		*slot, f.spare = f.spare[last], f.spare[:last]
	}
	return true
}

// takeBack takes the frames back that were lent, and from large ones their memory.
func (f *fifo) takeBack() {
	if f.large == 0 {
		f.head, f.lent = f.head+f.lent, 0
	}
	for ; f.lent > 0; f.lent-- {
		slot := &f.slots[f.head%cableFrames]
		if n := len(*slot); n >= largeFrame {
			f.large -= n
			f.spare, *slot = append(f.spare, *slot), nil
		}
		f.head++
	}
}

// get lends out frames until the next get. offloads are nil or as many as the frames.
func (f *fifo) get(frames [][]byte, offloads []vdev.Offload) int {
	f.mu.Lock()
	f.takeBack()
	f.lent = min(uint32(len(frames)), f.tail-f.head)
	for i := range f.lent {
		frames[i] = f.slots[(f.head+i)%cableFrames]
	}
	if offloads != nil {
		for i := range f.lent {
			offloads[i] = f.todo[(f.head+i)%cableFrames]
		}
	}
	room := f.full && f.tail-f.head < cableFrames && f.large < largeBytes
	if room {
		f.full = false
	}
	n := int(f.lent)
	f.mu.Unlock()
	if room {
		call(&f.writer)
	}
	return n
}

func call(p *atomic.Pointer[func()]) {
	if fn := p.Load(); fn != nil {
		(*fn)()
	}
}

// End is one end of a cable: what is transmitted into it comes out of the other
// end, in order. It holds 1024 frames each way; what does not fit is refused. Large
// packets and incomplete checksums pass while the driver at the other end takes them.
// A test may be at an end itself and call Transmit and Receive.
type End struct {
	out, in *fifo
	number  int    // 1 for the second end
	free    func() // gives the end back to its Cables, nil without
}

// Number returns which end of its cable it is, 0 or 1.
func (e *End) Number() int { return e.number }

// Cable returns the two ends of a cable. Each is for one device.
func Cable() (a, b *End) {
	x, y := new(fifo), new(fifo)
	return &End{out: x, in: y}, &End{out: y, in: x, number: 1}
}

// Loop returns a wire that leads back: every frame that the driver transmits is
// received by the same device.
func Loop() *End {
	f := new(fifo)
	return &End{out: f, in: f}
}

// Attach implements [vdev.Backend].
func (e *End) Attach(wake func()) error {
	e.out.writer.Store(&wake)
	e.in.reader.Store(&wake)
	return nil
}

// Transmit implements [vdev.Backend].
func (e *End) Transmit(_ int, frames [][]byte) int { return e.out.put(frames, nil) }

// Receive implements [vdev.Backend].
func (e *End) Receive(_ int, frames [][]byte) int { return e.in.get(frames, nil) }

// Takes implements [vdev.OffloadBackend]: what the driver at the other end takes.
func (e *End) Takes() virtio.Features {
	if f := e.out.takes.Load(); f != nil {
		return *f
	}
	return virtio.Features{}
}

// TransmitOffloads implements [vdev.OffloadBackend].
func (e *End) TransmitOffloads(_ int, frames [][]byte, offloads []vdev.Offload) int {
	return e.out.put(frames, offloads)
}

// ReceiveOffloads implements [vdev.OffloadBackend].
func (e *End) ReceiveOffloads(_ int, frames [][]byte, offloads []vdev.Offload) int {
	return e.in.get(frames, offloads)
}

// SetOffloads implements [vdev.OffloadBackend].
func (e *End) SetOffloads(f virtio.Features) { e.in.takes.Store(&f) }

// Traits implements [vdev.Backend].
func (e *End) Traits() vdev.Traits { return vdev.Traits{} }

// Close implements [vdev.Backend]. What the other end transmits afterwards is taken
// until the cable is full.
func (e *End) Close() error {
	e.out.writer.Store(nil)
	e.in.reader.Store(nil)
	e.in.takes.Store(nil)
	if e.free != nil {
		e.free()
	}
	return nil
}

// Cables finds cables by name, for ports that are described in text: [Cables.End] returns an end
// that is not in use, until it is closed. The zero value is ready.
type Cables struct {
	mu   sync.Mutex
	free map[string][]*End // that are not in use, of the cables that were asked for
}

// End returns an end of the cable of a name, or an *[Error] if both are in use.
func (c *Cables) End(name string) (*End, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	free, known := c.free[name]
	if !known {
		a, b := Cable()
		free = []*End{a, b}
		for _, end := range free {
			end.free = func() { c.giveBack(name, end) }
		}
	}
	if len(free) == 0 {
		return nil, &Error{Kind: "cable", Name: name, Reason: "both ends are in use", Remedy: "take another name"}
	}
	if c.free == nil {
		c.free = make(map[string][]*End)
	}
	c.free[name] = free[1:]
	return free[0], nil
}

// giveBack makes an end that was closed one that is not in use.
func (c *Cables) giveBack(name string, end *End) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.free[name] = append(c.free[name], end)
}

// Single returns the names of the cables of which only one end is in use.
func (c *Cables) Single() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name, free := range c.free {
		if len(free) == 1 {
			names = append(names, name)
		}
	}
	return names
}
