package vdev_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// port is a driver that sends and receives frames through a pair of queues.
type port struct {
	g        *guest
	rx, tx   vq
	bufSize  int
	indirect bool
	pieces   int // descriptors of a transmitted packet
	rxBufs   map[uint16]buffer
	txBufs   map[uint16]buffer
	rxFree   []buffer
	txFree   []buffer
}

type buffer struct {
	addr uint64
	b    []byte
}

func newPort(g *guest, rxq, txq int, rx, tx vq, buffers, size int) *port {
	p := &port{g: g, rx: rx, tx: tx, bufSize: size, pieces: 1,
		rxBufs: make(map[uint16]buffer), txBufs: make(map[uint16]buffer)}
	for range buffers {
		addr, b := g.alloc(size, 8)
		p.rxFree = append(p.rxFree, buffer{addr, b})
		addr, b = g.alloc(2048, 8)
		p.txFree = append(p.txFree, buffer{addr, b})
	}
	return p
}

// refill posts all free receive buffers.
func (p *port) refill() {
	for len(p.rxFree) > 0 {
		b := p.rxFree[len(p.rxFree)-1]
		id, ok := p.rx.add(false, piece{b.addr, len(b.b), true})
		if !ok {
			break
		}
		p.rxFree = p.rxFree[:len(p.rxFree)-1]
		p.rxBufs[id] = b
	}
	p.rx.publish()
	p.g.ring(0, p.rx)
}

// send transmits one frame, if there is room.
func (p *port) send(frame []byte) bool {
	p.reclaim()
	if len(p.txFree) == 0 {
		return false
	}
	b := p.txFree[len(p.txFree)-1]
	n := copy(b.b, append(make([]byte, virtio.HeaderLen(p.g.f)), frame...))
	var pieces []piece
	for i := range p.pieces {
		from, to := n*i/p.pieces, n*(i+1)/p.pieces
		pieces = append(pieces, piece{b.addr + uint64(from), to - from, false})
	}
	id, ok := p.tx.add(p.indirect, pieces...)
	if !ok {
		return false
	}
	p.txFree = p.txFree[:len(p.txFree)-1]
	p.txBufs[id] = b
	p.tx.publish()
	p.g.ring(1, p.tx)
	return true
}

func (p *port) reclaim() {
	for {
		id, n, ok := p.tx.take()
		if !ok {
			return
		}
		if n != 0 {
			p.g.t.Errorf("transmitted buffer %d came back with length %d", id, n)
		}
		p.txFree = append(p.txFree, p.txBufs[id])
		delete(p.txBufs, id)
	}
}

// recv returns the next frame, nil if there is none.
func (p *port) recv() []byte {
	if b := p.recvPacket(); b != nil {
		return b[virtio.NetHeaderLen:]
	}
	return nil
}

// recvPacket returns the header and frame of the next packet, nil if there is none.
func (p *port) recvPacket() []byte {
	var frame []byte
	for left := 1; left > 0; left-- {
		id, n, ok := p.rx.take()
		if !ok {
			if frame != nil {
				p.g.t.Fatal("a packet arrived in parts")
			}
			return nil
		}
		b := p.rxBufs[id]
		delete(p.rxBufs, id)
		p.rxFree = append(p.rxFree, b)
		data := b.b[:n]
		if frame == nil {
			left, frame = numBuffers(data), []byte{}
		}
		if left > 1 && int(n) != len(b.b) {
			p.g.t.Errorf("a buffer that is not the last has %d of %d bytes", n, len(b.b))
		}
		frame = append(frame, data...)
	}
	return frame
}

// allFeatures is what the tests vary, on top of what every driver accepts.
var allFeatures = virtio.FeatureSet(virtio.Version1, virtio.NetMAC, virtio.NetStatus, virtio.NetMTU, virtio.AccessPlatform)

type variant struct {
	name string
	f    virtio.Features
	cfg  vdev.Config
}

func variants() []variant {
	var list []variant
	for i := range 1 << 5 {
		f := allFeatures
		for bit, feature := range []virtio.Feature{virtio.RingPacked, virtio.NetMrgRxbuf, virtio.RingEventIdx,
			virtio.RingIndirectDesc, virtio.NotificationData} {
			if i>>bit&1 != 0 {
				f = f.With(feature)
			}
		}
		list = append(list,
			variant{f: f, name: f.Minus(allFeatures).String()},
			variant{f: f, name: f.Minus(allFeatures).String() + " out of order", cfg: vdev.Config{OutOfOrder: true}},
			variant{f: f.With(virtio.InOrder), name: f.Minus(allFeatures).String() + " IN_ORDER", cfg: vdev.Config{BatchUsed: i&1 == 0}},
			variant{f: f.With(virtio.InOrder), name: f.Minus(allFeatures).String() + " IN_ORDER batch", cfg: vdev.Config{BatchUsed: true}})
	}
	return list
}

// Frames sent through a device that loops them back arrive undamaged and in order,
// with all features, in a ring that wraps many times.
func TestLoopStepped(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { runLoop(t, v, false, 16, 400) })
	}
}

// The same against the device's own goroutine, with notifications.
func TestLoopStarted(t *testing.T) {
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) { runLoop(t, v, true, 16, 200) })
	}
}

func runLoop(t *testing.T, v variant, started bool, size, frames int) {
	cfg := v.cfg
	cfg.Backend, cfg.Hold, cfg.IdleTurns, cfg.Translated = wire.Loop(), true, 3, true
	g := newGuest(t, cfg, 4<<20)
	rx, tx := g.up(v.f, size)
	bufSize := 2048
	if v.f.Has(virtio.NetMrgRxbuf) {
		bufSize = 500
	}
	p := newPort(g, 0, 1, rx, tx, size, bufSize)
	step := func() {
		if started {
			runtime.Gosched()
			return
		}
		g.d.Poll()
	}
	if started {
		g.d.Start()
		defer g.d.Stop()
	}
	p.refill()
	var want [][]byte
	deadline := time.Now().Add(time.Minute)
	for sent, got := 0, 0; got < frames; {
		if sent < frames {
			p.indirect = v.f.Has(virtio.RingIndirectDesc) && sent%3 == 0
			p.pieces = 1 + sent%4
			f := frametest.Varied(sent)
			if p.send(f) {
				want, sent = append(want, f), sent+1
			}
		}
		step()
		for f := p.recv(); f != nil; f = p.recv() {
			if !bytes.Equal(f, want[got]) {
				t.Fatalf("frame %d of %d bytes arrived as %d other bytes", got, len(want[got]), len(f))
			}
			got++
		}
		p.refill()
		if time.Now().After(deadline) {
			t.Fatalf("stuck after %d frames, %d sent; device %+v, %v", got, sent, g.d.Stats(), g.d.Violations())
		}
	}
	g.clean()
}
