package vm

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/flowtest"
)

const (
	steerFlows = 1000
	// steerWindow is how many packets are under way at most. A queue of QEMU's device
	// that runs out of buffers while RSS directs packets to it stops the queue of the
	// interface that they came from, until the driver happens to notify that one.
	steerWindow = 64
	// steerPatience is after which time packets that have not come back are taken for
	// lost: the device drops those of a queue that is being changed.
	steerPatience = time.Second
	// steerQuiet is for how long packets that the function has sent are waited for.
	steerQuiet = 200 * time.Millisecond
)

// testSteering sends packets of 1,000 flows to a function with four queue pairs, RSS,
// hashes and queue resets, and has a tool of the guest check where and how they arrive
// while it changes the table, the number of pairs and the sizes of queues. Every buffer comes
// back, and every packet that the function counts as sent, once, unless it was in a queue that
// was reset.
func (g *guest) testSteering(t *testing.T, id string) {
	n := g.nics[id]
	before := g.state(t)
	ctx, cancel := context.WithTimeout(t.Context(), guestLife)
	defer cancel()
	f := &flows{nic: n, back: make(chan struct{}, steerWindow)}
	sending := f.start(ctx)
	r, err := g.Agent.Run(ctx, "/init", "steer", n.address)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit != 0 {
		t.Fatal(r)
	}
	_ = n.wire.SetReadDeadline(time.Now().Add(steerQuiet))
	sending.Wait()
	f.check(t, r.Stdout)
	g.unchanged(t, before)
	t.Log(r.Stdout)
}

// flows are packets of all flows that are sent in turn, each with a number of its own.
type flows struct {
	nic  *nic
	back chan struct{} // receives a value for each packet that has come back

	sent     int // belongs to the goroutine that sends
	returned map[int]bool
	twice    int
}

// start starts to send, until ctx ends, and to count what comes back, until the wire's deadline.
func (f *flows) start(ctx context.Context) *sync.WaitGroup {
	_ = f.nic.wire.SetReadDeadline(time.Time{})
	f.returned = map[int]bool{}
	var running sync.WaitGroup
	running.Go(func() { f.send(ctx) })
	running.Go(f.receive)
	return &running
}

// send sends packets as long as fewer than steerWindow are under way.
func (f *flows) send(ctx context.Context) {
	list := flowtest.Series(steerFlows)
	lost := time.NewTimer(steerPatience)
	defer lost.Stop()
	underway := 0
	for ctx.Err() == nil {
		for ; underway < steerWindow; underway++ {
			// One that is lost here counts as sent.
			_ = f.nic.wire.Send(list[f.sent%steerFlows].Frame([6]byte(f.nic.mac), f.sent))
			f.sent++
		}
		lost.Reset(steerPatience)
		select {
		case <-ctx.Done():
		case <-f.back:
			underway--
		case <-lost.C:
			underway = 0
		}
	}
}

// receive counts the packets that come back.
func (f *flows) receive() {
	frame := make([]byte, 2048)
	for {
		length, err := f.nic.wire.Receive(frame)
		if err != nil {
			return
		}
		_, number, ok := flowtest.Parse(frame[:length])
		switch {
		case !ok:
			continue
		case f.returned[number]:
			f.twice++
		}
		f.returned[number] = true
		select {
		case f.back <- struct{}{}:
		default:
		}
	}
}

// check compares what the tool says at the end with what was sent and has come back.
func (f *flows) check(t *testing.T, output string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(output), "\n")
	var o struct {
		Path                                           string
		Received, Foreign, Sent, Unsent                int // by the program
		RxPackets, RxErrors                            int // by the port, as what follows
		TxPackets, TxDropped, TxErrors, TxLost, Resets int
		Buffers, Free                                  int
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &o); err != nil {
		t.Fatalf("%v in %q", err, output)
	}
	back := len(f.returned)
	if o.Buffers == 0 || o.Free != o.Buffers || o.Resets != 0 {
		t.Errorf("%d of %d buffers are back, it was reset %d times", o.Free, o.Buffers, o.Resets)
	}
	if o.RxErrors != 0 || o.RxPackets != o.Received || o.Received != o.Sent+o.Unsent || o.Received-o.Foreign > f.sent {
		t.Errorf("of %d packets: %+v", f.sent, o)
	}
	if o.TxDropped != 0 || o.TxErrors != 0 || o.TxPackets != o.Sent || f.twice != 0 || back > o.Sent ||
		back < o.Sent-o.TxLost-o.Foreign {
		t.Errorf("%d come back, %d of them again: %+v", back, f.twice, o)
	}
	t.Logf("%s: %d packets sent, %d dropped by the device, %d come back", o.Path, f.sent, f.sent-o.Received+o.Foreign, back)
}
