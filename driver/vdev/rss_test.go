package vdev_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// flowFrame is a TCP packet of a flow.
func flowFrame(flow int) ipPacket {
	return ipPacket{src: "10.0.0.1", dst: "10.0.0.2", sport: uint16(1000 + flow), dport: 80, proto: 6}
}

// pairOf returns the pair that a frame arrives on, -1 if it does not.
func (r *ctrlRig) pairOf(frame []byte) int {
	r.t.Helper()
	r.inject(frame)
	pair := -1
	for i, p := range r.ports {
		for range p.received() {
			if pair >= 0 {
				r.t.Error("a frame arrived twice")
			}
			pair = i
		}
	}
	return pair
}

// RSS puts each packet where hash and table say, until VQ_PAIRS_SET changes that; the
// last of the two commands counts.
func TestRSS(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{Pairs: 4}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		hash := func(flow int) int {
			f := flowFrame(flow).frame()
			return int(slowToeplitz(verificationKey, cat(f[26:34], f[38:42])) & 0xffff)
		}
		table := make([]int, 128)
		for i := range table {
			table[i] = []int{3, 1, 3, 0}[i%4]
		}
		if pair := r.pairOf(flowFrame(1).frame()); pair != 0 {
			t.Errorf("before a command frames arrive on pair %d", pair)
		}
		r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(virtio.HashTCPv4, 2, table, 3, verificationKey)...)
		used := make(map[int]int)
		for flow := range 200 {
			pair := r.pairOf(flowFrame(flow).frame())
			if want := table[hash(flow)%128]; pair != want {
				t.Fatalf("flow %d is on pair %d, want %d", flow, pair, want)
			}
			used[pair]++
		}
		if len(used) != 3 || used[2] != 0 {
			t.Errorf("200 flows used the pairs %v", used)
		}
		if pair := r.pairOf(frameTo(everyone, -1)); pair != 2 {
			t.Errorf("a packet without a hash is on pair %d", pair)
		}
		// A table of one entry, then automatic steering, then RSS again.
		r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(virtio.HashTCPv4, 3, []int{1}, 1, verificationKey)...)
		if pair := r.pairOf(flowFrame(5).frame()); pair != 1 || r.d.ActivePairs() != 4 {
			t.Errorf("with one entry frames are on pair %d, %d are active", pair, r.d.ActivePairs())
		}
		r.do(virtio.CtrlMQ, virtio.CtrlMQPairsSet, le16(1)...)
		if pair := r.pairOf(frameTo(everyone, -1)); pair != 0 || r.d.ActivePairs() != 1 {
			t.Errorf("after VQ_PAIRS_SET frames are on pair %d", pair)
		}
		r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(0, 3, []int{1, 1}, 1, nil)...)
		if pair := r.pairOf(flowFrame(5).frame()); pair != 3 {
			t.Errorf("without types frames are on pair %d", pair)
		}
		r.clean()
		r.start(r.f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		if pair := r.pairOf(frameTo(everyone, -1)); pair != 0 {
			t.Errorf("after a reset frames are on pair %d", pair)
		}
	})
}

// max_tx_vq says which transmit queues may be used, as VQ_PAIRS_SET does.
func TestRSSTransmitQueues(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{Pairs: 3}, split.Or(allCtrl).Without(virtio.NetHashReport))
	r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(0, 0, []int{2}, 2, nil)...)
	for i, p := range r.ports[:2] {
		if !p.send(frameTo(otherMAC, -1)) {
			t.Fatal("no room")
		}
		if n := r.d.Poll(); n != 1 {
			t.Errorf("pair %d: %d frames moved", i, n)
		}
	}
	r.clean()
	r.ports[2].send(frameTo(otherMAC, -1))
	r.d.Poll()
	r.wantRules("net/mq/4")
	if n := r.d.Stats().TxFrames; n != 2 {
		t.Errorf("%d frames went out", n)
	}
}

// A queue that is being reset gets no frames: RSS drops what is for it, and automatic
// steering takes another one (5.1.9.5.5).
func TestSteeringPastResetQueue(t *testing.T) {
	byFormat(t, allCtrl.Without(virtio.NetHashReport), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{Pairs: 2}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.do(virtio.CtrlMQ, virtio.CtrlMQPairsSet, le16(2)...)
		if !r.resetQueue(2) {
			t.Fatal("no reset")
		}
		for flow := range 16 {
			if pair := r.pairOf(flowFrame(flow).frame()); pair != 0 {
				t.Fatalf("flow %d is on pair %d", flow, pair)
			}
		}
		r.resetQueue(0)
		if pair := r.pairOf(flowFrame(0).frame()); pair != -1 || r.d.Stats().RxDropped != 1 {
			t.Errorf("without queues a frame is on pair %d, %d dropped", pair, r.d.Stats().RxDropped)
		}
		for i := range 2 {
			r.ports[i] = newPort(r.guest, 2*i, 2*i+1, r.addQueue(2*i, 16), r.qs[2*i+1], 16, 2048)
			r.ports[i].refill()
		}
		r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(0, 1, []int{0}, 1, nil)...)
		if pair := r.pairOf(flowFrame(0).frame()); pair != 1 {
			t.Errorf("with RSS a frame is on pair %d", pair)
		}
		r.resetQueue(2)
		if pair := r.pairOf(flowFrame(0).frame()); pair != -1 || r.d.Stats().RxDropped != 2 {
			t.Errorf("with RSS and the queue in reset a frame is on pair %d, %d dropped", pair, r.d.Stats().RxDropped)
		}
		r.clean()
	})
}

// RSS distributes what a generator has for each pair.
func TestRSSWithGenerator(t *testing.T) {
	gen := wire.NewGenerator(wire.GenConfig{Sizes: []int{64}, Limit: 100})
	r := &ctrlRig{guest: newGuest(t, vdev.Config{Pairs: 2, Backend: gen}, 4<<20)}
	r.start(split.Or(allCtrl))
	r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
	r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(0, 1, []int{0}, 1, nil)...)
	before := r.d.Stats()
	r.ports[0].received() // what came before
	n := 0
	for range 50 {
		r.d.Poll()
		n += len(r.ports[1].received())
		if got := len(r.ports[0].received()); got != 0 {
			t.Fatalf("%d frames on pair 0", got)
		}
	}
	if s := r.d.Stats(); n == 0 || n != int(s.RxFrames-before.RxFrames) || s.RxFrames+s.RxFiltered != 200 {
		t.Errorf("%d frames on pair 1, %+v", n, s)
	}
	r.clean()
}

// What a generator has for a queue in reset is dropped and counted.
func TestRSSWithGeneratorPastResetQueue(t *testing.T) {
	gen := wire.NewGenerator(wire.GenConfig{Sizes: []int{64}, Limit: 50})
	r := &ctrlRig{guest: newGuest(t, vdev.Config{Pairs: 2, Backend: gen}, 4<<20)}
	r.start(split.Or(allCtrl))
	r.do(virtio.CtrlMQ, virtio.CtrlMQRSSConfig, rssConfig(0, 1, []int{1}, 1, nil)...)
	delivered := r.d.Stats().RxFrames
	r.resetQueue(2)
	for r.d.Poll() > 0 {
	}
	// Pair 1 is asked for no frames while its queue is in reset.
	if s := r.d.Stats(); s.RxFrames != delivered || s.RxDropped != 50-delivered {
		t.Errorf("%d frames delivered before the reset, then %+v", delivered, s)
	}
	r.clean()
}
