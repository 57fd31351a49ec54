package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
	"github.com/virtio-pmd/virtio-pmd/test/inettest"
)

// TestOffloads: a driver gets the offloads that --offloads lists, or without it those of the
// back end, and no others. A long packet that it sends is cut if the wire needs that; with
// --raw it is taken as it is.
func TestOffloads(t *testing.T) {
	const both = ",csum=1,tso=1,uso=1,lro=1"
	dir := t.TempDir()
	for _, c := range []struct {
		backend, list string
		raw           bool
		keys          string
		refused       string // a feature that the error names; "": the port opens
		segments      uint64 // that the device cuts a packet into; 0: none is sent
	}{
		{backend: "loop", keys: both},
		{backend: "loop", list: "off"},
		{backend: "loop", list: "off", keys: ",csum=tx", refused: "CSUM"},
		{backend: "loop", list: "csum", keys: ",csum=1"},
		{backend: "loop", list: "csum", keys: ",tso=1", refused: "HOST_TSO4"},
		{backend: "loop", list: "csum,tso", keys: ",uso=1", refused: "HOST_USO"},
		{backend: "loop", list: "uso,tso", keys: ",lro=1", refused: "GUEST_TSO4"},
		{backend: "loop", list: "lro", keys: ",csum=rx,lro=1"},
		{backend: "null", keys: ",csum=1", refused: "CSUM"},
		{backend: "null", list: "all", keys: both, segments: 3},
		{backend: "null", list: "tso", keys: ",tso=1", segments: 3},
		{backend: "null", raw: true, keys: ",tso=1", refused: "HOST_TSO4"},
		{backend: "null", raw: true, list: "tso,uso", keys: ",tso=1,uso=1", segments: 1},
		{backend: "null", raw: true, list: "all", keys: ",packed=0,tso=1", segments: 1},
		{backend: "gen", raw: true, list: "all", keys: ",csum=rx", refused: "GUEST_CSUM"},
	} {
		t.Run(strings.Join([]string{c.backend, c.list, c.keys}, " "), func(t *testing.T) {
			o := &options{socket: filepath.Join(dir, "s"), queues: 1, size: 64, mtu: 1500, raw: c.raw, cpu: lcore.AnyCPU}
			o.JSON, o.XStats = true, true
			if err := o.readBackend(c.backend); err != nil {
				t.Fatal(err)
			}
			if err := o.readOffloads(c.list); err != nil {
				t.Fatal(err)
			}
			s, stop := start(t, o)
			port, err := devargs.Open(t.Context(), "vhost-user:"+o.socket+c.keys, devargs.Options{Memory: hugepages.Options{SmallPages: true}})
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v, want a refusal of %s", err, c.refused)
				}
				if err == nil {
					_ = port.Close()
				}
				stop()
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := port.Features().Names()
			if c.segments > 0 {
				sendLong(t, s, port)
			}
			p := stop().Ports[0]
			if !slices.Equal(p.Features, want) || slices.Contains(want, "CSUM") != (c.keys != "" && c.list != "lro") {
				t.Errorf("features %v, the driver has %v", p.Features, want)
			}
			if !c.raw && p.XStats["tx_segments"] != c.segments || p.TxErrors != 0 {
				t.Errorf("%+v", p)
			}
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// sendLong sends a TCP packet that is to be cut into three segments, and waits until the back
// end has it, which counts it whole.
func sendLong(t *testing.T, s *server, port *driver.Port) {
	t.Helper()
	q := inettest.Packet{Payload: make([]byte, 2500)}
	b := port.Pool().GetOne()
	frametest.Fill(t, b, q.Blank())
	if err := b.PrepareSegmentation(1000); err != nil {
		t.Fatal(err)
	}
	if port.TxQueue(0).Burst([]*mbuf.Buf{b}) != 1 {
		t.Fatal("the packet is not sent")
	}
	for deadline := time.Now().Add(time.Minute); s.back.Counters().TxPackets == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not arrive: %+v", s.back.Counters())
		}
	}
	if c := s.back.Counters(); c.TxPackets != 1 || c.TxBytes != uint64(q.HeadersLen()+2500) {
		t.Errorf("the back end counts %+v", c)
	}
}
