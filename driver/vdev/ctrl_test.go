package vdev_test

import (
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// command sends a control command and returns the acknowledgement.
func (g *guest) command(ctrl vq, class, cmd byte, data ...byte) byte {
	g.t.Helper()
	addr, b := g.alloc(2+len(data), 8)
	copy(b, append([]byte{class, cmd}, data...))
	ackAddr, ack := g.alloc(1, 8)
	ack[0] = 0xee
	// Header and data apart, as real drivers have them.
	pieces := []piece{{addr, 2, false}, {addr + 2, len(data), false}, {ackAddr, 1, true}}
	if len(data) == 0 {
		pieces = []piece{pieces[0], pieces[2]}
	}
	ctrl.add(false, pieces...)
	ctrl.publish()
	g.d.Poll()
	if _, n, ok := ctrl.take(); !ok || n != 1 {
		g.t.Fatalf("the command came back: %v, with %d bytes; %v", ok, n, g.d.Violations())
	}
	return ack[0]
}

func multiQueue(t *testing.T, f virtio.Features, backend vdev.Backend, pairs int) (g *guest, ctrl vq) {
	g = newGuest(t, vdev.Config{Pairs: pairs, Backend: backend, Hold: true}, 8<<20)
	g.negotiate(f.With(virtio.NetMQ).With(virtio.NetCtrlVQ))
	for i := range 2 * pairs {
		g.addQueue(i, 16)
	}
	ctrl = g.addQueue(2*pairs, 16)
	g.driverOK()
	return g, ctrl
}

func TestPairsSet(t *testing.T) {
	for name, f := range map[string]virtio.Features{"split": split, "packed": packed} {
		t.Run(name, func(t *testing.T) {
			g, ctrl := multiQueue(t, f, wire.Null(), 4)
			for _, n := range []byte{4, 2, 1, 3} {
				if ack := g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, n, 0); ack != virtio.CtrlOK || g.d.ActivePairs() != int(n) {
					t.Errorf("%d pairs: answer %d, %d pairs in use", n, ack, g.d.ActivePairs())
				}
			}
			g.clean()
			for _, n := range []byte{0, 5} {
				if ack := g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, n, 0); ack != virtio.CtrlErr || g.d.ActivePairs() != 3 {
					t.Errorf("%d pairs: answer %d, %d pairs in use", n, ack, g.d.ActivePairs())
				}
			}
			g.wantRules("net/mq/2")
		})
	}
}

func TestOtherCommandsAreAnsweredWithError(t *testing.T) {
	g, ctrl := multiQueue(t, split, wire.Null(), 2)
	for _, c := range [][2]byte{
		{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}, {0, 5}, {1, 0}, {1, 1}, {2, 0}, {2, 1}, {3, 0}, {virtio.CtrlMQ, 1}, {virtio.CtrlMQ, 2},
		{5, 0}, {6, 0}, {6, 1}, {6, 2}, {6, 3}, {7, 0}, {8, 0}, {8, 1}, {9, 0},
	} {
		if ack := g.command(ctrl, c[0], c[1], 1); ack != virtio.CtrlErr {
			t.Errorf("class %d: answer %d", c[0], ack)
		}
	}
	g.wantRules("net/ctrl-rx/1", "net/ctrl-rx/2", "net/ctrl-mac/1", "net/rss/1", "net/coal/2", "net/coal/3", "net/hash-tunnel/1",
		"net/rss-ctx/1", "x/net/ctrl-feature")
	g.d.ClearViolations()
	if ack := g.command(ctrl, 200, 0); ack != virtio.CtrlErr {
		t.Errorf("unknown class: answer %d", ack)
	}
	g.clean()
}

func TestCommandWithoutAnswer(t *testing.T) {
	g, ctrl := multiQueue(t, split, wire.Null(), 2)
	addr, _ := g.alloc(4, 8)
	ctrl.add(false, piece{addr, 4, false})
	ctrl.publish()
	g.d.Poll()
	g.wantRules("x/net/ctrl-frame")
	if !g.d.Status().Has(virtio.StatusNeedsReset) {
		t.Error("the device goes on")
	}
}

// The control queue is queue 2 when MQ was not accepted, however many pairs
// there are.
func TestControlQueueWithoutMQ(t *testing.T) {
	g := newGuest(t, vdev.Config{Pairs: 4}, 1<<20)
	g.negotiate(split.With(virtio.NetCtrlVQ))
	g.addQueue(0, 16)
	g.addQueue(1, 16)
	ctrl := g.addQueue(2, 16)
	g.driverOK()
	if ack := g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, 1, 0); ack != virtio.CtrlErr {
		t.Errorf("answer %d", ack)
	}
	g.wantRules("x/net/ctrl-feature")
}

func TestPairsNotEnabled(t *testing.T) {
	g := newGuest(t, vdev.Config{Pairs: 2}, 1<<20)
	g.negotiate(split.With(virtio.NetCtrlVQ).With(virtio.NetMQ))
	g.addQueue(0, 16)
	g.addQueue(1, 16)
	ctrl := g.addQueue(4, 16)
	g.driverOK()
	if ack := g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, 2, 0); ack != virtio.CtrlErr {
		t.Errorf("answer %d", ack)
	}
	g.wantRules("net/mq/1")
}

// Packets on pairs that are switched off are recorded and do not go out.
func TestTransmitOnInactivePair(t *testing.T) {
	g, ctrl := multiQueue(t, packed, wire.Null(), 2)
	send := func() {
		g.qs[3].add(false, good(g))
		g.qs[3].publish()
	}
	send()
	g.d.Poll()
	g.wantRules("net/mq/3")
	g.d.ClearViolations()
	if g.d.Stats().TxFrames != 0 {
		t.Error("a packet went out")
	}
	// Switching the pair on lets it out; what comes after switching off again,
	// in the same turn, does not get in the way of what came before.
	g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, 2, 0)
	g.d.Poll()
	send()
	g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, 1, 0)
	if n := g.d.Stats().TxFrames; n != 2 {
		t.Errorf("%d packets went out", n)
	}
	g.clean()
	send()
	g.d.Poll()
	g.wantRules("net/mq/4")
}

// A generator fills all pairs in use, each with numbers of its own.
func TestGeneratorOnAllPairs(t *testing.T) {
	g, ctrl := multiQueue(t, split, wire.NewGenerator(wire.GenConfig{Sizes: []int{60, 64, 1514, 777}, Limit: 300}), 3)
	ports := make([]*port, 3)
	for i := range ports {
		ports[i] = newPort(g, 2*i, 2*i+1, g.qs[2*i], g.qs[2*i+1], 16, 2048)
		ports[i].refill()
	}
	g.d.Poll()
	if ports[1].recv() != nil {
		t.Fatal("a frame on a pair that is not in use")
	}
	g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, 3, 0)
	var next [3]uint64
	for range 200 {
		g.d.Poll()
		for i, p := range ports {
			for f := p.recv(); f != nil; f = p.recv() {
				pair, number, ok := wire.SeqFrame(f)
				if !ok || pair != i || number != next[i] {
					t.Fatalf("pair %d: frame %v of pair %d, %d expected; whole: %v", i, number, pair, next[i], ok)
				}
				next[i]++
			}
			p.refill()
		}
	}
	if next != [3]uint64{300, 300, 300} {
		t.Errorf("received %v", next)
	}
	g.clean()
}

// Frames of a flow go to one pair, and so do the answers.
func TestSteering(t *testing.T) {
	a, b := wire.Cable()
	g, ctrl := multiQueue(t, split, a, 4)
	g.command(ctrl, virtio.CtrlMQ, virtio.CtrlMQPairsSet, 4, 0)
	ports := make([]*port, 4)
	for i := range ports {
		ports[i] = newPort(g, 2*i, 2*i+1, g.qs[2*i], g.qs[2*i+1], 16, 2048)
		ports[i].refill()
	}
	used := make(map[int]bool)
	for flow := range 64 {
		there, back := udp(byte(flow), 1000, 2000), udp(byte(flow), 2000, 1000)
		copy(back[26:30], there[30:34])
		copy(back[30:34], there[26:30])
		b.Transmit(0, [][]byte{there, there, back})
		g.d.Poll()
		for i, p := range ports {
			n := 0
			for f := p.recv(); f != nil; f = p.recv() {
				n++
			}
			if n != 0 && n != 3 {
				t.Errorf("flow %d: %d frames on pair %d", flow, n, i)
			}
			used[i] = used[i] || n > 0
			p.refill()
		}
	}
	if len(used) != 4 || !used[0] || !used[1] || !used[2] || !used[3] {
		t.Errorf("64 flows used the pairs %v", used)
	}
	if g.d.Stats().RxFrames != 192 {
		t.Errorf("%d frames delivered", g.d.Stats().RxFrames)
	}
	g.clean()
}

// udp is a packet of a flow.
func udp(host byte, src, dst uint16) []byte {
	f := make([]byte, 60)
	f[12], f[14], f[23] = 8, 0x45, 17
	copy(f[26:], []byte{10, 0, 0, host, 10, 1, 0, 1})
	f[34], f[35], f[36], f[37] = byte(src>>8), byte(src), byte(dst>>8), byte(dst)
	return f
}
