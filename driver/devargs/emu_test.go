package devargs

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func open(t *testing.T, text string, o Options) *driver.Port {
	t.Helper()
	port, err := Open(t.Context(), text, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Close(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	})
	return port
}

// TestKeysReachThePort: what the keys ask for is what the port has.
func TestKeysReachThePort(t *testing.T) {
	full := open(t, "emu:null", Options{})
	all := virtio.FeatureSet(virtio.RingPacked, virtio.NetMrgRxbuf, virtio.InOrder, virtio.RingEventIdx, virtio.RingIndirectDesc,
		virtio.NetAnnounce)
	if missing := all.Minus(full.Features()); !missing.Empty() {
		t.Errorf("an emulated port without keys lacks %v", missing)
	}
	for _, sw := range []struct {
		key     string
		feature virtio.Feature
	}{
		{"packed", virtio.RingPacked}, {"mrg_rxbuf", virtio.NetMrgRxbuf}, {"in_order", virtio.InOrder},
		{"event_idx", virtio.RingEventIdx}, {"indirect", virtio.RingIndirectDesc},
		{"announce", virtio.NetAnnounce},
	} {
		f := open(t, "emu:null,"+sw.key+"=0", Options{}).Features()
		if f.Has(sw.feature) {
			t.Errorf("%s=0: %v was negotiated", sw.key, sw.feature)
		}
		if missing := all.Without(sw.feature).Minus(f); !missing.Empty() {
			t.Errorf("%s=0: %v are missing as well", sw.key, missing)
		}
	}
	port := open(t, "emu:null,queues=3,rx_queue_size=512,tx_queue_size=64,mac=52:54:00:00:00:07,mtu=4000", Options{})
	if port.Queues() != 3 || port.MAC().String() != "52:54:00:00:00:07" || port.MTU() != 4000 {
		t.Errorf("%d queue pairs, address %v, MTU %d", port.Queues(), port.MAC(), port.MTU())
	}
	for i, q := range port.Stats().Queues {
		if q.Rx.Posted != 512 {
			t.Errorf("receive queue %d has %d buffers, want 512", i, q.Rx.Posted)
		}
	}
}

// TestTraffic: the back ends do what the package comment says, also on the
// smallest rings.
func TestTraffic(t *testing.T) {
	file := filepath.Join(t.TempDir(), "recorded.pcap")
	for _, c := range []struct {
		text      string
		sent, got int // frames
	}{
		{"emu:null", 100, 0},
		{"emu:loop", 100, 100},
		{"emu:gen", 0, 100},
		{"emu:loop,packed=0", 100, 100},
		{"emu:loop,rx_queue_size=3,tx_queue_size=3", 100, 100},
		{"emu:loop,rx_queue_size=2,tx_queue_size=2,packed=0", 100, 100},
		{"emu:loop,rx_queue_size=1,tx_queue_size=1", 100, 100},
		{"emu:pcap=:" + file, 100, 0},
		{"emu:pcap=" + file, 0, 100},
	} {
		t.Run(c.text, func(t *testing.T) {
			var poll func() int
			port, err := Open(t.Context(), c.text, Options{EmuPoll: &poll})
			if err != nil {
				t.Fatal(err)
			}
			exchange(t, port, poll, c.sent, c.got)
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEmuPoll: a device that the application polls moves frames when it is polled.
func TestEmuPoll(t *testing.T) {
	var poll func() int
	port := open(t, "emu:loop,queues=2", Options{EmuPoll: &poll})
	if poll == nil {
		t.Fatal("Open stored no function")
	}
	b := make([]*mbuf.Buf, 1)
	port.Pool().Get(b)
	b[0].Append(60)
	if port.TxQueue(0).Burst(b) != 1 {
		t.Fatal("the frame was not taken")
	}
	receive := func() (n int) {
		for q := range port.Queues() {
			got := make([]*mbuf.Buf, 1)
			got = got[:port.RxQueue(q).Burst(got)]
			n += len(got)
			mbuf.Free(got)
		}
		return n
	}
	if receive() != 0 {
		t.Fatal("the device has moved by itself")
	}
	if poll() == 0 {
		t.Fatal("a poll moved nothing")
	}
	for poll() > 0 {
	}
	if n := receive(); n != 1 {
		t.Fatalf("%d frames came back", n)
	}
}

// TestCables: two ports of one name are joined and have different addresses; a
// third is refused, and so is a port that could not find its other end.
func TestCables(t *testing.T) {
	o := Options{Cables: new(Cables)}
	a, b := open(t, "emu:cable=x", o), open(t, "emu:cable=x,packed=0", o)
	if a.MAC().String() == b.MAC().String() {
		t.Errorf("both ends have the address %v", a.MAC())
	}
	bufs := make([]*mbuf.Buf, 32)
	n := a.Pool().Get(bufs)
	for _, buf := range bufs[:n] {
		buf.Append(100)
	}
	if sent := a.TxQueue(0).Burst(bufs[:n]); sent != n {
		t.Fatalf("%d of %d sent", sent, n)
	}
	got := 0
	for deadline := time.Now().Add(time.Minute); got < n; {
		k := b.RxQueue(0).Burst(bufs)
		mbuf.Free(bufs[:k])
		got += k
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d frames came through the cable", got, n)
		}
	}
	var e *Error
	if _, err := Open(t.Context(), "emu:cable=x", o); !errors.As(err, &e) || e.Value != "emu:cable=x" {
		t.Errorf("a third end: %v, want an *Error", err)
	}
	if _, err := Open(t.Context(), "emu:cable=y", Options{}); !errors.As(err, &e) || e.Remedy == "" {
		t.Errorf("a cable without Cables: %v, want an *Error", err)
	}
}

func TestOpenEmuRefuses(t *testing.T) {
	if _, err := Open(t.Context(), "emu:pcap=missing.pcap", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a capture that is not there: %v", err)
	}
	var e *Error
	if _, err := Open(t.Context(), "emu:gen,packed=0,rx_queue_size=3", Options{}); !errors.As(err, &e) {
		t.Errorf("3 descriptors on a split ring: %v, want an *Error", err)
	}
}

// exchange sends frames and waits until as many as wanted came and the device
// has nothing more to do.
func exchange(t *testing.T, port *driver.Port, poll func() int, send, want int) {
	t.Helper()
	bufs := make([]*mbuf.Buf, 8)
	got, sent := 0, 0
	for deadline := time.Now().Add(time.Minute); poll() > 0 || sent < send || got < want; {
		if sent < send {
			n := port.Pool().Get(bufs[:min(len(bufs), send-sent)])
			for _, b := range bufs[:n] {
				b.Append(60)
			}
			taken := port.TxQueue(0).Burst(bufs[:n])
			mbuf.Free(bufs[taken:n])
			sent += taken
		}
		n := port.RxQueue(0).Burst(bufs)
		mbuf.Free(bufs[:n])
		if got += n; got >= want && want > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("sent %d of %d, received %d of %d: %+v", sent, send, got, want, port.Stats())
		}
	}
}
