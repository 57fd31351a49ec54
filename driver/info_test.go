package driver

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// queueOf returns what an Info says of a queue.
func queueOf(t *testing.T, info Info, name string) QueueInfo {
	t.Helper()
	i := slices.IndexFunc(info.Queues, func(q QueueInfo) bool { return q.Name == name })
	if i < 0 {
		t.Fatalf("no queue %q in %v", name, info)
	}
	return info.Queues[i]
}

// TestInfo: positions, descriptors and counters are those of what was just done.
func TestInfo(t *testing.T) {
	for _, packed := range []bool{false, true} {
		c := Config{RxQueueSize: 8, TxQueueSize: 8}
		if !packed {
			c.Refuse = virtio.FeatureSet(virtio.RingPacked)
		}
		r := newRig(t, pcifn.Config{}, c)
		bufs := make([]*mbuf.Buf, 3)
		r.port.Pool().Get(bufs)
		for _, b := range bufs {
			b.Append(60)
		}
		if n := r.port.TxQueue(0).Burst(bufs); n != 3 {
			t.Fatal(n)
		}
		info := r.port.Inspect()
		rx, tx := queueOf(t, info, "rx 0"), queueOf(t, info, "tx 0")
		if rx.Virtqueue != 0 || rx.Size != 8 || rx.Posted != 8 || rx.Positions.InUse != 8 || rx.Vector != -1 {
			t.Errorf("%+v", rx)
		}
		if tx.Virtqueue != 1 || tx.Posted != 3 || tx.Positions.InUse != 3 || tx.Positions.Avail != 3 || tx.Positions.Used != 0 {
			t.Errorf("%+v %+v", tx, tx.Positions)
		}
		if s := r.port.TxQueue(0).Stats(); tx.Kicks != s.Kicks || tx.Suppressed != s.Suppressed || s.Kicks+s.Suppressed != 1 {
			t.Errorf("kicks %d, suppressed %d of %+v", tx.Kicks, tx.Suppressed, s)
		}
		available := 0
		for i, d := range tx.Descriptors {
			if d.Address == 0 != (i >= 3) || i < 3 && d.Len != 60+virtio.NetHeaderLen {
				t.Errorf("descriptor %d is %+v", i, d)
			}
			if d.Flags&virtio.DescAvail != 0 {
				available++
			}
		}
		if want := map[bool]int{true: 3}[packed]; available != want || len(tx.Descriptors) != 8 {
			t.Errorf("%d of %d descriptors are marked available, want %d", available, len(tx.Descriptors), want)
		}
		if want := map[bool]string{true: "packed", false: "split"}[packed]; tx.Format != want {
			t.Error(tx.Format)
		}
		r.settle()
		if p := queueOf(t, r.port.Info(), "tx 0").Positions; !packed && p.DeviceUsed != 3 {
			t.Errorf("used index %d after the device has used 3", p.DeviceUsed)
		}
		r.port.TxQueue(0).Reclaim()
		after := r.port.Info()
		if q := queueOf(t, after, "tx 0"); q.Positions.InUse != 0 || q.Positions.Used != 3 || q.Descriptors != nil {
			t.Errorf("%+v %+v", q, q.Positions)
		}
		if after.State != "running" || after.DeviceStatus != runningStatus || after.Unread != "" || after.Transport != "PCI" {
			t.Errorf("%+v", after)
		}
	}
}

// TestInfoFeatures: each bit that the device offers is negotiated or has a reason that names
// its cause.
func TestInfoFeatures(t *testing.T) {
	dev := vdev.Config{Offer: vdev.Implemented().With(127)}
	r := newRig(t, pcifn.Config{Device: dev}, Config{
		Refuse: virtio.FeatureSet(virtio.InOrder, virtio.NetCtrlMACAddr), MAC: []byte{2, 0, 0, 0, 0, 9},
		Request: virtio.FeatureSet(virtio.NetStandby)})
	info := r.port.Info()
	reasons := map[string]string{}
	for _, f := range info.Features {
		if f.Negotiated != r.port.Features().Has(f.Feature) || f.Reason == "" && f.Offered {
			t.Errorf("%+v", f)
		}
		if f.Negotiated && !(f.Offered && f.Wanted) {
			t.Errorf("negotiated although not offered or wanted: %+v", f)
		}
		if f.Offered && !f.Negotiated {
			reasons[f.Feature.String()] = f.Reason
		}
	}
	for name, part := range map[string]string{
		"IN_ORDER": "the configuration refuses it", "MAC": "another address",
		"bit 127": "does not know", "RING_RESET": "",
	} {
		if reason, ok := reasons[name]; name != "RING_RESET" && (!ok || !strings.Contains(reason, part)) {
			t.Errorf("%s: %q, want %q", name, reason, part)
		}
	}
	if t.Failed() {
		t.Log(slices.Sorted(maps.Keys(reasons)))
	}
	fields := map[string]string{}
	for _, f := range info.Config {
		fields[f.Name] = f.Value
	}
	if fields["mtu"] != "1500" || fields["speed"] != "10000 Mbit/s" || fields["duplex"] != "1 (full)" ||
		fields["status"] != "0x1 (LINK_UP)" || info.MAC != "02:00:00:00:00:09" || fields["mac"] == info.MAC {
		t.Errorf("%v %v", info.MAC, fields)
	}
}

// TestInfoPage: no line is longer than 80 columns, whatever the reasons, and everything of
// the Info is there. JSON has names in place of numbers.
func TestInfoPage(t *testing.T) {
	r := newRig(t, pcifn.Config{Device: vdev.Config{Pairs: 3, Offer: vdev.Implemented().With(120).Without(virtio.NetMTU)}},
		Config{Queues: 3, RxQueueSize: 4, TxQueueSize: 4, Refuse: virtio.FeatureSet(virtio.InOrder, virtio.RingEventIdx)})
	info := r.port.Inspect()
	text := info.String()
	for line := range strings.Lines(text) {
		if len(strings.TrimRight(line, "\n")) > pageWidth {
			t.Errorf("longer than %d: %q", pageWidth, line)
		}
	}
	words := []string{"DRIVER_OK", info.MAC, "queue pairs   3 of 3", "no event index", "bit 120(120)", "max_virtqueue_pairs",
		"virtqueue 5 (tx 2)", "control", "WRITE AVAIL", "not offered   of those wanted: MTU(3)",
		"    0-3  never written"}
	for _, f := range info.Features {
		words = append(words, f.Feature.String()+"(")
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("the page lacks %q", w)
		}
	}
	b, err := json.Marshal(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{`"name":"MRG_RXBUF","bit":15,"offered":true`, `"device_status":"ACKNOWLEDGE|DRIVER`, `"duplex":"full-duplex"`} {
		if !strings.Contains(string(b), w) {
			t.Errorf("%s lacks %s", b, w)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

// TestInfoWhilePolled: reading takes nothing from the pollers. Packets flow on both sides while
// another goroutine reads, and each that was sent arrives.
func TestInfoWhilePolled(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	r.dev.Start()
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		for reads := 1; ; reads++ {
			info := r.port.Inspect()
			if q := queueOf(t, info, "tx 0"); q.Positions != nil && (len(q.Descriptors) != q.Size || q.Positions.InUse > q.Size) {
				t.Errorf("%+v", q)
			}
			select {
			case <-stop:
				done <- reads
				return
			default:
			}
		}
	}()
	const count = 5000
	bufs := make([]*mbuf.Buf, 32)
	for sent := 0; sent < count; {
		n := r.port.Pool().Get(bufs[:min(32, count-sent)])
		for _, b := range bufs[:n] {
			b.Append(60)
		}
		taken := r.port.TxQueue(0).Burst(bufs[:n])
		mbuf.Free(bufs[taken:n])
		sent += taken
	}
	await(t, "all frames have left", func() bool { return r.dev.Stats().TxFrames >= count })
	close(stop)
	t.Logf("read %d times meanwhile", <-done)
	if s := r.port.Stats(); s.TxPackets != count || s.TxErrors != 0 || s.TxDropped != 0 {
		t.Errorf("%+v", s)
	}
}

// TestInfoOfEndedPort: a port that was closed still says what it was and why it ended.
func TestInfoOfEndedPort(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	if err := r.port.Close(); err != nil {
		t.Fatal(err)
	}
	info := r.port.Info()
	if !strings.Contains(info.State, "closed") || info.Unread == "" || queueOf(t, info, "rx 0").Size != 0 || info.String() == "" {
		t.Errorf("%+v", info)
	}
}

// TestFeatureTable: the table has every bit that has a name, in order, and says something
// about each.
func TestFeatureTable(t *testing.T) {
	var bits []virtio.Feature
	for _, s := range Features() {
		bits = append(bits, s.Feature)
		if s.Reason == "" || s.Acceptance < Refused || s.Acceptance > ByDefault {
			t.Errorf("%+v", s)
		}
	}
	var named []virtio.Feature
	for f := virtio.Feature(0); f < 128; f++ {
		if !strings.HasPrefix(f.String(), "bit ") {
			named = append(named, f)
		}
	}
	if !slices.Equal(bits, named) {
		t.Errorf("the table has %v, names are there for %v", bits, named)
	}
}

// TestInfoOfQueues: queues that were stopped, or are not active, say so, and stay out of use.
func TestInfoOfQueues(t *testing.T) {
	r := newRig(t, pcifn.Config{Device: vdev.Config{Pairs: 2}}, Config{Queues: 2})
	r.dev.Start()
	if err := r.port.SetQueuePairs(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := r.port.StopRxQueue(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		info := r.port.Info()
		for name, word := range map[string]string{"rx 0": "stopped", "tx 0": inUse, "rx 1": "inactive", "control": inUse} {
			if q := queueOf(t, info, name); !strings.HasPrefix(q.State, word) {
				t.Errorf("%s is %q, want %q", name, q.State, word)
			}
		}
		if !strings.Contains(info.String(), "inactive: its pair") {
			t.Error(info)
		}
	}
	if r.port.RxQueue(0).gate.Enter() {
		t.Error("the stopped queue is in use again")
	}
	if err := r.port.StartRxQueue(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if q := queueOf(t, r.port.Info(), "rx 0"); q.State != inUse || q.Positions.InUse != q.Size {
		t.Errorf("%+v", q)
	}
}
