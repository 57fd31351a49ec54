package virtq

import (
	"encoding/binary"
	"fmt"
)

// The device side of a ring, for tests: written from the specification, with
// constants and decoding of its own. It checks what the driver does against the
// rules of virtio 1.4 and remembers the first that was broken.

var le = binary.LittleEndian

// flags as the specification gives them, spelt out here on purpose
const (
	fNext     = 1
	fWrite    = 2
	fIndirect = 4
	fAvail    = 1 << 7
	fUsed     = 1 << 15
)

// segment is one piece of a list that the driver made available.
type segment struct {
	address uint64
	len     uint32
	write   bool
}

// list is what the driver made available at once.
type list struct {
	id       uint16 // head descriptor or buffer ID
	segs     []segment
	slots    int  // descriptors it takes in the ring
	indirect bool // it was in an indirect table
}

func (l list) bytes(write bool) int {
	n := 0
	for _, s := range l.segs {
		if s.write == write {
			n += int(s.len)
		}
	}
	return n
}

// ringDevice is the device side of either format.
type ringDevice interface {
	// pop takes the next list that is available.
	pop() (list, bool)
	// push marks a list used. It is seen by the driver after flush.
	push(id uint16, written uint32, slots int)
	flush()
	// pushBatch marks everything up to l used with one entry (IN_ORDER).
	pushBatch(last list, written uint32, slots, lists int)
	// want asks for a doorbell at every publication, or never.
	want(bool)
	// wantAt asks for a doorbell when the entry n ahead of the next is made
	// available (EVENT_IDX).
	wantAt(n int)
	// violation is the first rule that the driver broke.
	violation() error
	// interrupts returns how often the device would have interrupted.
	interrupts() int
}

// rules is what both devices check, and what was negotiated.
type rules struct {
	mem       *busMemory
	size      int
	indirect  bool // INDIRECT_DESC
	inOrder   bool
	eventIdx  bool
	broken    error
	interrupt int
}

func (r *rules) fail(format string, args ...any) {
	if r.broken == nil {
		r.broken = fmt.Errorf(format, args...)
	}
}

func (r *rules) violation() error { return r.broken }
func (r *rules) interrupts() int  { return r.interrupt }

// checkList applies the rules that do not depend on the format.
func (r *rules) checkList(l list) {
	wrote, total := false, uint64(0)
	for _, s := range l.segs {
		if wrote && !s.write {
			r.fail("framing: list %d has a readable element behind a writable one", l.id)
		}
		wrote = wrote || s.write
		total += uint64(s.len)
		if s.len == 0 {
			r.fail("list %d has an element of no length", l.id)
		}
		if _, err := r.mem.at(s.address, int(s.len)); err != nil {
			r.fail("list %d: %v", l.id, err)
		}
	}
	if len(l.segs) > r.size {
		r.fail("list %d has %d elements on a ring of %d", l.id, len(l.segs), r.size)
	}
	if total > 1<<32 {
		r.fail("list %d is longer than 2^32 bytes", l.id)
	}
}

// read gathers the readable bytes of a list.
func (r *rules) read(l list) []byte {
	var out []byte
	for _, s := range l.segs {
		if !s.write {
			b, err := r.mem.at(s.address, int(s.len))
			if err != nil {
				r.fail("%v", err)
				return out
			}
			out = append(out, b...)
		}
	}
	return out
}

// write scatters data over the writable segments of a list.
func (r *rules) write(l list, data []byte) int {
	n := 0
	for _, s := range l.segs {
		if s.write {
			b, err := r.mem.at(s.address, int(s.len))
			if err != nil {
				r.fail("%v", err)
				return n
			}
			n += copy(b, data[n:])
		}
	}
	return n
}
