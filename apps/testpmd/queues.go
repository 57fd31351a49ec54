package main

import (
	"fmt"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/testpmd/grammar"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// queueCommands show and change single queues.
func (t *tester) queueCommands() []grammar.Command {
	return []grammar.Command{
		{Form: "port PORT (rxq|txq) QUEUE (start|stop)", Section: inPorts, Help: "Start or stop a rx/tx queue, while the others go on. It needs RING_RESET.", Do: t.switchQueue},
		{Form: "port PORT (rxq|txq) QUEUE setup", Section: inPorts, Help: "Set up a rx/tx queue, which must be stopped: ring_size has done that.",
			Do: func(m grammar.Match) error {
				p, q, receives, err := t.queueOf(m.Words[1], m.Words[2], m.Words[3])
				if err == nil && queueState(p.dev.Info(), q, receives) == "started" {
					err = textError("Please stop the queue first")
				}
				return err
			}},
		{Form: "port config PORT (rxq|txq) QUEUE ring_size N", Section: inPorts, Help: "Set a rx/tx queue's ring size. It needs RING_RESET.", Do: t.resizeQueue},
		{Form: "show port PORT rxq QUEUE desc used count", Section: inDisplay, Help: "Show how many receive descriptors hold packets that were not taken yet.", Do: t.showUsed},
		{Form: "show port PORT (rxq|txq) QUEUE desc N status", Section: inDisplay,
			Help: "Show whether the descriptor N places behind the next one is with the device.", Do: t.showDescriptor},
		{Form: "read (rxd|txd) PORT QUEUE N", Section: inDisplay, Help: "Display a descriptor of a queue.", Do: t.readDescriptor},
		{Form: "port cleanup PORT txq QUEUE N", Section: inPorts, Help: "Free the buffers of a transmit queue that the device has sent.", Do: t.cleanUp},
	}
}

// queueOf returns the port and the number of the queue that a command names, and whether it
// receives.
func (t *tester) queueOf(portWord, direction, queueWord string) (p *port, queue int, receives bool, err error) {
	if p, err = t.port(portWord); err != nil {
		return nil, 0, false, err
	}
	receives = strings.HasPrefix(direction, "rx")
	if _, err := fmt.Sscan(queueWord, &queue); err != nil || queue >= p.dev.Queues() {
		name := "TX"
		if receives {
			name = "RX"
		}
		return nil, 0, false, fmt.Errorf("Invalid %s queue %s (must be < nb_%sq=%d)", name, queueWord, strings.ToLower(name), p.dev.Queues()) //nolint:staticcheck // the words of testpmd
	}
	return p, queue, receives, nil
}

func (t *tester) switchQueue(m grammar.Match) error {
	p, q, receives, err := t.queueOf(m.Words[1], m.Words[2], m.Words[3])
	if err != nil {
		return err
	}
	if p.stopped {
		return textError("Please start port first")
	}
	start := m.Words[4] == "start"
	switch {
	case receives && start:
		err = p.dev.StartRxQueue(t.ctx, q)
	case receives:
		err = p.dev.StopRxQueue(t.ctx, q)
	case start:
		err = p.dev.StartTxQueue(t.ctx, q)
	default:
		err = p.dev.StopTxQueue(t.ctx, q)
	}
	if err != nil {
		return fmt.Errorf("Function not supported in PMD: %s", because(err)) //nolint:staticcheck // the words of testpmd
	}
	return nil
}

func (t *tester) resizeQueue(m grammar.Match) error {
	p, q, receives, err := t.queueOf(m.Words[2], m.Words[3], m.Words[4])
	if err != nil {
		return err
	}
	resize := p.dev.ResizeTxQueue
	if receives {
		resize = p.dev.ResizeRxQueue
	}
	if err := resize(t.ctx, q, m.Int(6)); err != nil {
		return fmt.Errorf("ring_size: %s", because(err))
	}
	return nil
}

// queueInfo returns what is known of a queue.
func queueInfo(info driver.Info, q int, receives bool) driver.QueueInfo {
	name := fmt.Sprintf("tx %d", q)
	if receives {
		name = fmt.Sprintf("rx %d", q)
	}
	for _, queue := range info.Queues {
		if queue.Name == name {
			return queue
		}
	}
	return driver.QueueInfo{}
}

// queueState returns the state of a queue in the words of testpmd.
func queueState(info driver.Info, q int, receives bool) string {
	if queueInfo(info, q, receives).State == "in use" {
		return "started"
	}
	return "stopped"
}

// ringSize returns how many descriptors a queue has.
func ringSize(info driver.Info, q int, receives bool) int { return queueInfo(info, q, receives).Size }

func (t *tester) showUsed(m grammar.Match) error {
	p, q, _, err := t.queueOf(m.Words[2], m.Words[3], m.Words[4])
	if err != nil {
		return err
	}
	used := countUsed(queueInfo(p.dev.Inspect(), q, true))
	fmt.Fprintf(t.screen, "RxQ %d used desc count: %d\n", q, used)
	return nil
}

// showDescriptor shows what becomes of a descriptor: of a receive queue of the next that is taken
// back, and those behind it; of a transmit queue of the next that is made available.
func (t *tester) showDescriptor(m grammar.Match) error {
	p, q, receives, err := t.queueOf(m.Words[2], m.Words[3], m.Words[4])
	if err != nil {
		return err
	}
	n, info := m.Int(6), queueInfo(p.dev.Inspect(), q, receives)
	if n >= info.Size || info.Positions == nil {
		return fmt.Errorf("Invalid input: queue id = %d, desc id = %d", q, n) //nolint:staticcheck // the words of testpmd
	}
	// Whether the device has used a descriptor is seen in the order of use, which is that of the
	// ring from the next one on.
	used := countUsed(info)
	inUse := info.Positions.InUse
	status := "AVAILABLE"
	switch {
	case receives && n < used, !receives && n < info.Size-inUse+used:
		status = "DONE"
	case !receives:
		status = "FULL"
	case n >= inUse:
		status = "UNAVAILABLE"
	}
	fmt.Fprintf(t.screen, "Desc status = %s\n", status)
	return nil
}

// countUsed returns how many descriptors a device has used that were not taken back yet: on a
// split ring by its indices, on a packed one by the flags of the descriptors.
func countUsed(q driver.QueueInfo) int {
	if q.Positions == nil {
		return 0
	}
	if q.Format != "packed" {
		return int(q.Positions.DeviceUsed - q.Positions.Used)
	}
	const availBit, usedBit = 1 << 7, 1 << 15
	n := 0
	for i, d := range q.Descriptors {
		wrap := q.Positions.UsedWrap != (i < int(q.Positions.Used))
		if (d.Flags&availBit != 0) == wrap && (d.Flags&usedBit != 0) == wrap {
			n++
		}
	}
	return n
}

func (t *tester) readDescriptor(m grammar.Match) error {
	p, q, receives, err := t.queueOf(m.Words[2], m.Words[1], m.Words[3])
	if err != nil {
		return err
	}
	info, i := queueInfo(p.dev.Inspect(), q, receives), m.Int(4)
	if i >= len(info.Descriptors) {
		return fmt.Errorf("Invalid descriptor %d: the queue has 0 to %d", i, len(info.Descriptors)-1) //nolint:staticcheck // as testpmd
	}
	d := info.Descriptors[i]
	fmt.Fprintf(t.screen, "address=0x%x len=%d flags=0x%x id=%d\n", d.Address, d.Len, d.Flags, d.ID)
	return nil
}

func (t *tester) cleanUp(m grammar.Match) error {
	p, q, _, err := t.queueOf(m.Words[2], m.Words[3], m.Words[4])
	if err != nil {
		return err
	}
	if t.forwards(p) {
		return textError("Packet forwarding already started - stop it first")
	}
	fmt.Fprintf(t.screen, "Cleaned %d mbufs of txq %d of port %d\n", p.dev.TxQueue(q).Reclaim(), q, p.number)
	return nil
}
