package vm

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/agent"
)

// filterWant are the steps of the guest's tool "commands", and which of the frames of
// filterFrames have to arrive in each.
var filterWant = []struct{ step, arrive string }{
	{"promiscuous", "0 1 2 3 4 5 6 7"},
	{"not-promiscuous", "0 5"},
	{"addresses", "0 1 3 5"},
	{"one-more-one-less", "0 3 4 5"},
	{"another-address", "2 3 4 5"},
	{"own-address", "0 3 4 5"},
	{"no-addresses", "0 5"},
	{"all-multicast", "0 3 4 5"},
	{"all-unicast", "0 1 2 5"},
	{"no-unicast", "5"},
	{"no-multicast", "0 5"},
	{"no-broadcast", "0 3 4"},
	{"several-modes", "0 1 2"},
	{"no-modes", "0 5"},
	{"vlan", "0 5 6"},
	{"two-vlans", "0 5 6 7"},
	{"one-vlan", "0 5 7"},
	{"no-vlan", "0 5"},
}

// filterFrames are frames to a function's own address, to two others, two groups and
// everyone, and two to its own with the tags of VLAN 5 and 6. The last byte of each is its
// number.
func filterFrames(own net.HardwareAddr) [][]byte {
	var frames [][]byte
	for i, to := range []net.HardwareAddr{own, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 3},
		{1, 0, 0x5e, 0, 0, 1}, {1, 0, 0x5e, 0, 0, 2}, bytes.Repeat([]byte{255}, 6), own, own} {
		f := numberedFrame(to, byte(i))
		if i >= 6 {
			f[12], f[13], f[15] = 0x81, 0, byte(i-1)
		}
		frames = append(frames, f)
	}
	return frames
}

// numberedFrame is a frame with a number as its last byte.
func numberedFrame(to net.HardwareAddr, number byte) []byte {
	f := make([]byte, 64)
	copy(f, to)
	copy(f[6:], []byte{2, 0, 0, 0, 0, 0xee})
	f[12], f[13], f[63] = 0x88, 0xb5, number
	return f
}

// testCommands has a program tell QEMU's device by which addresses and VLANs it filters and
// in which modes it receives, and shows for each, frame by frame, that this is what arrives.
// Then the link goes down and up, and an announcement is asked for, which the program learns
// by events: by MSI-X, or polled, by reading registers of a function whose interrupts are hidden.
func (g *guest) testCommands(t *testing.T, id string, polled bool) {
	args := []string{"/init", "commands", g.nics[id].address}
	if !g.iommu {
		args = append(args, "noiommu")
	}
	watching := "watching by MSI-X"
	if polled {
		args, watching = append(args, "polled"), "watching by none, polled"
	}
	before := g.interrupts(t, id)
	cmd, err := g.Agent.Start(args...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	for _, w := range filterWant {
		g.filterStep(ctx, t, cmd, id, w.step, w.arrive)
	}
	if err := cmd.WaitFor(ctx, watching); err != nil {
		t.Fatal(err)
	}
	g.linkEvents(ctx, t, cmd, id)
	g.announce(ctx, t, cmd, id)
	if after := g.interrupts(t, id); (after == before) != polled {
		t.Errorf("the device interrupted %d times", after-before)
	}
	if err := cmd.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if r, err := cmd.Wait(ctx); err != nil || r.Exit != 0 {
		t.Fatalf("%v, %v", r, err)
	}
}

// announce has QEMU ask for an announcement, and shows that the acknowledgement reaches it: the
// program sees the request disappear from the device's configuration, and QEMU has used one more
// command.
func (g *guest) announce(ctx context.Context, t *testing.T, cmd *agent.Command, id string) {
	t.Helper()
	const control = 2 // the virtqueue
	before, err := g.QMP.Queue(id, control)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.QMP.AnnounceSelf(id); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"announce requested", "announce acknowledged"} {
		if err := cmd.WaitFor(ctx, text); err != nil {
			t.Fatal(err)
		}
	}
	after, err := g.QMP.Queue(id, control)
	if err != nil {
		t.Fatal(err)
	}
	if after.Used == before.Used {
		t.Errorf("QEMU has no acknowledgement: its control queue is at %d, before and after", after.Used)
	}
}

// filterStep sends the frames of one step, and compares what arrives.
func (g *guest) filterStep(ctx context.Context, t *testing.T, cmd *agent.Command, id, step, want string) {
	t.Helper()
	if err := cmd.WaitFor(ctx, "step "+step+" marker "); err != nil {
		t.Fatal(err)
	}
	n := g.nics[id]
	marker := numberedFrame(bytes.Repeat([]byte{255}, 6), 0xff)
	if strings.Contains(cmd.Output(), "step "+step+" marker "+n.mac.String()) {
		copy(marker, n.mac)
	}
	limit, _ := ctx.Deadline()
	if err := n.wire.SetWriteDeadline(limit); err != nil { // in place of an earlier test's
		t.Fatal(err)
	}
	for _, f := range append(filterFrames(n.mac), marker) {
		if err := n.wire.Send(f); err != nil {
			t.Fatal(err)
		}
	}
	arrived := "arrived " + step + ": "
	if err := cmd.WaitFor(ctx, arrived); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(cmd.Output(), arrived)
	if got, _, _ := strings.Cut(rest, "."); got != want {
		t.Errorf("%s: frames %s arrive, want %s", step, got, want)
	}
}

// linkTime is how soon an application has to know of a change of the link. A busy machine
// may be late now and then, and not each time.
const linkTime = 100 * time.Millisecond

// linkEvents sets the link down and up, and measures until the program has printed that.
func (g *guest) linkEvents(ctx context.Context, t *testing.T, cmd *agent.Command, id string) {
	t.Helper()
	fastest := time.Hour
	for i := range 6 {
		up := i%2 == 1
		start := time.Now()
		if err := g.QMP.SetLink(id, up); err != nil {
			t.Fatal(err)
		}
		if err := cmd.WaitFor(ctx, fmt.Sprintf("link %d %v", i+1, up)); err != nil {
			t.Fatal(err)
		}
		took := time.Since(start)
		t.Logf("link up is %v: known after %.1f ms", up, took.Seconds()*1000)
		fastest = min(fastest, took)
	}
	if fastest > linkTime {
		t.Errorf("a change of the link is known after %v at best", fastest)
	}
}
