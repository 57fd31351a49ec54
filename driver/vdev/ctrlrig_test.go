package vdev_test

import (
	"encoding/binary"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// allCtrl is what a driver accepts that uses everything on the control queue.
var allCtrl = virtio.FeatureSet(virtio.NetCtrlVQ, virtio.NetCtrlRx, virtio.NetCtrlRxExtra, virtio.NetCtrlVLAN,
	virtio.NetCtrlMACAddr, virtio.NetAnnounce, virtio.NetMQ, virtio.NetRSS, virtio.NetHashReport, virtio.NetNotfCoal,
	virtio.NetVQNotfCoal, virtio.NetHashTunnel, virtio.NetDeviceStats, virtio.NetCtrlOffloads, virtio.NetStatus, virtio.NetMAC, virtio.RingReset)

// ctrlRig is a driver with a control queue, whose device has a cable to peer.
type ctrlRig struct {
	*guest
	ctrl  vq
	ports []*port
	peer  vdev.Backend
}

// newCtrlRig brings up a device with pairs of queues of which all are set up.
func newCtrlRig(t testing.TB, cfg vdev.Config, f virtio.Features) *ctrlRig {
	t.Helper()
	if cfg.Pairs == 0 {
		cfg.Pairs = 1
	}
	near, peer := wire.Cable()
	cfg.Backend, cfg.Filter = near, true
	r := &ctrlRig{guest: newGuest(t, cfg, 4<<20), peer: peer}
	r.start(f)
	return r
}

// start is the way from a reset to DRIVER_OK.
func (r *ctrlRig) start(f virtio.Features) {
	r.t.Helper()
	r.negotiate(f)
	r.ports = nil
	pairs := r.ctrlIndex() / 2
	for i := range pairs {
		rx, tx := r.addQueue(2*i, 16), r.addQueue(2*i+1, 16)
		r.ports = append(r.ports, newPort(r.guest, 2*i, 2*i+1, rx, tx, 16, 2048))
		r.ports[i].refill()
	}
	if r.f.Has(virtio.NetCtrlVQ) {
		r.ctrl = r.addQueue(r.ctrlIndex(), 16)
	}
	r.driverOK()
}

// ctrlIndex is the number of the control queue.
func (r *ctrlRig) ctrlIndex() int { return virtio.CtrlQueueIndex(r.f, (r.d.Queues()-1)/2) }

// post makes a command available that has room for a result, and returns what the device
// writes to: the acknowledgement and the result.
func (r *ctrlRig) post(class, cmd byte, room int, data ...byte) []byte {
	r.t.Helper()
	addr, b := r.alloc(2+len(data), 8)
	copy(b, append([]byte{class, cmd}, data...))
	answerAddr, answer := r.alloc(1+room, 8)
	answer[0] = 0xee
	pieces := []piece{{addr, 2 + len(data), false}, {answerAddr, 1, true}}
	if room > 0 {
		pieces = append(pieces, piece{answerAddr + 1, room, true})
	}
	if _, ok := r.ctrl.add(false, pieces...); !ok {
		r.t.Fatal("no room for a command")
	}
	r.ctrl.publish()
	return answer
}

// result sends a command and returns its acknowledgement, and the result as long as the
// device says that it is.
func (r *ctrlRig) result(class, cmd byte, room int, data ...byte) (ack byte, result []byte) {
	r.t.Helper()
	answer := r.post(class, cmd, room, data...)
	r.d.Poll()
	_, n, ok := r.ctrl.take()
	if !ok || n < 1 || int(n) > len(answer) {
		r.t.Fatalf("command %d of class %d came back: %v, with %d bytes; %v", cmd, class, ok, n, r.d.Violations())
	}
	return answer[0], answer[1:n]
}

// do sends a command that has to succeed.
func (r *ctrlRig) do(class, cmd byte, data ...byte) {
	r.t.Helper()
	if ack := r.command(r.ctrl, class, cmd, data...); ack != virtio.CtrlOK {
		r.t.Fatalf("command %d of class %d: answer %d; %v", cmd, class, ack, r.d.Violations())
	}
}

// inject lets the device receive frames.
func (r *ctrlRig) inject(frames ...[]byte) {
	r.t.Helper()
	if n := r.peer.Transmit(0, frames); n != len(frames) {
		r.t.Fatalf("the cable took %d of %d frames", n, len(frames))
	}
	for r.d.Poll() > 0 {
	}
}

// received returns the packets that arrived on a pair, with their headers.
func (p *port) received() (packets [][]byte) {
	p.g.t.Helper()
	for id, n, ok := p.rx.take(); ok; id, n, ok = p.rx.take() {
		b := p.rxBufs[id]
		delete(p.rxBufs, id)
		p.rxFree = append(p.rxFree, b)
		if buffers := numBuffers(b.b); buffers != 1 {
			p.g.t.Fatalf("a packet in %d buffers", buffers)
		}
		packets = append(packets, append([]byte(nil), b.b[:n]...))
	}
	p.refill()
	return packets
}

func le16(v int) []byte    { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
func le64(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// cat joins pieces of a command.
func cat(pieces ...[]byte) (all []byte) {
	for _, p := range pieces {
		all = append(all, p...)
	}
	return all
}

// byFormat runs a test on both ring formats.
func byFormat(t *testing.T, f virtio.Features, test func(t *testing.T, f virtio.Features)) {
	t.Run("split", func(t *testing.T) { test(t, f.With(virtio.Version1)) })
	t.Run("packed", func(t *testing.T) { test(t, f.With(virtio.Version1).With(virtio.RingPacked)) })
}

// resetQueue resets a virtqueue and waits for it.
func (r *ctrlRig) resetQueue(i int) bool { return r.d.ResetQueue(i) && !r.d.QueueInReset(i) }
