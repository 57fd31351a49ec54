package traffic

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// TestDump: what is shown of a packet names its headers, its signature and its bytes.
func TestDump(t *testing.T) {
	p := compiled(t, Flows(60, 10), Options{ID: 3})
	var b bytes.Buffer
	if err := Dump(&b, "load", p, 2); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"load, packet 0: 60 bytes, 64 with FCS\n  Ethernet SrcMAC=02:00:00:00:00:aa DstMAC=02:00:00:00:00:01",
		"\n  IPv4 ", "SrcIP=198.18.0.1 DstIP=198.19.0.1\n", "\n  UDP SrcPort=1024 ",
		"load, packet 1: ", "SrcPort=1025", "\n  signature stream=3 sequence=1 time=1000000 ns\n",
		"\n  00000000  02 00 00 00 00 01 02 00  00 00 00 aa 08 00 45 00  |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, b.String())
		}
	}
}

// TestTshark has tshark look at the packets of the examples: it finds nothing malformed, no
// wrong length and no wrong checksum, and as many packets as were written.
func TestTshark(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.pcapng")
	c, err := NewCapture(file)
	if err != nil {
		t.Fatal(err)
	}
	written := 0
	for _, example := range []string{"flows", "imix", "headers"} {
		s, err := Load("../testdata/" + example + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Streams {
			p := compiled(t, &s.Streams[i], Options{ID: uint16(i)})
			data := make([]byte, p.MaxLen())
			for range 50 {
				c.Add(time.Unix(0, int64(written)), data[:p.Next(data, int64(written))])
				written++
			}
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-r", file, "-T", "fields", "-E", "separator=;", "-e", "frame.number", "-e", "_ws.malformed", "-e", "_ws.expert.message"}
	for _, protocol := range []string{"ip", "udp", "tcp"} {
		args = append(args, "-o", protocol+".check_checksum:TRUE")
	}
	status := []string{"ip", "udp", "tcp", "icmp", "icmpv6"}
	for _, protocol := range status {
		args = append(args, "-e", protocol+".checksum.status")
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != written {
		t.Errorf("tshark found %d packets, want %d", len(lines), written)
	}
	good := map[string]int{}
	for _, line := range lines {
		columns := strings.Split(line, ";")
		if columns[1] != "" || strings.Contains(columns[2], "length") {
			t.Fatalf("damaged: %s", line)
		}
		for i, protocol := range status { // 0 is bad, 1 good, 3 none; of tunnels there are several
			if strings.Contains(columns[3+i], "0") {
				t.Fatalf("a wrong checksum of %s: %s", protocol, line)
			}
			good[protocol] += strings.Count(columns[3+i], "1")
		}
	}
	for _, protocol := range status {
		if good[protocol] < 50 {
			t.Errorf("tshark found %d right checksums of %s", good[protocol], protocol)
		}
	}
}

// TestCaptureFails: a capture file that cannot be written is named.
func TestCaptureFails(t *testing.T) {
	if _, err := NewCapture("/nowhere/x.pcap"); err == nil || err.Error() != "/nowhere/x.pcap: it cannot be written: no such file or directory" {
		t.Errorf("%v", err)
	}
	c, err := NewCapture("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	c.Add(time.Unix(0, 0), make([]byte, 60))
	if err := c.Close(); err == nil || err.Error() != "/dev/full: it cannot be written: no space left on device" {
		t.Errorf("%v", err)
	}
}

// TestAllHeadersDecode: each header is what another decoder finds, with the fields that
// were given.
func TestAllHeadersDecode(t *testing.T) {
	s := &Stream{Size: FixedSize(200), Packet: Layers{
		Default[Ethernet](), VLAN{ID: 10, Priority: 3}, VLAN{ID: 20, DEI: true},
		IPv4{Src: Default[IPv4]().Src, Dst: Default[IPv4]().Dst, TTL: 3, TOS: 0xb8, ID: 77, DontFragment: true},
		TCP{Src: 21000, Dst: 22000, Seq: 1, Ack: 2, Flags: 0xff, Window: 3, Urgent: 4},
	}}
	p := compiled(t, s, Options{})
	data := make([]byte, 200)
	packet := gopacket.NewPacket(data[:p.Next(data, 0)], layers.LayerTypeEthernet, gopacket.Default)
	all := packet.Layers()
	outer, inner := all[1].(*layers.Dot1Q), all[2].(*layers.Dot1Q)
	ip, tcp := all[3].(*layers.IPv4), all[4].(*layers.TCP)
	if e := all[0].(*layers.Ethernet); e.EthernetType != layers.EthernetTypeQinQ || outer.Type != layers.EthernetTypeDot1Q || inner.Type != layers.EthernetTypeIPv4 {
		t.Errorf("types %v, %v and %v", e.EthernetType, outer.Type, inner.Type)
	}
	if outer.VLANIdentifier != 10 || outer.Priority != 3 || inner.VLANIdentifier != 20 || !inner.DropEligible {
		t.Errorf("%+v %+v", outer, inner)
	}
	if ip.TTL != 3 || ip.TOS != 0xb8 || ip.Id != 77 || ip.Flags != layers.IPv4DontFragment || ip.Protocol != layers.IPProtocolTCP {
		t.Errorf("%+v", ip)
	}
	if tcp.SrcPort != 21000 || tcp.DstPort != 22000 || tcp.Seq != 1 || tcp.Ack != 2 || tcp.Window != 3 || tcp.Urgent != 4 ||
		!tcp.FIN || !tcp.SYN || !tcp.RST || !tcp.PSH || !tcp.ACK || !tcp.URG || !tcp.ECE || !tcp.CWR {
		t.Errorf("%+v", tcp)
	}
}
