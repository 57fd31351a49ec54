package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// scripted is a tester that is told lines.
type scripted struct {
	*tester
	t    *testing.T
	said *transcript // what it answers
}

// newScripted opens the ports of a prompt.
func newScripted(t *testing.T, p *plan) *scripted {
	t.Helper()
	p.interactive, p.topology = true, paired
	said := new(transcript)
	opened, err := newTester(t.Context(), p, said, said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.close(); err != nil {
			t.Error(err)
		}
	})
	return &scripted{opened, t, said}
}

// tell carries out lines and returns what they say.
func (s *scripted) tell(lines ...string) string {
	from := len(s.said.String())
	for _, line := range lines {
		s.do(s.t.Context(), line)
	}
	return s.said.String()[from:]
}

// quiet carries out lines that have nothing to say but what begins with testpmd's own words.
func (s *scripted) quiet(lines ...string) {
	s.t.Helper()
	for _, line := range lines {
		if text := s.tell(line); strings.Contains(text, "rror") || strings.Contains(text, "ailed") || strings.Contains(text, "not supported") {
			s.t.Fatalf("%s: %s", line, text)
		}
	}
}

// tagged is a frame for port 0 with the tag of a VLAN, and a number.
func tagged(t *testing.T, vlan, i int) []byte {
	f := frametest.Varied(i)
	copy(f, mac(t, leftMAC))
	return append(append(bytes.Clone(f[:12]), 0x81, 0, byte(vlan>>8), byte(vlan)), f[12:]...)
}

// TestFilterWithoutKey: the lines that switch a filter of VLANs on and off work on a port whose
// text does not mention one: it drops what was not added, lets through what was, all after it
// was switched off, and has its VLANs again when it is switched on again.
func TestFilterWithoutKey(t *testing.T) {
	p := newTestPlan(t, "io", "emu:cable=l,mac="+leftMAC, "emu:cable=r,mac="+rightMAC)
	left, right := newStation(t, "emu:cable=l", p.cables), newStation(t, "emu:cable=r", p.cables)
	s := newScripted(t, p)
	pass := func(want ...int) {
		t.Helper()
		s.quiet("start")
		for _, vlan := range []int{5, 6, 7} {
			left.send(t, tagged(t, vlan, vlan))
		}
		end := frametest.Varied(9)
		copy(end, mac(t, leftMAC))
		left.send(t, end)
		for _, f := range right.receive(t, len(want)+1)[:len(want)] {
			if err := diff(f, tagged(t, want[0], want[0])); err != nil {
				t.Fatal(err)
			}
			want = want[1:]
		}
		s.quiet("stop")
	}
	s.quiet("set promisc all off")
	pass(5, 6, 7)
	s.quiet("vlan set filter on 0", "rx_vlan add 5 0", "rx_vlan add 7 0")
	pass(5, 7)
	s.quiet("rx_vlan rm 5 0")
	pass(7)
	s.quiet("set promisc 0 on")
	pass(5, 6, 7)
	s.quiet("set promisc 0 off", "vlan set filter off 0")
	pass(5, 6, 7)
	s.quiet("port stop 0", "vlan set filter on 0", "port start 0")
	pass(7)
	s.quiet("start")
	if text := s.tell("vlan set filter off 0"); !strings.Contains(text, "rx_vlan_filter_set(port_pi=0, on=0) failed diag=-22") || !strings.Contains(text, "stop first") {
		t.Errorf("while packets are forwarded: %q", text)
	}
	s.quiet("stop")
	pass(7)
}

// TestOffloadsWithoutKeys: what the lines for checksums, segments, RSS and offloads need is
// negotiated when the port is started, is shown with the bits and names of DPDK, and is gone when
// it was switched off.
func TestOffloadsWithoutKeys(t *testing.T) {
	p := newTestPlan(t, "csum", "emu:null,queues=2")
	s := newScripted(t, p)
	for _, step := range []struct {
		lines  string
		has    virtio.Features
		rx, tx uint64
		names  string // of the offloads that are in use
	}{
		{"", virtio.Features{}, 0, 0, ""},
		{"csum set tcp hw 0", virtio.FeatureSet(virtio.NetCSUM), 0, 0xc, " UDP_CKSUM TCP_CKSUM"},
		{"tso set 800 0", virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6), 0, 0x2c, " UDP_CKSUM TCP_CKSUM TCP_TSO"},
		{"tso set 0 0;csum set tcp sw 0", virtio.Features{}, 0, 0, ""},
		{"port config 0 rx_offload tcp_cksum on", virtio.FeatureSet(virtio.NetGuestCSUM), 0xc, 0, " UDP_CKSUM TCP_CKSUM"},
		{"port config 0 rx_offload vlan_filter on", virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetCtrlVLAN), 0x20c, 0, " UDP_CKSUM TCP_CKSUM VLAN_FILTER"},
		{"port config 0 rx_offload tcp_cksum off;port config 0 rx_offload vlan_filter off;port config 0 rx_offload vlan_strip on", virtio.Features{}, 1, 0, " VLAN_STRIP"},
		{"port config 0 rx_offload vlan_strip off;port config 0 tx_offload tcp_tso on;csum set ip hw 0",
			virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4), 0, 0x2c, " UDP_CKSUM TCP_CKSUM TCP_TSO"},
		{"port config 0 tx_offload tcp_tso off;tx_vlan set 0 5;set txpkts 64,64", virtio.Features{}, 0, 0x8001, " VLAN_INSERT MULTI_SEGS"},
	} {
		s.tell("port stop all")
		s.tell(strings.Split(step.lines, ";")...)
		s.tell("port start all")
		all := virtio.FeatureSet(virtio.NetCSUM, virtio.NetGuestCSUM, virtio.NetHostTSO4, virtio.NetCtrlVLAN)
		if got := s.ports[0].dev.Features(); !step.has.Minus(got).Empty() || !got.And(all).Minus(step.has).Empty() {
			t.Errorf("%s: %v", step.lines, got.Names())
		}
		want := fmt.Sprintf("Rx offloads=0x%x Tx offloads=0x%x", step.rx, step.tx)
		if text := s.tell("show config rxtx"); !strings.Contains(text, want) {
			t.Errorf("%s: no %q in %s", step.lines, want, text)
		}
		text := s.tell("show port 0 rx_offload configuration", "show port 0 tx_offload configuration")
		if strings.Count(text, step.names+"\n") < 3 { // of the port, and of two queues
			t.Errorf("%s: not %q: %s", step.lines, step.names, text)
		}
	}
	for line, want := range map[string]string{
		"port config 0 rx_offload timestamp on": "Error: port 0 does not support Rx offload timestamp",
		"csum set ip hw 0":                      "IP checksum offload is not supported by port 0",
		"port config all txfreet 32":            "without a meaning here: txfreet",
	} {
		if text := s.tell("port stop all", line); !strings.Contains(text, want) {
			t.Errorf("%s: %s", line, text)
		}
	}
	s.tell("port start all")
	if text := s.tell("port config 0 tx_offload tcp_tso on"); text != "Error: Can't config offload when Port 0 is not stopped\n" {
		t.Errorf("on a started port: %q", text)
	}
}

// TestHashWithoutKey: RSS is negotiated when a line asks for it, and a device that cannot take
// what a line asks for is as it was before.
func TestHashWithoutKey(t *testing.T) {
	s := newScripted(t, newTestPlan(t, "rxonly", "emu:null,queues=2", "emu:null"))
	if text := s.tell("show port 0 rss-hash"); !strings.HasPrefix(text, "RSS disabled\n") {
		t.Error(text)
	}
	q := newTestPlan(t, "rxonly", "emu:null")
	q.filter = true
	if text := newScripted(t, q).tell("show port 0 rx_offload configuration"); !strings.Contains(text, "Port : VLAN_FILTER\n") {
		t.Errorf("--enable-hw-vlan-filter: %s", text)
	}
	s.quiet("mac_addr set 0 02:00:00:00:00:0a", "port config 0 rss tcp")
	if text := s.tell("show port 0 rss-hash", "show port 0 macs"); !strings.HasPrefix(text, "RSS functions:\n  ipv4-tcp  ipv6-tcp") ||
		!strings.Contains(text, "02:00:00:00:00:0A") {
		t.Error(text)
	}
	text := s.tell("port stop all", "port config all rxd 32768", "port start all", "show rxq info 0 0")
	if !strings.Contains(text, "Fail to configure port 0") || !strings.Contains(text, "Number of RXDs: 256") {
		t.Error(text)
	}
	s.quiet("port config all rxd 128", "port start all", "start", "stop")
}

// TestVerbose: packets are shown with the words of testpmd, those that are sent with what the
// device does to them.
func TestVerbose(t *testing.T) {
	p := newTestPlan(t, "csum", "emu:cable=l", "emu:cable=r")
	left, right := newStation(t, "emu:cable=l", p.cables), newStation(t, "emu:cable=r", p.cables)
	s := newScripted(t, p)
	s.quiet("port stop all", "csum set tcp hw 1", "port start all", "set verbose 3", "start")
	left.send(t, transport(t, true, false, 50))
	right.receive(t, 1)
	left.send(t, transport(t, false, true, 50))
	right.receive(t, 1)
	s.quiet("stop")
	const head = `pool=mb_pool_0 - type=0x%s - length=%d - nb_segs=1 - sw ptype: L2_ETHER %s  - l2_len=14 - l3_len=%d - l4_len=%d - `
	for _, want := range []string{
		"port 0/queue 0: received 1 packets\n  src=", "port 1/queue 0: sent 1 packets\n  src=",
		fmt.Sprintf(head, "0800", 104, "L3_IPV4 L4_TCP", 20, 20) + "Receive queue=0x0\n  ol_flags: RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN ",
		fmt.Sprintf(head, "0800", 104, "L3_IPV4 L4_TCP", 20, 20) + "Send queue=0x0\n  ol_flags: RTE_MBUF_F_TX_TCP_CKSUM \n",
		fmt.Sprintf(head, "86dd", 112, "L3_IPV6 L4_UDP", 40, 8) + "Send queue=0x0\n  ol_flags: RTE_MBUF_F_TX_L4_NO_CKSUM \n",
	} {
		if text := s.said.String(); !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}
