package devargs

import (
	"errors"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

func TestParse(t *testing.T) {
	nic := pci.Address{Device: 3}
	on, off := true, false
	for _, c := range []struct {
		text string
		want Spec
	}{
		{"0000:00:03.0", Spec{Kind: PCI, Address: nic}},
		{"pci:0000:00:03.0", Spec{Kind: PCI, Address: nic}},
		{"00:03.0", Spec{Kind: PCI, Address: nic}},
		{"pci:00:03.0,queues=2", Spec{Kind: PCI, Address: nic, Queues: 2}},
		{"10000:af:1f.7,noiommu=1", Spec{Kind: PCI, Address: pci.Address{Domain: 0x10000, Bus: 0xaf, Device: 0x1f, Function: 7}, NoIOMMU: true}},
		{"emu:gen", Spec{Kind: Emu, Backend: "gen"}},
		{"emu:cable=a=b", Spec{Kind: Emu, Backend: "cable", Arg: "a=b"}},
		{"emu:tap=tap0,mtu=9000", Spec{Kind: Emu, Backend: "tap", Arg: "tap0", MTU: 9000}},
		{"emu:pcap=/a/b.pcap,rx_queue_size=1024,tx_queue_size=3", Spec{Kind: Emu, Backend: "pcap", Arg: "/a/b.pcap", RxQueueSize: 1024, TxQueueSize: 3}},
		{"emu:null,packed=1,mrg_rxbuf=0,in_order=1,event_idx=0,indirect=0", Spec{Kind: Emu, Backend: "null",
			Allow:  virtio.FeatureSet(virtio.RingPacked, virtio.InOrder),
			Refuse: virtio.FeatureSet(virtio.NetMrgRxbuf, virtio.RingEventIdx, virtio.RingIndirectDesc)}},
		{`emu:pcap=12\:30\,5:out\\,queues=2`, Spec{Kind: Emu, Backend: "pcap", Arg: `12\:30\,5:out\\`, Queues: 2}},
		{"emu:pcap=:r,record_limit=10m", Spec{Kind: Emu, Backend: "pcap", Arg: ":r", RecordLimit: 10 << 20}},
		{"emu:pcap=p:r,record_limit=1024", Spec{Kind: Emu, Backend: "pcap", Arg: "p:r", RecordLimit: 1024}},
		{"emu:cable=a,loss=0.1,reorder=5%,duplicate=100,delay=1.5ms,jitter=20us", Spec{Kind: Emu, Backend: "cable", Arg: "a",
			Impair: wire.ImpairConfig{Loss: 0.1, Reorder: 5, Duplicate: 100, Delay: 1500 * time.Microsecond,
				Jitter: 20 * time.Microsecond}}},
		{"emu:loop,delay=1s", Spec{Kind: Emu, Backend: "loop", Impair: wire.ImpairConfig{Delay: time.Second}}},
		{`emu:cable=a\,b`, Spec{Kind: Emu, Backend: "cable", Arg: "a,b"}},
		{`emu:vhost=/a\,b\\,server=0`, Spec{Kind: Emu, Backend: "vhost", Arg: `/a,b\`, Client: true}},
		{`vhost-user:/a\,b,queues=2`, Spec{Kind: VhostUser, Socket: "/a,b", Queues: 2}},
		{"vhost-user:/run/vm0.sock", Spec{Kind: VhostUser, Socket: "/run/vm0.sock"}},
		{"vhost-user:a:b=c,server=1,queues=2,packed=1", Spec{Kind: VhostUser, Socket: "a:b=c", Server: true, Queues: 2, Allow: virtio.FeatureSet(virtio.RingPacked)}},
		{"vhost-user:/a,socket_mode=0660,socket_group=kvm,server=1,server_timeout=90",
			Spec{Kind: VhostUser, Socket: "/a", Server: true, ServerTimeout: 90 * time.Second,
				SocketMode: 0o660, SocketGroup: "kvm"}},
		{"vhost-user:/a,server=1,server_timeout=1m", Spec{Kind: VhostUser, Socket: "/a", Server: true,
			ServerTimeout: time.Minute}},
		{"emu:vhost=/a,socket_mode=777", Spec{Kind: Emu, Backend: "vhost", Arg: "/a", SocketMode: 0o777}},
		{"emu:vhost=/tmp/s=1", Spec{Kind: Emu, Backend: "vhost", Arg: "/tmp/s=1"}},
		{"emu:vhost=/tmp/s,server=1", Spec{Kind: Emu, Backend: "vhost", Arg: "/tmp/s", Server: true}},
		{"emu:vhost=/tmp/s,server=0,queues=2", Spec{Kind: Emu, Backend: "vhost", Arg: "/tmp/s", Client: true, Queues: 2}},
		{"emu:null,queues=4,pairs=2,promisc=1,allmulti=0,vlan=100+0+4094,hash=1,intr=1,coalesce=32/50us", Spec{Kind: Emu,
			Backend: "null", Queues: 4, Pairs: 2, Promiscuous: &on, AllMulticast: &off, VLANs: []uint16{100, 0, 4094}, Hash: true,
			Interrupts: true, Coalesce: &driver.Coalescing{Packets: 32, Delay: 50 * time.Microsecond}}},
		{"emu:null,queues=2,rss=ip+ipv4-tcp,rss_key=0a:ff,rss_table=0+0+1+1", Spec{Kind: Emu, Backend: "null", Queues: 2,
			RSS:    virtio.HashIPv4 | virtio.HashIPv6 | virtio.HashIPv6Ex | virtio.HashTCPv4,
			RSSKey: []byte{10, 255}, RSSTable: []uint16{0, 0, 1, 1}}},
		{"emu:null,mac_filter=02:00:00:00:00:05+33:33:00:00:00:01,hash=1,inner_hash=vxlan+gre", Spec{Kind: Emu, Backend: "null", Hash: true,
			MACs:      []net.HardwareAddr{{2, 0, 0, 0, 0, 5}, {0x33, 0x33, 0, 0, 0, 1}},
			InnerHash: virtio.TunnelVXLAN | virtio.TunnelGRE2784 | virtio.TunnelGRE2890 | virtio.TunnelGRE7676}},
		{"00:03.0,rss=tcp,inner_hash=all", Spec{Kind: PCI, Address: nic, InnerHash: virtio.TunnelAll,
			RSS: virtio.HashTCPv4 | virtio.HashTCPv6 | virtio.HashTCPv6Ex}},
		{"00:03.0,rss=all", Spec{Kind: PCI, Address: nic, RSS: virtio.HashAll}},
		{"00:03.0,csum=1,tso=1", Spec{Kind: PCI, Address: nic, Offloads: TxChecksum | RxChecksum | TSO}},
		{"vhost-user:/a,csum=tx,uso=1,lro=1,announce=0", Spec{Kind: VhostUser, Socket: "/a", Offloads: TxChecksum | USO | LRO,
			Refuse: virtio.FeatureSet(virtio.NetAnnounce)}},
		{"vhost-user:/a,csum=rx,tso=0,lro=0", Spec{Kind: VhostUser, Socket: "/a", Offloads: RxChecksum}},
		{"emu:loop,mac=52:54:00:00:00:01", Spec{Kind: Emu, Backend: "loop", MAC: net.HardwareAddr{0x52, 0x54, 0, 0, 0, 1}}},
	} {
		c.want.Text = c.text
		got, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.text, got, c.want)
		}
		again, err := Parse(got.String())
		again.Text = c.text
		if err != nil || !reflect.DeepEqual(again, c.want) {
			t.Errorf("%s became %q: %+v, %v", c.text, got.String(), again, err)
		}
	}
}

// TestParseRefuses: each bad text is an *Error that names the key, the value
// and what to do.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, key, value, reason string }{
		{"", "", "", "no device"},
		{",queues=1", "", "", "no device"},
		{"eth0", "", "eth0", "unknown kind"},
		{"usb:1", "", "usb:1", "unknown kind"},
		{"0000:00:03", "", "0000:00:03", "not a PCI address"},
		{"0000:00:20.0", "", "0000:00:20.0", "not a PCI address"},
		{"pci:", "", "", "not a PCI address"},
		{"vhost-user:", "", "vhost-user:", "no socket"},
		{"vhost-user:,queues=2", "", "vhost-user:", "no socket"},
		{"vhost-user:/" + strings.Repeat("a", 107), "", "/" + strings.Repeat("a", 107), "longer than the 107 bytes"},
		{"vhost-user:/run/vm0.sock,server=yes", "server", "yes", "neither 0 nor 1"},
		{"vhost-user:/run/vm0.sock,noiommu=1", "noiommu", "1", "only a PCI port"},
		{"vdpa:/dev/vhost-vdpa-0,queues=2", "", "vdpa:/dev/vhost-vdpa-0", "no vdpa transport"},
		{"emu:vhost", "", "vhost", "needs an argument"},
		{"emu:vhost=/" + strings.Repeat("a", 107), "", "/" + strings.Repeat("a", 107), "longer than the 107 bytes"},
		{"emu:", "", "", "unknown back end"},
		{"emu:void", "", "void", "unknown back end"},
		{"emu:gen=64", "", "gen=64", "no argument"},
		{"emu:gen=", "", "gen=", "no argument"},
		{"emu:cable", "", "cable", "needs an argument"},
		{"emu:tap=", "", "tap=", "needs an argument"},
		{"emu:tap=../x", "", "../x", "not a name"},
		{"emu:pcap=:r,record_limit=1", "record_limit", "1", "not a size of 1K"},
		{"emu:pcap=:r,record_limit=", "record_limit", "", "not a size"},
		{"emu:pcap=:r,record_limit=M", "record_limit", "M", "not a size"},
		{"emu:pcap=:r,record_limit=10X", "record_limit", "10X", "not a size"},
		{"emu:pcap=:r,record_limit=99999999999T", "record_limit", "99999999999T", "not a size"},
		{"emu:pcap=p,record_limit=1K", "record_limit", "1024", "nothing is recorded"},
		{`emu:pcap=p\:r,record_limit=1K`, "record_limit", "1024", "nothing is recorded"},
		{"emu:gen,record_limit=1K", "record_limit", "1024", "nothing is recorded"},
		{"emu:loop,loss=-1", "loss", "-1", "not a percentage"},
		{"emu:loop,duplicate=100.5", "duplicate", "100.5", "not a percentage"},
		{"emu:loop,reorder=NaN", "reorder", "NaN", "not a percentage"},
		{"emu:loop,delay=5", "delay", "5", "not a time"},
		{"emu:loop,delay=-1ms", "delay", "-1ms", "not a time"},
		{"emu:loop,delay=1ms,jitter=2ms", "jitter", "2ms", "longer than the delay"},
		{"emu:gen,loss=1", "", "emu:gen", "impaired in emu:cable= and emu:loop only"},
		{"0000:00:03.0,delay=1ms", "", "0000:00:03.0", "impaired in emu:cable= and emu:loop only"},
		{"emu:gen,", "", "", "no key between commas"},
		{"emu:gen,queues", "", "queues", "not of the form"},
		{"emu:gen,=1", "", "=1", "not of the form"},
		{"emu:gen,queue=1", "queue", "1", "unknown key"},
		{"emu:gen,Queues=1", "Queues", "1", "unknown key"},
		{"emu:gen,queues=1,queues=1", "queues", "1", "given before"},
		{"emu:gen,queues=0", "queues", "0", "not a number from 1"},
		{"emu:gen,queues=32769", "queues", "32769", "not a number from 1"},
		{"emu:gen,queues=+1", "queues", "+1", "not a number"},
		{"emu:gen,queues=0x2", "queues", "0x2", "not a number"},
		{"emu:gen,rx_queue_size=0", "rx_queue_size", "0", "not a number from 1 to 32768"},
		{"emu:gen,rx_queue_size=65536", "rx_queue_size", "65536", "not a number from 1 to 32768"},
		{"emu:gen,tx_queue_size=99999999999999999999", "tx_queue_size", "99999999999999999999", "not a number"},
		{"emu:gen,tx_queue_size=-1", "tx_queue_size", "-1", "not a number"},
		{"emu:gen,packed=0,rx_queue_size=3", "rx_queue_size", "3", "power of two"},
		{"emu:gen,tx_queue_size=1000,packed=0", "tx_queue_size", "1000", "power of two"},
		{"emu:gen,packed=2", "packed", "2", "neither 0 nor 1"},
		{"emu:gen,packed=on", "packed", "on", "neither 0 nor 1"},
		{"emu:gen,event_idx=", "event_idx", "", "neither 0 nor 1"},
		{"emu:gen,mac=52:54:00:00:00", "mac", "52:54:00:00:00", "not a 48-bit"},
		{"emu:gen,mac=00:00:00:00:00:00:00:01", "mac", "00:00:00:00:00:00:00:01", "not a 48-bit"},
		{"emu:gen,mac=01:00:5e:00:00:01", "mac", "01:00:5e:00:00:01", "multicast"},
		{"emu:gen,mac=00:00:00:00:00:00", "mac", "00:00:00:00:00:00", "zero"},
		{"emu:gen,mtu=67", "mtu", "67", "not a number from 68"},
		{"emu:gen,promisc=yes", "promisc", "yes", "neither 0 nor 1"},
		{"emu:gen,vlan=4095", "vlan", "4095", "not IDs of VLANs"},
		{"emu:gen,vlan=", "vlan", "", "not IDs of VLANs"},
		{"emu:gen,vlan=1+2+1", "vlan", "1+2+1", "VLAN 1 is there twice"},
		{"emu:gen,mac_filter=02:00:00:00:00", "mac_filter", "02:00:00:00:00", "no Ethernet address"},
		{"emu:gen,mac_filter=02:00:00:00:00:01+", "mac_filter", "02:00:00:00:00:01+", `"" is no Ethernet address`},
		{"emu:gen,mac_filter=02:00:5e:10:00:00:00:01", "mac_filter", "02:00:5e:10:00:00:00:01", "no Ethernet address"},
		{"emu:gen,hash=1,inner_hash=l2tp", "inner_hash", "l2tp", "no kind of tunnels"},
		{"emu:gen,inner_hash=ipip", "inner_hash", "ipip", "no hash is computed"},
		{"vhost-user:/a,mac_filter=02:00:00:00:00:01", "mac_filter", "02:00:00:00:00:01", "no control queue"},
		{"emu:gen,rss=ipv5", "rss", "ipv5", "no kind of packets"},
		{"emu:gen,rss=all,rss_key=xyz", "rss_key", "xyz", "not 1 to 255 bytes"},
		{"emu:gen,rss_key=0a", "rss_key", "0a", "no hash"},
		{"emu:gen,queues=2,rss_table=0+1", "rss_table", "0+1", "not spread by a hash"},
		{"emu:gen,queues=2,rss=all,rss_table=0+1+0", "rss_table", "0+1+0", "no power of two"},
		{"emu:gen,queues=2,rss=all,rss_table=0+2", "rss_table", "0+2", "no queue 2"},
		{"emu:gen,queues=4,pairs=2,rss=all,rss_table=0+2", "rss_table", "0+2", "no queue 2"},
		{"emu:gen,queues=2,pairs=3", "pairs", "3", "more than there are queues"},
		{"emu:gen,csum=2", "csum", "2", "neither 0, 1, tx nor rx"},
		{"emu:gen,tso=yes", "tso", "yes", "neither 0 nor 1"},
		{"emu:gen,coalesce=32", "coalesce", "32", "not packets and a time"},
		{"emu:gen,coalesce=0/1us", "coalesce", "0/1us", "not packets and a time"},
		{"emu:gen,coalesce=1/10ns", "coalesce", "1/10ns", "not packets and a time"},
		{"vhost-user:/a,promisc=1", "promisc", "1", "no control queue"},
		{"vhost-user:/a,vlan=7", "vlan", "7", "no control queue"},
		{"vhost-user:/a,queues=2,rss=tcp", "rss", "tcp", "no control queue"},
		{"vhost-user:/a,hash=1", "hash", "1", "no control queue"},
		{"vhost-user:/a,coalesce=1/1us", "coalesce", "1/1µs", "no control queue"},
		{"emu:gen,mtu=65536", "mtu", "65536", "not a number from 68"},
		{"emu:gen,noiommu=1", "noiommu", "1", "only a PCI port"},
		{"0000:00:03.0,noiommu=yes", "noiommu", "yes", "neither 0 nor 1"},
		{"0000:00:03.0,server=1", "server", "1", "only a vhost-user port"},
		{"0000:00:03.0,server=0", "server", "0", "only a vhost-user port"},
		{"emu:gen,server=1", "server", "1", "only a vhost-user port"},
		{"emu:gen,server=0", "server", "0", "only a vhost-user port"},
		{"vhost-user:/a,server=1,socket_mode=0", "socket_mode", "0", "octal"},
		{"vhost-user:/a,server=1,socket_mode=1777", "socket_mode", "1777", "octal"},
		{"vhost-user:/a,server=1,socket_mode=rw", "socket_mode", "rw", "octal"},
		{"vhost-user:/a,server=1,socket_group=", "socket_group", "", "no group"},
		{"vhost-user:/a,server=1,server_timeout=0", "server_timeout", "0", "not a time"},
		{"vhost-user:/a,server=1,server_timeout=soon", "server_timeout", "soon", "not a time"},
		{"vhost-user:/a,socket_mode=0660", "socket_mode", "0660", "does not listen"},
		{"vhost-user:/a,server=0,socket_group=kvm", "socket_group", "kvm", "does not listen"},
		{"emu:vhost=/a,server=0,socket_mode=0660", "socket_mode", "0660", "does not listen"},
		{"emu:gen,socket_group=kvm", "socket_group", "kvm", "does not listen"},
		{"0000:00:03.0,server_timeout=1s", "server_timeout", "1s", "does not wait"},
		{"emu:vhost=/a,server=1,server_timeout=1s", "server_timeout", "1s", "does not wait"},
		{"emu:cable=a,server=0", "server", "0", "only a vhost-user port"},
	} {
		spec, err := Parse(c.text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %+v, error %v; want an *Error", c.text, spec, err)
			continue
		}
		if e.Port != c.text || e.Key != c.key || e.Value != c.value || !strings.Contains(e.Reason, c.reason) || e.Remedy == "" {
			t.Errorf("%q:\n got %+v\nwant key %q, value %q, reason %q and a remedy", c.text, *e, c.key, c.value, c.reason)
		}
		if !reflect.DeepEqual(spec, Spec{}) {
			t.Errorf("%q: a Spec came with the error: %+v", c.text, spec)
		}
	}
}

// TestUnsupported: a transport that is missing is told from a text that is invalid.
func TestUnsupported(t *testing.T) {
	for text, want := range map[string]bool{"vdpa:/dev/vhost-vdpa-0": true, "usb:1": false} {
		if _, err := Parse(text); errors.Is(err, errors.ErrUnsupported) != want {
			t.Errorf("%s: errors.Is(%v, errors.ErrUnsupported) is %t", text, err, !want)
		}
	}
}

// TestRemedyWorks: the sizes that the remedy names are accepted.
func TestRemedyWorks(t *testing.T) {
	_, err := Parse("emu:gen,packed=0,rx_queue_size=1000")
	if err == nil || !strings.Contains(err.Error(), "use 512") {
		t.Errorf("the remedy names no size: %v", err)
	}
	for _, text := range []string{"emu:gen,packed=0,rx_queue_size=512", "emu:gen,rx_queue_size=1000"} {
		if _, err := Parse(text); err != nil {
			t.Error(err)
		}
	}
}

// FuzzParse: no text crashes Parse, a refusal is a complete *Error, and the short form
// of a valid text parses to the same Spec.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "0000:00:03.0,queues=2,packed=0,mac=02:00:00:00:00:01", "emu:cable=x,in_order=1,mtu=68",
		"emu:tap=tap0,rx_queue_size=3", "pci:00:03.0,noiommu=1,noiommu=0", "vhost-user:/a,server=1", "emu:gen,,",
		"vhost-user:/a,server=1,server_timeout=1.5h,socket_mode=640,socket_group=x", "a:b:c.d",
		`emu:pcap=a\,b\:c:d\\,record_limit=1M`, `vhost-user:a\,b\\\c`, "emu:loop,loss=1e-3%,delay=1h1ns"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := Parse(text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Port != text || e.Reason == "" || e.Remedy == "" {
				t.Fatalf("%q: %v is not a complete *Error", text, err)
			}
			return
		}
		again, err := Parse(spec.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, spec.String(), err)
		}
		again.Text = text
		if !reflect.DeepEqual(spec, again) {
			t.Fatalf("%q became %q:\n%+v\n%+v", text, spec.String(), spec, again)
		}
	})
}
