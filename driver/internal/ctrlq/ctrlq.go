// Package ctrlq is the control virtqueue of a network device (virtio 1.4,
// 5.1.9.5): one command at a time, with a deadline and a typed result.
package ctrlq

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// QueueSize is enough descriptors: a command has at most four segments, and the
	// device has one command and those that it has not answered in time.
	QueueSize = 64
	// Slots is how many commands the device can have: one, and those that it has not
	// answered in time, whose memory it may still use.
	Slots = 4
	// MinData is the longest data of a command in a Queue with no more memory than it
	// needs.
	MinData = 3*virtq.RingAlign - dataOffset
	// MaxReply is the longest answer behind the ack.
	MaxReply = replySize - ackSize

	// The parts of a slot: class and command, the data, the answer and the ack. What the
	// device reads and what it writes are in cache lines of their own.
	headerLen  = 2
	dataOffset = 64
	replySize  = virtq.RingAlign
	ackSize    = 64

	// ackUnset is what the ack byte holds before the device answers. It is
	// neither OK nor ERR, so that an ack that was not written is not taken for one.
	ackUnset = 0xff

	// spin is how long await polls without a pause at first: most devices answer
	// at once.
	spin       = 20 * time.Microsecond
	minBackoff = 20 * time.Microsecond
	maxBackoff = 5 * time.Millisecond
)

// Queue is the control queue. It is used by one goroutine at a time.
type Queue struct {
	index   int
	ring    *virtq.Control
	slots   [Slots]slot
	maxData int // the longest data of a command
}

// slot is the memory of one command.
type slot struct {
	buffer  []byte
	address uint64 // of buffer[0], as the device sees it
	busy    bool   // the device has it
	token   uint16 // of the command that it has
	written uint32 // what the device says it wrote
}

// The answer is in the last bytes of a slot, and the ack behind it.
func (s *slot) replyOffset() int { return len(s.buffer) - replySize }
func (s *slot) ackOffset() int   { return len(s.buffer) - ackSize }

// Room returns how many bytes of device memory a Queue needs behind its ring for commands
// with up to data bytes.
func Room(data int) int {
	data = dataOffset + max(data, MinData)
	return Slots * ((data+virtq.RingAlign-1)&^(virtq.RingAlign-1) + replySize)
}

// New makes the queue in cfg.Memory, which is longer than the ring needs by what Room
// returns for the longest command. The errors are those of package virtq.
func New(cfg virtq.Config) (*Queue, error) {
	layout, err := cfg.Layout()
	if err != nil {
		return nil, err
	}
	need := layout.Bytes + Room(0)
	if len(cfg.Memory) < need {
		return nil, &virtq.Error{
			Queue: cfg.Index, Field: "Memory", Value: fmt.Sprintf("at %#x", cfg.Address), Limit: need,
			Reason: fmt.Sprintf("%d bytes have no room for commands", len(cfg.Memory)),
			Remedy: fmt.Sprintf("give %d bytes aligned to %d", need, virtq.RingAlign),
		}
	}
	ring, err := virtq.NewControl(cfg)
	if err != nil {
		return nil, err
	}
	slotSize := (len(cfg.Memory) - layout.Bytes) / Slots &^ (virtq.RingAlign - 1)
	q := &Queue{index: cfg.Index, ring: ring, maxData: slotSize - replySize - dataOffset}
	for i := range q.slots {
		at := layout.Bytes + i*slotSize
		q.slots[i] = slot{
			buffer:  cfg.Memory[at : at+slotSize : at+slotSize],
			address: cfg.Address + uint64(at),
		}
	}
	return q, nil
}

// Index returns the number of the virtqueue.
func (q *Queue) Index() int { return q.index }

// Areas returns the device addresses of the areas of the ring.
func (q *Queue) Areas() (desc, driver, device uint64) { return q.ring.Areas() }

// Ring returns the ring, to look at while no command is sent.
func (q *Queue) Ring() *virtq.Control { return q.ring }

// Start is called when DRIVER_OK is set; no command can be sent before. bell and id
// are those of the transport's notifier.
func (q *Queue) Start(bell virtio.Doorbell, id uint16) { q.ring.Start(bell, id) }

// Broken returns why no command can be sent any more before a reset of the
// device, nil if one can.
func (q *Queue) Broken() error { return q.ring.Broken() }

// Poll takes note of answers that came too late, and returns Broken: the device may have
// answered what it was not asked.
func (q *Queue) Poll() error {
	for {
		token, written, ok := q.ring.Used()
		if !ok {
			return q.ring.Broken()
		}
		for i := range q.slots {
			if s := &q.slots[i]; s.busy && s.token == token {
				s.busy, s.written = false, written
			}
		}
	}
}

// Do sends a command and waits for the device's answer, until ctx is done. A ctx
// that is never done is refused: the device may never answer. What the device writes
// behind the ack is copied to reply; n is how many bytes that are.
//
// The error is an [*Error], for a queue that the device broke a [*virtq.BrokenError]. That
// of a command that the device refuses is [ErrRefused]. That of one which it did not
// answer in time has the error of ctx: the device may still read the command and write
// its answer at any time, so that its memory is not used again before it has, and the
// next command takes another slot. Without one the error is [ErrNoSlot].
func (q *Queue) Do(ctx context.Context, class, command uint8, data, reply []byte) (n int, err error) {
	failed := &Error{Queue: q.index, Class: class, Command: command}
	s, err := q.prepare(ctx, failed, len(data), len(reply))
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := q.send(s, class, command, data, len(reply)); err != nil {
		return 0, err
	}
	if err := q.await(ctx, s); err != nil {
		if ctx.Err() != nil {
			failed.Err = context.Cause(ctx)
			failed.Reason = fmt.Sprintf("no answer after %v", time.Since(start).Round(time.Millisecond))
			failed.Remedy = "packets are not affected; whether the device carries it out is unknown"
			err = failed
		}
		return 0, err
	}
	// The ack byte is what the driver left there unless the device wrote it,
	// whatever the device says about the number of bytes it wrote. It is read
	// once: the device can change it at any time.
	if ack := s.buffer[s.ackOffset()]; ack != virtio.CtrlOK {
		failed.Value, failed.Err = int(ack), ErrRefused
		failed.Reason = fmt.Sprintf("the ack is %d", ack)
		if ack == ackUnset {
			failed.Reason = "the device is done and wrote no ack"
		}
		return 0, failed
	}
	n = min(max(0, int(s.written)-1), len(reply))
	return copy(reply[:n], s.buffer[s.replyOffset():]), nil
}

// prepare checks a command and finds a slot for it. failed is its error, apart from the
// reason.
func (q *Queue) prepare(ctx context.Context, failed *Error, data, reply int) (*slot, error) {
	switch {
	case ctx.Done() == nil:
		failed.Reason = "no deadline, and the device may never answer"
		failed.Remedy = "use context.WithTimeout"
		return nil, failed
	case ctx.Err() != nil:
		failed.Err, failed.Reason = context.Cause(ctx), "not sent"
		return nil, failed
	case data > q.maxData:
		failed.Value = data
		failed.Reason = fmt.Sprintf("%d bytes of data, and at most %d can be sent", data, q.maxData)
		return nil, failed
	case reply > MaxReply:
		failed.Value = reply
		failed.Reason = fmt.Sprintf("room for %d bytes of answer, and there is room for %d", reply, MaxReply)
		return nil, failed
	}
	if err := q.Poll(); err != nil {
		return nil, err
	}
	for i := range q.slots {
		if s := &q.slots[i]; !s.busy {
			return s, nil
		}
	}
	failed.Err = ErrNoSlot
	failed.Reason = fmt.Sprintf("the device has answered none of the last %d commands", Slots)
	failed.Remedy = "close the port and open it again, which resets the device; packets are not affected"
	return nil, failed
}

// send makes a command available. Class, command and data are for the device to
// read, the ack and the answer for it to write (5.1.9.5).
func (q *Queue) send(s *slot, class, command uint8, data []byte, reply int) error {
	s.buffer[0], s.buffer[1] = class, command
	s.buffer[s.ackOffset()] = ackUnset
	out := []virtq.Segment{{Address: s.address, Len: headerLen}}
	if len(data) != 0 {
		copy(s.buffer[dataOffset:s.replyOffset()], data)
		out = append(out, virtq.Segment{Address: s.address + dataOffset, Len: uint32(len(data))})
	}
	in := []virtq.Segment{{Address: s.address + uint64(s.ackOffset()), Len: 1}}
	if reply != 0 {
		in = append(in, virtq.Segment{Address: s.address + uint64(s.replyOffset()), Len: uint32(reply)})
	}
	token, err := q.ring.Add(out, in)
	if err != nil {
		return err
	}
	s.busy, s.token = true, token
	q.ring.Kick()
	return nil
}

// poll is Poll for the command in s: if that was answered, the next one has to deal with
// what else the device wrote.
func (q *Queue) poll(s *slot) error {
	if err := q.Poll(); s.busy {
		return err
	}
	return nil
}

// await polls until the device is done with the command in s: first without a pause,
// then with pauses that grow.
func (q *Queue) await(ctx context.Context, s *slot) error {
	for spun := time.Now(); ; runtime.Gosched() {
		if err := q.poll(s); err != nil || !s.busy {
			return err
		}
		if time.Since(spun) > spin {
			break
		}
	}
	timer := time.NewTimer(minBackoff)
	defer timer.Stop()
	for pause := minBackoff; ; {
		select {
		case <-ctx.Done():
			q.ring.Astray() // and the next command finds the queue broken
			return ctx.Err()
		case <-timer.C:
		}
		if err := q.poll(s); err != nil || !s.busy {
			return err
		}
		pause = min(2*pause, maxBackoff)
		timer.Reset(pause)
	}
}
