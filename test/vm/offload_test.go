package vm

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
)

// offloadTransfer is how many bytes TCP carries each way through offloads.
const offloadTransfer = 16 << 20

// testOffloads has l2fwd join two Linux hosts with offloads: TCP passes in packets of up to 64
// KiB, that are received in chains and sent as they are, or to a port which has no offloads
// in frames that the driver cuts, and of which it completes the checksums. What arrives
// at the host is caught and checked.
func (g *guest) testOffloads(t *testing.T, a, b string) {
	const all, receive = ",csum=1,tso=1,lro=1", ",csum=rx,lro=1"
	for name, c := range map[string]struct {
		near, far string
		large     bool // what arrives at the far host
	}{
		"device": {all, all, true}, "software": {receive, receive, false},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := catch(t, g.nics[b].ns)
			s := g.joinHosts(t, []port{{a, c.near}, {b, c.far}}, offloadTransfer)
			got := arrived()
			if got.bad != nil {
				t.Error(got.bad)
			}
			if got.data == 0 || (got.longest > 20_000) != c.large || !c.large && got.longest > 1514 {
				t.Errorf("%d segments arrive, the longest packet has %d bytes", got.data, got.longest)
			}
			for _, p := range s.Ports {
				if mean := p.RxBytes / p.RxPackets; mean < 2000 || !slices.Contains(p.Features, "GUEST_TSO4") {
					t.Errorf("port %s received packets of %d bytes on average, with %v", p.Port, mean, p.Features)
				}
			}
			t.Logf("caught %d packets of up to %d bytes, %d of them large", got.data, got.longest, got.large)
		})
	}
}

// caught is what has arrived at a host.
type caught struct {
	data, large, longest int
	bad                  error // what is wrong with one of the packets
}

// catch checks the TCP packets with data that arrive at a host, as many as it can follow,
// until the function that it returns is called.
func catch(t *testing.T, ns *netlab.Namespace) func() caught {
	t.Helper()
	c, err := ns.Capture()
	if err != nil {
		t.Fatal(err)
	}
	stop, result := make(chan struct{}), make(chan caught)
	go func() {
		defer func() { _ = c.Close() }()
		var got caught
		buf := make([]byte, 1<<17)
		for {
			p, err := c.Next(buf, 100*time.Millisecond)
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				select {
				case <-stop:
					result <- got
					return
				default:
				}
			case err != nil:
				got.bad = err
			default:
				got.add(p)
			}
		}
	}()
	return func() caught { close(stop); return <-result }
}

// add checks a packet.
func (c *caught) add(p netlab.Packet) {
	if len(p.Frame) < 54 || p.Frame[12] != 8 || p.Frame[23] != 6 { // IPv4, TCP
		return
	}
	if p.Flags&virtio.NetHeaderNeedsCsum != 0 {
		inettest.CompleteSum(p.Frame, int(p.CsumStart), int(p.CsumOffset))
	}
	q, err := inettest.Parse(p.Frame)
	if err != nil {
		c.bad = err
		return
	}
	if len(q.Payload) == 0 {
		return
	}
	c.data++
	c.longest = max(c.longest, len(p.Frame))
	if p.GSOType == virtio.GSONone {
		return
	}
	c.large++
	// What hdr_len has is how Linux has laid the packet out, and not less than its headers.
	if n := q.HeadersLen(); p.GSOType&^virtio.GSOECN != virtio.GSOTCPv4 || int(p.HdrLen) < n ||
		p.GSOSize == 0 || int(p.GSOSize) > 1514-n {
		p.Frame = nil
		c.bad = fmt.Errorf("a packet with %d bytes of headers and %d of payload has %+v", n, len(q.Payload), p)
	}
}
