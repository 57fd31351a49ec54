// Package ctrlq is the control virtqueue of a network device (virtio 1.4,
// 5.1.9.5): one command at a time, with a deadline and a typed result.
package ctrlq

import (
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// QueueSize is enough descriptors: a command has at most three segments,
	// and there is one command at a time.
	QueueSize = 64
	// BufferSize is how many bytes of device memory a Queue needs behind its ring,
	// for the command.
	BufferSize = virtq.RingAlign
	// MaxData is the longest data of a command.
	MaxData = ackOffset - dataOffset

	headerLen  = 2 // class, command
	dataOffset = 64
	ackOffset  = BufferSize - 64

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
	buffer  []byte
	address uint64 // of buffer[0], as the device sees it
	broken  error
}

// New makes the queue in cfg.Memory, which is BufferSize bytes longer than the
// ring needs. The errors are those of package virtq.
func New(cfg virtq.Config) (*Queue, error) {
	layout, err := cfg.Layout()
	if err != nil {
		return nil, err
	}
	need := layout.Bytes + BufferSize
	if len(cfg.Memory) < need {
		return nil, &virtq.Error{
			Queue: cfg.Index, Field: "Memory", Value: fmt.Sprintf("at %#x", cfg.Address), Limit: need,
			Reason: fmt.Sprintf("%d bytes have no room for a command", len(cfg.Memory)),
			Remedy: fmt.Sprintf("give %d bytes aligned to %d", need, virtq.RingAlign),
		}
	}
	ring, err := virtq.NewControl(cfg)
	if err != nil {
		return nil, err
	}
	return &Queue{
		index: cfg.Index, ring: ring,
		buffer:  cfg.Memory[layout.Bytes:need:need],
		address: cfg.Address + uint64(layout.Bytes),
	}, nil
}

// Areas returns the device addresses of the areas of the ring.
func (q *Queue) Areas() (desc, driver, device uint64) { return q.ring.Areas() }

// Ring returns the ring, to look at while no command is sent.
func (q *Queue) Ring() *virtq.Control { return q.ring }

// Start is called when DRIVER_OK is set; no command can be sent before. bell and id
// are those of the transport's notifier.
func (q *Queue) Start(bell virtio.Doorbell, id uint16) { q.ring.Start(bell, id) }

// Broken returns why no command can be sent any more before a reset of the
// device, nil if one can.
func (q *Queue) Broken() error { return q.broken }

// SetQueuePairs has the device use n queue pairs (5.1.9.5.5). MQ was negotiated, n is
// between 1 and what the device has, and these pairs have been set up.
func (q *Queue) SetQueuePairs(ctx context.Context, n int) error {
	var data [2]byte
	binary.LittleEndian.PutUint16(data[:], uint16(n))
	return q.Do(ctx, virtio.CtrlMQ, virtio.CtrlMQPairsSet, data[:])
}

// Do sends a command and waits for the device's answer, until ctx is done. A ctx
// that is never done is refused: the device may never answer.
//
// The error of a command that the device refuses is [ErrRefused]. That of one
// which it did not answer in time is the error of ctx, and the queue is broken
// from then on: the device may still read the command and write its answer at any
// time, so their memory is not used again before a reset.
func (q *Queue) Do(ctx context.Context, class, command uint8, data []byte) error {
	if q.broken != nil {
		return q.broken
	}
	if ctx.Done() == nil {
		return &Error{Queue: q.index, Class: class, Command: command,
			Reason: "no deadline, and the device may never answer",
			Remedy: "use context.WithTimeout"}
	}
	if len(data) > MaxData {
		return &Error{Queue: q.index, Class: class, Command: command, Value: len(data),
			Reason: fmt.Sprintf("%d bytes of data, and at most %d can be sent", len(data), MaxData)}
	}
	start := time.Now()
	token, err := q.send(class, command, data)
	if err != nil {
		return q.fail(err)
	}
	if err := q.await(ctx, token); err != nil {
		if ctx.Err() != nil {
			err = &Error{Queue: q.index, Class: class, Command: command, Err: ctx.Err(),
				Reason: fmt.Sprintf("no answer after %v", time.Since(start).Round(time.Millisecond)),
				Remedy: "no more commands can be sent before a reset; packets are not affected"}
		}
		return q.fail(err)
	}
	// The ack byte is what the driver left there unless the device wrote it,
	// whatever the device says about the number of bytes it wrote. It is read
	// once: the device can change it at any time.
	if ack := q.buffer[ackOffset]; ack != virtio.CtrlOK {
		reason := fmt.Sprintf("the ack is %d", ack)
		if ack == ackUnset {
			reason = "the device is done and wrote no ack"
		}
		return &Error{Queue: q.index, Class: class, Command: command,
			Value: int(ack), Reason: reason, Err: ErrRefused}
	}
	return nil
}

func (q *Queue) fail(err error) error {
	q.broken = err
	return err
}

// send makes a command available. Class, command and data are for the device to
// read, the ack for it to write (5.1.9.5).
func (q *Queue) send(class, command uint8, data []byte) (token uint16, err error) {
	q.buffer[0], q.buffer[1] = class, command
	q.buffer[ackOffset] = ackUnset
	out := []virtq.Segment{{Address: q.address, Len: headerLen}}
	if len(data) != 0 {
		copy(q.buffer[dataOffset:ackOffset], data)
		out = append(out, virtq.Segment{Address: q.address + dataOffset, Len: uint32(len(data))})
	}
	token, err = q.ring.Add(out, []virtq.Segment{{Address: q.address + ackOffset, Len: 1}})
	if err != nil {
		return 0, err
	}
	q.ring.Kick()
	return token, nil
}

// await polls until the device is done with the command: first without a pause,
// then with pauses that grow.
func (q *Queue) await(ctx context.Context, token uint16) error {
	for spun := time.Now(); ; runtime.Gosched() {
		if done, err := q.done(token); done || err != nil {
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
			return ctx.Err()
		case <-timer.C:
		}
		if done, err := q.done(token); done || err != nil {
			return err
		}
		pause = min(2*pause, maxBackoff)
		timer.Reset(pause)
	}
}

// done reports whether the device is done with the command. There is no other one
// that it could be done with.
func (q *Queue) done(token uint16) (bool, error) {
	got, _, ok := q.ring.Used()
	if err := q.ring.Broken(); err != nil {
		return false, err
	}
	return ok && got == token, nil
}
