package vdev_test

import (
	"bytes"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The statistics are those of the packets that passed and of those that did not.
func TestDeviceStatistics(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		stats := func(q int, types uint64) []byte {
			ack, result := r.result(virtio.CtrlStats, virtio.CtrlStatsGet, 200, cat(le16(q), make([]byte, 6), le64(types))...)
			if ack != virtio.CtrlOK {
				t.Fatalf("queue %d: answer %d, %v", q, ack, r.d.Violations())
			}
			return result
		}
		stat := func(kind byte, q int, counters ...uint64) []byte {
			b := cat([]byte{kind, 0}, le16(q), le16(0), le16(8+8*len(counters)))
			for _, c := range counters {
				b = append(b, le64(c)...)
			}
			return b
		}
		stats(0, 1)
		r.wantRules("net/stats/1")
		r.d.ClearViolations()
		r.result(virtio.CtrlStats, virtio.CtrlStatsQuery, 8)
		for i, wrong := range [][]byte{
			cat(le16(0), make([]byte, 6), le64(0)), cat(le16(0), make([]byte, 6), le64(1<<16)), cat(le16(1), make([]byte, 6), le64(1)),
			cat(le16(0), make([]byte, 6), le64(3)), cat(le16(2), make([]byte, 6), le64(1)), cat(le16(3), make([]byte, 6), le64(1)),
			cat(le16(0), make([]byte, 6), le64(1), le16(0), make([]byte, 6), le64(1<<32)),
		} {
			if ack, result := r.result(virtio.CtrlStats, virtio.CtrlStatsGet, 200, wrong...); ack != virtio.CtrlErr || len(result) != 0 {
				t.Errorf("request %d: answer %d and %d bytes", i, ack, len(result))
			}
			r.wantRules("net/stats/2")
			r.d.ClearViolations()
		}
		r.resetQueue(0)
		r.ports[0] = newPort(r.guest, 0, 1, r.addQueue(0, 16), r.qs[1], 4, 2048)
		r.ports[0].refill()
		frame := frameTo(ownMAC, -1)
		r.inject(frame, frame, frame, frame, frame, frame)
		r.ports[0].send(frame)
		r.ports[0].tx.add(false, piece{r.base, 22, false})
		r.ports[0].tx.publish()
		r.d.Poll()
		r.wantRules("x/net/tx-length")
		q := r.d.QueueStats(0)
		if got, want := stats(0, 1), stat(0, 0, q.Doorbells, 4, 4*64, q.Interrupts, 2, 2); !bytes.Equal(got, want) {
			t.Errorf("receiveq: % x\nwant      % x", got, want)
		}
		q = r.d.QueueStats(1)
		if got, want := stats(1, 1<<16), stat(16, 1, q.Doorbells, 1, 64, q.Interrupts, 1, 1); !bytes.Equal(got, want) {
			t.Errorf("transmitq: % x\nwant       % x", got, want)
		}
		all := cat(le16(2), make([]byte, 6), le64(1<<32), le16(1), make([]byte, 6), le64(1<<16))
		_, got := r.result(virtio.CtrlStats, virtio.CtrlStatsGet, 200, all...)
		if want := cat(stat(32, 2, 12, 5), stat(16, 1, q.Doorbells, 1, 64, q.Interrupts, 1, 1)); !bytes.Equal(got, want) {
			t.Errorf("two queues: % x\nwant        % x", got, want)
		}
	})
}
