package vm

import (
	"context"
	"errors"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/vm/traffic"
)

// underTraffic has frames flow both ways without end, calls f when some have
// passed, and ends the traffic. Frames may be missing after that, but none may
// have arrived wrong.
func (f *forwarder) underTraffic(t *testing.T, do func()) {
	t.Helper()
	const without, some = 1 << 30, 200
	streams := f.both(0, 1, without)
	f.awaitForwarding(t, streams...)
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	ended := make(chan error, 1)
	passed := make(chan struct{}, len(streams))
	for _, s := range streams {
		s.Reached(some, passed)
	}
	go func() { ended <- shared.traffic.Exchange(ctx, streams...) }()
	for range streams {
		select {
		case <-passed:
		case err := <-ended:
			t.Fatalf("before anything was done: %v\n%s", err, f.Output())
		}
	}
	do()
	cancel()
	err := <-ended
	var frame *traffic.FrameError
	if errors.As(err, &frame) || !errors.Is(err, context.Canceled) {
		t.Errorf("traffic ended with %v", err)
	}
}

// testStop ends l2fwd in the middle of traffic as a user does: every buffer is
// accounted for, nothing is left behind. What it says of its ports then is so.
func (g *guest) testStop(t *testing.T, list []port) {
	before := g.state(t)
	f := g.l2fwd(t, []string{"--info", "--xstats"}, list)
	f.underTraffic(t, func() {
		for _, p := range f.end(t).Ports {
			p.Info.check(t, p.Port, p.Features)
			if n := p.XStats["rx_q0_good_packets"]; n == 0 || n != p.RxPackets || p.XStats["rx_good_bytes"] != p.RxBytes {
				t.Errorf("port %s: received %d packets, %d of them on queue 0", p.Port, p.RxPackets, n)
			}
		}
	})
	g.unchanged(t, before)
}

// testKill kills l2fwd in the middle of traffic, again and again: it forwards
// again each time, and leaves no hugepage and no file behind.
func (g *guest) testKill(t *testing.T, list []port, times int) {
	before := g.state(t)
	for range times {
		f := g.l2fwd(t, nil, list)
		f.underTraffic(t, func() {
			if err := f.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), commandTime)
			defer cancel()
			r, err := f.Wait(ctx)
			if err != nil || r.Signal != syscall.SIGKILL {
				t.Fatalf("SIGKILL: %v, %v", r, err)
			}
		})
		g.unchanged(t, before)
	}
	g.testForward(t, list, 1000)
}
