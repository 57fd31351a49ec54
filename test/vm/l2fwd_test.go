package vm

import (
	"context"
	"encoding/json"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/agent"
	"github.com/virtio-pmd/virtio-pmd/test/vm/traffic"
)

// trafficTime bounds an exchange of frames, unless a test has more to do.
const trafficTime = 60 * time.Second

// port is a function as l2fwd is told of it.
type port struct {
	id   string
	args string // ",queues=4"
}

// ports are functions with the same arguments.
func ports(args string, ids ...string) []port {
	var list []port
	for _, id := range ids {
		list = append(list, port{id: id, args: args})
	}
	return list
}

// forwarder is l2fwd as it runs in a guest.
type forwarder struct {
	*agent.Command
	g     *guest
	ports []port
	macs  bool // addresses are rewritten
}

// command is the command line of l2fwd over ports.
func (g *guest) command(flags []string, list []port) []string {
	args := append([]string{"/bin/l2fwd", "--json", "--stats-period", "0"}, flags...)
	for _, p := range list {
		args = append(args, g.port(g.nics[p.id].address)+p.args)
	}
	return args
}

// port is the function at an address as l2fwd is told of it in this guest.
func (g *guest) port(address string) string {
	if g.iommu {
		return address
	}
	return address + ",noiommu=1"
}

// l2fwd starts l2fwd, which is ended with the test at the latest.
func (g *guest) l2fwd(t *testing.T, flags []string, list []port) *forwarder {
	t.Helper()
	cmd, err := g.Agent.Start(g.command(flags, list)...)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Command: cmd, g: g, ports: list,
		macs: !slices.Contains(flags, "--no-mac-updating")}
	t.Cleanup(func() { f.kill(t) })
	return f
}

// kill ends l2fwd if it still runs.
func (f *forwarder) kill(t *testing.T) {
	t.Helper()
	_ = f.Signal(syscall.SIGKILL)
	select {
	case <-f.Done():
	case <-time.After(commandTime):
		t.Error("l2fwd does not end by SIGKILL")
	}
	if t.Failed() {
		t.Logf("%s\n%s", strings.Join(f.Args, " "), f.Output())
	}
}

// summary is the object that l2fwd --json prints.
type summary struct {
	App      string  `json:"app"`
	Duration float64 `json:"duration_s"`
	Asleep   float64 `json:"asleep_s"`
	Total    struct {
		Interrupts uint64 `json:"interrupts"`
	} `json:"total"`
	Ports []struct {
		Port      string   `json:"port"`
		Path      string   `json:"path"`
		Features  []string `json:"features"`
		RxPackets uint64   `json:"rx_packets"`
		RxBytes   uint64   `json:"rx_bytes"`
		TxPackets uint64   `json:"tx_packets"`
		TxDropped uint64   `json:"tx_dropped"`
		RxErrors  uint64   `json:"rx_errors"`
		RxNoMbuf  uint64   `json:"rx_nombuf"`
		Queues    []struct {
			RxPackets uint64 `json:"rx_packets"`
			TxPackets uint64 `json:"tx_packets"`
		} `json:"queues"`
		XStats map[string]uint64 `json:"xstats"` // with --xstats
		Info   described         `json:"info"`   // with --info
	} `json:"ports"`
}

// described is what l2fwd says of a port.
type described struct {
	Transport string                         `json:"transport"`
	Status    string                         `json:"device_status"`
	Details   []struct{ Name, Value string } `json:"details"`
	Features  []struct {
		Name       string `json:"name"`
		Offered    bool   `json:"offered"`
		Negotiated bool   `json:"negotiated"`
		Reason     string `json:"reason"`
	} `json:"features"`
	Queues []struct {
		Size      int             `json:"size"`
		Posted    int             `json:"posted"`
		Positions json.RawMessage `json:"positions"`
	} `json:"queues"`
}

// check checks what l2fwd says of a port of a virtio function against the rest of its
// summary.
func (d *described) check(t *testing.T, port string, features []string) {
	t.Helper()
	var negotiated []string
	for _, f := range d.Features {
		if f.Negotiated {
			negotiated = append(negotiated, f.Name)
		}
		if f.Negotiated && !f.Offered || f.Offered && f.Reason == "" {
			t.Errorf("port %s: feature %+v", port, f)
		}
	}
	if d.Transport != "PCI" || d.Status != "ACKNOWLEDGE|DRIVER|FEATURES_OK|DRIVER_OK" || len(d.Details) == 0 ||
		!slices.Equal(negotiated, features) {
		t.Errorf("port %s is described as %+v", port, *d)
	}
	for i, q := range d.Queues {
		if q.Size == 0 || q.Posted > q.Size || len(q.Positions) == 0 {
			t.Errorf("port %s: virtqueue %d is %+v", port, i, q)
		}
	}
}

// stop ends l2fwd as a user does, and returns its summary. It must have
// forwarded everything.
func (f *forwarder) stop(t *testing.T) summary {
	t.Helper()
	s := f.end(t)
	for _, p := range s.Ports {
		if p.RxErrors != 0 || p.TxDropped != 0 {
			t.Errorf("port %s: %d errors, %d dropped; the window of the traffic is smaller than every queue",
				p.Port, p.RxErrors, p.TxDropped)
		}
	}
	return s
}

// end ends l2fwd as a user does, and returns its summary.
func (f *forwarder) end(t *testing.T) summary {
	t.Helper()
	if err := f.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	r, err := f.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if r.Exit != 0 {
		t.Fatalf("l2fwd did not end well: %v", r)
	}
	var s summary
	if err := json.Unmarshal([]byte(r.Stdout), &s); err != nil {
		t.Fatalf("not one JSON object on standard output: %v\n%v", err, r)
	}
	if s.App != "l2fwd" || len(s.Ports) != len(f.ports) {
		t.Fatalf("summary of %q with %d ports, want l2fwd and %d: %v", s.App, len(s.Ports),
			len(f.ports), r)
	}
	return s
}

// hostMAC is the source address of frames that the test sends.
func hostMAC() net.HardwareAddr { return net.HardwareAddr{2, 0xfe, 0, 0, 0, 1} }

// stream is traffic that comes in by port i and leaves by port j.
func (f *forwarder) stream(i, j, count int) *traffic.Stream {
	in, out := f.g.nics[f.ports[i].id], f.g.nics[f.ports[j].id]
	s := &traffic.Stream{From: in.wire, To: out.wire, Count: count,
		Sent: traffic.MACs{Dst: in.mac, Src: hostMAC()}}
	s.Want = s.Sent
	if f.macs {
		s.Want = traffic.MACs{Dst: net.HardwareAddr{2, 0, 0, 0, 0, byte(j)}, Src: out.mac}
	}
	return s
}

// both is traffic in both directions between ports i and j.
func (f *forwarder) both(i, j, count int) []*traffic.Stream {
	return []*traffic.Stream{f.stream(i, j, count), f.stream(j, i, count)}
}

// awaitForwarding waits until frames pass.
func (f *forwarder) awaitForwarding(t *testing.T, streams ...*traffic.Stream) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	go func() {
		select {
		case <-f.Done(): // it will not forward any more
			cancel()
		case <-ctx.Done():
		}
	}()
	for _, s := range streams {
		if err := shared.traffic.Await(ctx, s); err != nil {
			t.Fatalf("%v\n%s", err, f.Output())
		}
	}
}

// exchange has every frame of the streams forwarded, after what is under test
// has been seen to forward.
func (f *forwarder) exchange(t *testing.T, streams ...*traffic.Stream) {
	t.Helper()
	f.awaitForwarding(t, streams...)
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	start := time.Now()
	if err := shared.traffic.Exchange(ctx, streams...); err != nil {
		t.Fatal(err)
	}
	frames := 0
	for _, s := range streams {
		frames += s.Received()
	}
	t.Logf("%d frames in %.1f s", frames, time.Since(start).Seconds())
}
