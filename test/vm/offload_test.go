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

// offloadTransfer is how many bytes TCP carries each way through offloads, over each version
// of IP.
const offloadTransfer = 8 << 20

// testOffloads has l2fwd join two Linux hosts with offloads: TCP passes in packets of up to 64
// KiB, that are received in chains and sent as they are, or to a port which has no offloads
// in frames that the driver cuts, and of which it completes the checksums. What arrives
// at the host is caught and checked.
func (g *guest) testOffloads(t *testing.T, a, b string) {
	const all, receive = ",csum=1,tso=1,lro=1", ",csum=rx,lro=1"
	for i, id := range []string{a, b} {
		if err := g.nics[id].ns.AddIPv6(fmt.Sprintf("fd00:3::%d/64", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		near, far string
		large     bool // what arrives at the far host
	}{
		"device": {all, all, true}, "software": {receive, receive, false},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := catch(t, g.nics[b].ns)
			s := g.joinHosts(t, []port{{a, c.near}, {b, c.far}}, offloadTransfer, netlab.Transfer, netlab.TransferIPv6)
			got := arrived()
			if got.bad != nil {
				t.Error(got.bad)
			}
			for version, n := range map[string]caughtTCP{"IPv4": got.tcp[0], "IPv6": got.tcp[1]} {
				if n.data == 0 || (n.longest > 20_000) != c.large || !c.large && n.longest > 1514 {
					t.Errorf("%s: %d segments arrive, the longest packet has %d bytes", version, n.data, n.longest)
				}
				t.Logf("%s: caught %d packets of up to %d bytes, %d of them large", version, n.data, n.longest, n.large)
			}
			for _, p := range s.Ports {
				if mean := p.RxBytes / p.RxPackets; mean < 2000 || !slices.Contains(p.Features, "GUEST_TSO4") ||
					!slices.Contains(p.Features, "GUEST_TSO6") {
					t.Errorf("port %s received packets of %d bytes on average, with %v", p.Port, mean, p.Features)
				}
				checkLarge(t, p.Port, p.XStats, c.large)
			}
		})
	}
}

// checkLarge checks what a port counts: large packets were received as chains whose buffers were
// full, and sent as they were or cut by the driver.
func checkLarge(t *testing.T, port string, n map[string]uint64, whole bool) {
	t.Helper()
	by, not := "tx_q0_large_packets", "tx_q0_software_large_packets"
	if !whole {
		by, not = not, by
	}
	if n["rx_q0_large_packets"] == 0 || n["rx_q0_checksum_partial"] < n["rx_q0_large_packets"] ||
		n[by] == 0 || n[not] != 0 {
		t.Errorf("port %s: of large packets it received %d, %d with a sum to complete, sent %d whole and cut %d", port,
			n["rx_q0_large_packets"], n["rx_q0_checksum_partial"], n["tx_q0_large_packets"], n["tx_q0_software_large_packets"])
	}
	for _, name := range []string{"rx_q0_length_errors", "rx_q0_header_errors", "rx_q0_offload_errors",
		"rx_q0_short_merges", "tx_q0_offload_drops", "tx_q0_chain_drops", "tx_q0_length_drops"} {
		if n[name] != 0 {
			t.Errorf("port %s: %s is %d", port, name, n[name])
		}
	}
}

// testRefusesOffloads has l2fwd refuse what a function does not offer, with the name of the
// feature and the key that asks for it.
func (g *guest) testRefusesOffloads(t *testing.T, id string) {
	for key, feature := range map[string]string{"uso=1": "HOST_USO", "hash=1": "HASH_REPORT"} {
		g.refuses(t, []string{g.nics[id].address, "features " + feature + ":", "does not offer", "leave out " + key},
			g.command(nil, ports(","+key, id))...)
	}
}

// caught is what has arrived at a host.
type caught struct {
	tcp [2]caughtTCP // over IPv4 and IPv6
	bad error        // what is wrong with one of the packets
}

// caughtTCP counts TCP packets with data.
type caughtTCP struct{ data, large, longest int }

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
	n, gso := &c.tcp[0], byte(virtio.GSOTCPv4)
	switch f := p.Frame; {
	case len(f) >= 54 && f[12] == 0x08 && f[13] == 0 && f[23] == 6:
	case len(f) >= 74 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 6:
		n, gso = &c.tcp[1], virtio.GSOTCPv6
	default:
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
	n.data++
	n.longest = max(n.longest, len(p.Frame))
	if p.GSOType == virtio.GSONone {
		return
	}
	n.large++
	// What hdr_len has is how Linux has laid the packet out, and not less than its headers.
	if headers := q.HeadersLen(); p.GSOType&^virtio.GSOECN != gso || int(p.HdrLen) < headers ||
		p.GSOSize == 0 || int(p.GSOSize) > 1514-headers {
		p.Frame = nil
		c.bad = fmt.Errorf("a packet with %d bytes of headers and %d of payload has %+v", headers, len(q.Payload), p)
	}
}
