package vdev_test

import (
	"bytes"
	"encoding/binary"
	"slices"
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

// What the offloads did is counted on the queue that they were used on.
func TestOffloadStatistics(t *testing.T) {
	offloads := virtio.FeatureSet(virtio.NetCSUM, virtio.NetHostTSO4, virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetMrgRxbuf)
	byFormat(t, allCtrl.Without(virtio.NetHashReport).Or(offloads), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.result(virtio.CtrlStats, virtio.CtrlStatsQuery, 8)
		counters := func(q, kind int) (list []uint64) {
			ack, result := r.result(virtio.CtrlStats, virtio.CtrlStatsGet, 200, cat(le16(q), make([]byte, 6), le64(1<<kind))...)
			if ack != virtio.CtrlOK || int(result[0]) != kind {
				t.Fatalf("queue %d, type %d: answer %d, %v", q, kind, ack, r.d.Violations())
			}
			for at := 8; at < len(result); at += 8 {
				list = append(list, binary.LittleEndian.Uint64(result[at:]))
			}
			return list
		}
		check := func(name string, got []uint64, want ...uint64) {
			t.Helper()
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d, want %d", name, got, want)
			}
		}
		transmit := func(packet []byte) {
			addr, b := r.alloc(len(packet), 8)
			copy(b, packet)
			r.ports[0].tx.add(false, piece{addr, len(packet), false})
			r.ports[0].tx.publish()
			r.d.Poll()
		}
		transmit(one.offload(t, 0))
		transmit(packet(frameTo(otherMAC, -1)))
		large := tcp.offload(t, 1000)
		transmit(large)
		n, headers := uint64(len(large)-virtio.NetHeaderLen), uint64(54)
		check("transmitted checksums", counters(1, virtio.StatsTxCsum), 1, 2)
		check("transmitted large packets", counters(1, virtio.StatsTxGSO), 1, n, 3, n+2*headers, 0, 0)
		if s := r.d.Stats(); s.TxSegments != 3 || s.TxFrames != 3 {
			t.Errorf("%+v", s)
		}

		// From now on the other end takes them as they are.
		peer := r.peer.(vdev.OffloadBackend)
		peer.SetOffloads(virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4))
		transmit(large)
		check("packets passed on", counters(1, virtio.StatsTxGSO), 2, 2*n, 3, n+2*headers, 1, n)

		right, _ := one.build(t)
		wrong := bytes.Clone(right)
		wrong[len(wrong)-1]++
		unsummed, _ := flow{udp: true, payload: 100}.build(t)
		unsummed[40], unsummed[41] = 0, 0
		r.inject(right, wrong, unsummed, frameTo(everyone, -1))
		partial := large[virtio.NetHeaderLen:]
		o := vdev.Offload{Flags: virtio.NetHeaderNeedsCsum, GSOType: virtio.GSOTCPv4, HdrLen: 54, GSOSize: 1000, CsumStart: 34, CsumOffset: 16}
		peer.TransmitOffloads(0, [][]byte{partial}, []vdev.Offload{o})
		r.d.Poll()
		check("received checksums", counters(0, virtio.StatsRxCsum), 1, 1, 2, 1)
		check("received large packets", counters(0, virtio.StatsRxGSO), 1, n, 0, 0)
		r.clean()
	})
}
