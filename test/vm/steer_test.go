package vm

import (
	"context"
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
)

// testSteering sends packets of 1,000 flows to a function with four queue pairs, RSS,
// hashes and queue resets, and has a tool of the guest check where and how they arrive
// while it changes the table, the number of pairs and the sizes of queues.
func (g *guest) testSteering(t *testing.T, id string) {
	n := g.nics[id]
	before := g.state(t)
	var sending sync.WaitGroup
	defer sending.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), guestLife)
	defer func() {
		cancel()
		_ = n.wire.SetReadDeadline(time.Now())
	}()
	back := make(chan struct{}, steerWindow)
	sending.Go(func() { n.countBack(ctx, back) })
	sending.Go(func() { n.sendFlows(ctx, back) })
	r, err := g.Agent.Run(ctx, "/init", "steer", n.address)
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit != 0 {
		t.Fatal(r)
	}
	if !strings.Contains(r.Stdout, "recovered 0 times, 16384 of 16384 buffers are back") {
		t.Errorf("buffers are missing, or it was reset: %v", r)
	}
	g.unchanged(t, before)
	t.Log(r.Stdout)
}

// sendFlows sends packets of all flows in turn. back receives a value for each one that
// has come back.
func (n *nic) sendFlows(ctx context.Context, back <-chan struct{}) {
	frames := make([][]byte, steerFlows)
	for i, f := range flowtest.Series(steerFlows) {
		frames[i] = f.Frame([6]byte(n.mac), 0)
	}
	lost := time.NewTimer(steerPatience)
	defer lost.Stop()
	underway := 0
	for i := 0; ctx.Err() == nil; {
		for ; underway < steerWindow; underway++ {
			_ = n.wire.Send(frames[i%len(frames)]) // one that is lost comes again
			i++
		}
		lost.Reset(steerPatience)
		select {
		case <-ctx.Done():
		case <-back:
			underway--
		case <-lost.C:
			underway = 0
		}
	}
}

// countBack sends a value to back for each packet that comes back, as long as there is
// room.
func (n *nic) countBack(ctx context.Context, back chan<- struct{}) {
	frame := make([]byte, 2048)
	for ctx.Err() == nil {
		length, err := n.wire.Receive(frame)
		if err != nil {
			return
		}
		if _, _, ok := flowtest.Parse(frame[:length]); ok {
			select {
			case back <- struct{}{}:
			default:
			}
		}
	}
}
