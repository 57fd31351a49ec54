package vm

import (
	"context"
	"syscall"
	"testing"
)

// kernelForwards shows that the kernel's own interfaces of two functions work:
// frames are passed from one to the other by a program in the guest.
func (g *guest) kernelForwards(t *testing.T, a, b string, count int) {
	t.Helper()
	names := []string{g.netdev(t, a), g.netdev(t, b)}
	for _, n := range names {
		g.must(t, "/init", "link", n, "up")
	}
	cmd, err := g.Agent.Start("/init", "forward", names[0], names[1])
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Command: cmd, g: g, ports: ports("", a, b)}
	t.Cleanup(func() { f.kill(t) })
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	if err := f.WaitFor(ctx, "forwarding"); err != nil {
		t.Fatal(err)
	}
	f.exchange(t, f.both(0, 1, count)...)
	if err := f.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		g.must(t, "/init", "link", n, "down")
	}
}
