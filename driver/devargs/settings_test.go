package devargs

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestSettingsReachThePort: what the keys ask for was negotiated, and is what the port says
// that it has set.
func TestSettingsReachThePort(t *testing.T) {
	p := open(t, "emu:null,queues=4,pairs=3,promisc=0,allmulti=1,vlan=5+6,rss=tcp,rss_key=0102030405,"+
		"rss_table=2+1+0+2,hash=1,inner_hash=ipip+geneve,mac_filter=02:00:00:00:00:09+33:33:00:00:00:01,intr=1,coalesce=16/20us", Options{})
	if m := p.RxMode(); m != (driver.RxMode{AllMulticast: true}) {
		t.Errorf("modes %+v", m)
	}
	if v := p.VLANs(); !slices.Equal(v, []uint16{5, 6}) {
		t.Errorf("VLANs %v", v)
	}
	want := driver.RSS{Key: []byte{1, 2, 3, 4, 5}, Table: []uint16{2, 1, 0, 2},
		Types: virtio.HashTCPv4 | virtio.HashTCPv6 | virtio.HashTCPv6Ex}
	if r, ok := p.RSS(); !ok || !reflect.DeepEqual(r, want) {
		t.Errorf("RSS %+v, %t", r, ok)
	}
	if !p.Features().Has(virtio.NetHashReport) || p.ActivePairs() != 3 || p.Queues() != 4 {
		t.Errorf("%d of %d pairs, %v", p.ActivePairs(), p.Queues(), p.Features())
	}
	coalescing := driver.Coalescing{Packets: 16, Delay: 20 * time.Microsecond}
	if p.RxCoalescing() != coalescing || p.TxCoalescing() != coalescing {
		t.Errorf("coalescing %v and %v", p.RxCoalescing(), p.TxCoalescing())
	}
	if _, err := driver.NewWaiter(p.RxQueue(0)); err != nil {
		t.Error(err)
	}
	info := p.Info()
	said := map[string]string{}
	for _, s := range info.Settings {
		said[s.Name] = s.Value
	}
	for name, value := range map[string]string{
		"active queue pairs": "3", "receive modes": "promiscuous off, all-multicast on", "VLAN filter": "5 6",
		"RSS": "of TCPv4 TCPv6 TCPv6_EX", "RSS key": "01020304 05", "RSS table": "4 entries: 2 1 0 in turn",
		"inner header hash": "of GENEVE IPIP", "unicast filter": "02:00:00:00:00:09", "multicast filter": "33:33:00:00:00:01",
		"receive coalescing": "16 packets, 20µs", "interrupts": "a goroutine can sleep until the device interrupts",
	} {
		if said[name] != value || !strings.Contains(info.String(), "\n  "+name+" ") {
			t.Errorf("Info says of %s %q, want %q", name, said[name], value)
		}
	}
	if rx, tx := info.Queues[0], info.Queues[1]; rx.Vector < 1 || tx.Vector != -1 {
		t.Errorf("vectors %d and %d", rx.Vector, tx.Vector)
	}
}

// TestOffloadKeys: each key negotiates its features and no others, on whatever wire.
func TestOffloadKeys(t *testing.T) {
	all := virtio.FeatureSet(virtio.NetCSUM, virtio.NetGuestCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostECN,
		virtio.NetHostUSO, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetGuestECN, virtio.NetGuestUSO4,
		virtio.NetGuestUSO6, virtio.NetGuestHdrLen, virtio.NetRSCExt)
	for keys, want := range map[string][]virtio.Feature{
		"": {}, "csum=0": {}, "csum=tx": {virtio.NetCSUM}, "csum=rx": {virtio.NetGuestCSUM},
		"csum=1": {virtio.NetCSUM, virtio.NetGuestCSUM},
		"tso=1":  {virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostECN, virtio.NetGuestHdrLen},
		"uso=1":  {virtio.NetCSUM, virtio.NetHostUSO, virtio.NetGuestHdrLen},
		"lro=1": {virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetGuestECN,
			virtio.NetGuestUSO4, virtio.NetGuestUSO6},
		"rsc=1": {virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6, virtio.NetCSUM, virtio.NetHostTSO4,
			virtio.NetHostTSO6, virtio.NetRSCExt},
	} {
		for _, device := range []string{"emu:null", "emu:loop"} {
			got := open(t, strings.TrimSuffix(device+","+keys, ","), Options{}).Features().And(all)
			if got != virtio.FeatureSet(want...) {
				t.Errorf("%s,%s: %v, want %v", device, keys, got, virtio.FeatureSet(want...))
			}
		}
	}
}

// TestFilterKeys: frames come through a cable to a port that filters, and those that it
// asked for arrive.
func TestFilterKeys(t *testing.T) {
	frame := func(to string, vlan ...byte) []byte {
		f := append([]byte(to), 2, 0, 0, 0, 0, 9)
		if vlan != nil {
			f = append(f, 0x81, 0, 0, vlan[0])
		}
		return append(f, make([]byte, 60)...)
	}
	own, other, group, all := "\x02\x00\x00\x00\x00\x07", "\x02\x00\x00\x00\x00\x08", "\x33\x33\x00\x00\x00\x01", "\xff\xff\xff\xff\xff\xff"
	sent := [][]byte{frame(own), frame(other), frame(group), frame(all), frame(own, 5), frame(own, 6), frame(other, 5)}
	for keys, want := range map[string][]int{
		"":                      {0, 1, 2, 3, 4, 5, 6},
		",promisc=1":            {0, 1, 2, 3, 4, 5, 6},
		",promisc=0":            {0, 3, 4, 5},
		",promisc=0,allmulti=1": {0, 2, 3, 4, 5},
		",promisc=0,vlan=5":     {0, 3, 4},
		",promisc=0,mac_filter=02:00:00:00:00:08":                   {0, 1, 3, 4, 5, 6},
		",promisc=0,mac_filter=02:00:00:00:00:08+33:33:00:00:00:01": {0, 1, 2, 3, 4, 5, 6},
		",promisc=0,mac_filter=33:33:00:00:00:01":                   {0, 2, 3, 4, 5},
		",promisc=0,vlan=5+6,mtu=9000":                              {0, 3, 4, 5},
		",vlan=5":                                                   {0, 1, 2, 3, 4, 5, 6},
	} {
		var cables Cables
		var pollFrom, pollTo func() int
		from := open(t, "emu:cable=a", Options{Cables: &cables, EmuPoll: &pollFrom})
		to := open(t, "emu:cable=a,mac=02:00:00:00:00:07"+keys, Options{Cables: &cables, EmuPoll: &pollTo})
		bufs := make([]*mbuf.Buf, len(sent))
		from.Pool().Get(bufs)
		for i, b := range bufs {
			copy(b.Append(len(sent[i])), sent[i])
		}
		if n := from.TxQueue(0).Burst(bufs); n != len(sent) {
			t.Fatal(n)
		}
		var got []int
		for moved := 1; moved > 0; {
			n := to.RxQueue(0).Burst(bufs)
			for _, b := range bufs[:n] {
				got = append(got, slices.IndexFunc(sent, func(f []byte) bool { return bytes.Equal(f, b.Data()) }))
			}
			mbuf.Free(bufs[:n])
			moved = pollFrom() + pollTo() + n
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: frames %v arrived, want %v", keys, got, want)
		}
		if s := to.Stats(); s.RxFiltered != uint64(len(sent)-len(want)) || s.RxPackets != uint64(len(want)) {
			t.Errorf("%q: %d filtered, %d received", keys, s.RxFiltered, s.RxPackets)
		}
	}
}

// TestSettingsThatCannotBe: a port is not opened without what the keys ask for, and the
// error says what is missing.
func TestSettingsThatCannotBe(t *testing.T) {
	socket := t.TempDir() + "/s"
	back, err := vhostback.Serve(socket, vhostback.Config{Device: vdev.Config{Offer: vdev.Implemented().Without(virtio.NetHostTSO4)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := back.Close(); err != nil {
			t.Error(err)
		}
	})
	for text, words := range map[string]string{
		"vhost-user:" + socket + ",csum=tx,tso=1":                                "leave out tso=1)",
		"emu:null,queues=2,rss=all,rss_key=" + strings.Repeat("00", 41):          "40",
		"emu:null,queues=2,rss=all,rss_table=" + strings.Repeat("0+", 255) + "1": "128",
	} {
		p, err := Open(t.Context(), text, Options{})
		if err == nil {
			_ = p.Close()
		}
		if err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", text, err)
		}
		if strings.HasPrefix(text, "vhost-user") && (!errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "HOST_TSO4")) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
