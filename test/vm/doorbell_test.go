package vm

import (
	"context"
	"regexp"
	"syscall"
	"testing"
)

// testPortDoorbell has frames come back from a function whose doorbells are in
// an I/O port, each ring a write through VFIO. l2fwd would take those in memory,
// which QEMU's device always has as well, so a tool of the guest that hides them
// drives the function.
func (g *guest) testPortDoorbell(t *testing.T, id string) {
	args := []string{"/init", "portdoorbell", g.nics[id].address}
	if !g.iommu {
		args = append(args, "noiommu")
	}
	before := g.state(t)
	cmd, err := g.Agent.Start(args...)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Command: cmd, g: g, ports: ports("", id)}
	t.Cleanup(func() { f.kill(t) })
	f.exchange(t, f.stream(0, 0, fewFrames))
	if err := f.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	r, err := f.Wait(ctx)
	if err != nil || r.Exit != 0 {
		t.Fatalf("%v, %v", r, err)
	}
	rang := regexp.MustCompile(`rang [1-9]\d* times in a port, 0 times in memory`).FindString(r.Stdout)
	if rang == "" {
		t.Errorf("it rang elsewhere, or not at all: %v", r)
	}
	t.Log(rang)
	g.unchanged(t, before)
}
