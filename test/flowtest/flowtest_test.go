package flowtest

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// verificationKey and the packets below are published with the definition of the hash, to
// check implementations with.
var verificationKey = []byte{
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
	0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
	0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
}

func TestHash(t *testing.T) {
	for _, c := range []struct {
		from, to    string
		with, alone uint32
	}{
		{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178, 0x323e8fc2},
		{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea, 0xd718262a},
		{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d, 0x2cc18cd5},
	} {
		f := Flow{From: netip.MustParseAddrPort(c.from), To: netip.MustParseAddrPort(c.to), TCP: true}
		if got, report := f.Hash(verificationKey, virtio.HashAll); got != c.with ||
			report != virtio.HashReportTCPv4 && report != virtio.HashReportTCPv6 {
			t.Errorf("%s: hash is %#x (%d), want %#x", c.from, got, report, c.with)
		}
		if got, report := f.Hash(verificationKey, virtio.HashIPv4|virtio.HashIPv6); got != c.alone ||
			report != virtio.HashReportIPv4 && report != virtio.HashReportIPv6 {
			t.Errorf("%s: hash of the addresses is %#x (%d), want %#x", c.from, got, report, c.alone)
		}
		if got, report := f.Hash(verificationKey, virtio.HashUDPv4); got != 0 || report != virtio.HashReportNone {
			t.Errorf("%s: hash is %#x (%d), want none", c.from, got, report)
		}
	}
}

func TestFrames(t *testing.T) {
	seen := make(map[Flow]bool)
	for i, f := range Series(1000) {
		seen[Flow{From: f.From, To: f.To, TCP: f.TCP}] = true
		frame := f.Frame([6]byte{2, 0, 0, 0, 0, 1}, 3*i)
		if flow, number, ok := Parse(frame); !ok || flow != i || number != 3*i {
			t.Fatalf("flow %d: parsed as %d, number %d, %v", i, flow, number, ok)
		}
		if ether := binary.BigEndian.Uint16(frame[12:]); ether == 0x0800 != f.From.Addr().Is4() || len(frame) < 60 {
			t.Errorf("flow %d: type %#x, %d bytes", i, ether, len(frame))
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d different flows", len(seen))
	}
}
