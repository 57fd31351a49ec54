package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
	"github.com/virtio-pmd/virtio-pmd/test/vm/talk"
)

// host is one end of a wire: a kernel with an address.
type host interface {
	ip() string
	// ping pings another host; a reply that is missing is an error.
	ping(ctx context.Context, to string, count int) error
	// receive takes one connection; what it returns waits for its end.
	receive(ctx context.Context) (end func() (sum string, err error), err error)
	// send sends random bytes to a host that receives.
	send(ctx context.Context, to string, size int64) (sum string, err error)
}

// hostPort is where hosts receive.
const hostPort = "5001"

// testTalk has two hosts ping each other without loss and send size bytes from
// one to the other, of which both have the same sum.
func testTalk(t *testing.T, from, to host, size int64) {
	ctx, cancel := context.WithTimeout(t.Context(), trafficTime)
	defer cancel()
	const count = 50
	start := time.Now()
	for _, way := range [][2]host{{from, to}, {to, from}} {
		if err := way[0].ping(ctx, way[1].ip(), count); err != nil {
			t.Fatal(err)
		}
	}
	pinged := time.Since(start)
	end, err := to.receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	sent, err := from.send(ctx, to.ip(), size)
	if err != nil {
		t.Fatal(err)
	}
	got, err := end()
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(start)
	if got != sent || !strings.HasPrefix(got, strconv.FormatInt(size, 10)+" bytes") {
		t.Errorf("of %d bytes, sent: %s; arrived: %s", size, sent, got)
	}
	t.Logf("%d pings each way in %.2f s, none lost; %s in %.1f s (%.0f Mbit/s)", count,
		pinged.Seconds(), got, took.Seconds(),
		float64(size)*8/1e6/took.Seconds())
}

// guestHost is an interface of a guest.
type guestHost struct {
	g       *guest
	address string
}

// newGuestHost gives the interface of function id an address.
func newGuestHost(t *testing.T, g *guest, id, cidr string) *guestHost {
	t.Helper()
	name := g.netdev(t, id)
	g.must(t, "/init", "address", "add", name, cidr)
	g.must(t, "/init", "link", name, "up")
	address, _, _ := strings.Cut(cidr, "/")
	return &guestHost{g, address}
}

func (h *guestHost) ip() string { return h.address }

func (h *guestHost) run(ctx context.Context, args ...string) (string, error) {
	r, err := h.g.Agent.Run(ctx, append([]string{"/init"}, args...)...)
	if err == nil && r.Exit != 0 {
		err = errors.New(r.String())
	}
	return strings.TrimSpace(r.Stdout), err
}

func (h *guestHost) ping(ctx context.Context, to string, count int) error {
	_, err := h.run(ctx, "ping", h.address, to, strconv.Itoa(count))
	return err
}

func (h *guestHost) receive(ctx context.Context) (func() (string, error), error) {
	const listening = "listening"
	cmd, err := h.g.Agent.Start("/init", "receive", net.JoinHostPort(h.address, hostPort))
	if err != nil {
		return nil, err
	}
	return func() (string, error) {
		r, err := cmd.Wait(ctx)
		if err == nil && r.Exit != 0 {
			err = errors.New(r.String())
		}
		return strings.TrimSpace(strings.TrimPrefix(r.Stdout, listening)), err
	}, cmd.WaitFor(ctx, listening)
}

func (h *guestHost) send(ctx context.Context, to string, size int64) (string, error) {
	return h.run(ctx, "send", net.JoinHostPort(to, hostPort), strconv.FormatInt(size, 10))
}

// podHost is the kernel in a network namespace, as a container has it.
type podHost struct{ ns *netlab.Namespace }

func (h podHost) ip() string { return h.ns.Address.IP.String() }

func (h podHost) ping(_ context.Context, to string, count int) error {
	return h.ns.PingAddress(net.ParseIP(to), count, 5*time.Second)
}

func (h podHost) receive(ctx context.Context) (func() (string, error), error) {
	var listener net.Listener
	err := h.ns.Do(func() (err error) {
		listener, err = net.Listen("tcp4", net.JoinHostPort(h.ip(), hostPort))
		return err
	})
	if err != nil {
		return nil, err
	}
	type outcome struct {
		sum string
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
		defer func() { _ = listener.Close() }()
		conn, err := listener.Accept()
		if err != nil {
			ended <- outcome{err: err}
			return
		}
		defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
		defer func() { _ = conn.Close() }()
		sum, err := talk.Receive(conn.(*net.TCPConn))
		ended <- outcome{sum.String(), err}
	}()
	return func() (string, error) {
		o := <-ended
		return o.sum, o.err
	}, nil
}

func (h podHost) send(ctx context.Context, to string, size int64) (string, error) {
	var conn net.Conn
	err := h.ns.Do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp4", net.JoinHostPort(to, hostPort))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("from %s: %w", h.ns.Name, err)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	sum, err := talk.Send(conn.(*net.TCPConn), size, 3)
	return sum.String(), err
}
