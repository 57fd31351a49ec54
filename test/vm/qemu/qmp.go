package qemu

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"time"
)

// QMP is a connection to QEMU's monitor. It is safe for concurrent use; one
// command runs at a time.
type QMP struct {
	conn net.Conn
	out  *json.Encoder
	// replies delivers the answer to the command that runs; closed at the end.
	replies chan message
	running sync.Mutex // held by the command that runs

	mu     sync.Mutex // guards what follows
	events []event
	more   chan struct{} // closed when there are more events
}

// message is any line QEMU sends.
type message struct {
	Greeting json.RawMessage `json:"QMP"`
	Return   json.RawMessage `json:"return"`
	Error    *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	event
}

// event is something QEMU reports on its own.
type event struct {
	Name string `json:"event"`
	Data struct {
		Device string `json:"device"`
	} `json:"data"`
}

// qmpTimeout is how long QEMU may take to answer.
const qmpTimeout = 30 * time.Second

// newQMP takes conn over and completes the greeting.
func newQMP(conn net.Conn) (*QMP, error) {
	q := &QMP{conn: conn, out: json.NewEncoder(conn), replies: make(chan message, 1),
		more: make(chan struct{})}
	go q.receive()
	return q, q.Execute("qmp_capabilities", nil, nil)
}

// Close ends the connection.
func (q *QMP) Close() error { return q.conn.Close() }

// receive sorts what QEMU sends until the connection ends.
func (q *QMP) receive() {
	defer close(q.replies)
	in := json.NewDecoder(q.conn)
	for {
		var m message
		if err := in.Decode(&m); err != nil {
			return
		}
		switch {
		case m.Greeting != nil:
		case m.Name != "":
			q.mu.Lock()
			q.events = append(q.events, m.event)
			close(q.more)
			q.more = make(chan struct{})
			q.mu.Unlock()
		default:
			q.replies <- m
		}
	}
}

// Execute runs a command. What it returns is decoded into result unless that
// is nil.
func (q *QMP) Execute(command string, arguments, result any) error {
	q.running.Lock()
	defer q.running.Unlock()
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := q.out.Encode(request); err != nil {
		return fmt.Errorf("qmp: %s: %w", command, err)
	}
	select {
	case m, ok := <-q.replies:
		switch {
		case !ok:
			return fmt.Errorf("qmp: %s: QEMU has closed the connection", command)
		case m.Error != nil:
			return &CommandError{Command: command, Class: m.Error.Class, Desc: m.Error.Desc}
		case result != nil:
			return json.Unmarshal(m.Return, result)
		}
		return nil
	case <-time.After(qmpTimeout):
		_ = q.conn.Close() // a late answer must not be taken for another command's
		return fmt.Errorf("qmp: %s: no answer within %v", command, qmpTimeout)
	}
}

// Unplug asks the guest to give up a function.
func (q *QMP) Unplug(id string) error {
	return q.Execute("device_del", map[string]any{"id": id}, nil)
}

// AwaitUnplugged waits until QEMU has reported that a function is gone.
func (q *QMP) AwaitUnplugged(ctx context.Context, id string) error {
	for {
		q.mu.Lock()
		events, more := q.events, q.more
		q.mu.Unlock()
		for _, e := range events {
			if e.Name == "DEVICE_DELETED" && e.Data.Device == id {
				return nil
			}
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("qmp: %s was not given up: %w", id, ctx.Err())
		}
	}
}

// SetLink sets the link of a function down, or up again.
func (q *QMP) SetLink(id string, up bool) error {
	return q.Execute("set_link", map[string]any{"name": id, "up": up}, nil)
}

// AnnounceSelf has QEMU announce a function, and ask its driver to do so, once.
func (q *QMP) AnnounceSelf(id string) error {
	return q.Execute("announce-self", map[string]any{"initial": 10, "max": 10, "rounds": 1, "step": 10,
		"interfaces": []string{id}}, nil)
}

// Queue is QEMU's view of one virtqueue.
type Queue struct {
	// Size is the number of descriptors, as the driver has set it.
	Size int `json:"vring-num"`
	// Used counts the buffers the device has given back, modulo 65536 for a
	// split ring; for a packed ring it is a place in the ring.
	Used int `json:"used-idx"`
}

// Queue asks for virtqueue q of a function.
func (q *QMP) Queue(id string, number int) (Queue, error) {
	var status Queue
	err := q.Execute("x-query-virtio-queue-status", map[string]any{
		"path": "/machine/peripheral/" + id + "/virtio-backend", "queue": number}, &status)
	return status, err
}

// CommandError is a command that QEMU refused.
type CommandError struct{ Command, Class, Desc string }

func (e *CommandError) Error() string {
	return fmt.Sprintf("qmp: %s: %s: %s", e.Command, e.Class, e.Desc)
}

// pciBus is the part of query-pci's answer that is of use.
type pciBus struct {
	Bus     int `json:"bus"`
	Devices []struct {
		Bus      int    `json:"bus"`
		Slot     int    `json:"slot"`
		Function int    `json:"function"`
		ID       string `json:"qdev_id"`
		Bridge   *struct {
			Devices json.RawMessage `json:"devices"`
		} `json:"pci_bridge"`
	} `json:"devices"`
}

// Addresses returns where the guest sees each function that has an identifier.
func (q *QMP) Addresses() (map[string]string, error) {
	var buses []pciBus
	if err := q.Execute("query-pci", nil, &buses); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for len(buses) > 0 {
		b := buses[0]
		buses = buses[1:]
		for _, d := range b.Devices {
			if d.ID != "" {
				found[d.ID] = fmt.Sprintf("0000:%02x:%02x.%x", d.Bus, d.Slot, d.Function)
			}
			if d.Bridge == nil || len(d.Bridge.Devices) == 0 {
				continue
			}
			var below pciBus
			if err := json.Unmarshal(d.Bridge.Devices, &below.Devices); err != nil {
				return nil, fmt.Errorf("qmp: query-pci: %w", err)
			}
			buses = append(buses, below)
		}
	}
	return found, nil
}
