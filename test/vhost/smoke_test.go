package vhost

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// All that testpmd's txonly sends is received, on every path, each on a
// connection of its own to the same back end.
func TestReceive(t *testing.T) {
	socket := socketPath(t)
	startTestpmd(t, socket, ",queues=1", "--forward-mode=txonly", "--txpkts=64")
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			p := openPort(t, socket, vhostuser.Options{Queues: 1},
				driver.Config{Refuse: path.refuse})
			const enough = 20000
			seen := 0
			receive(p, 0, time.Minute, func(b *mbuf.Buf) bool {
				data := b.Data()
				if len(data) != 64 || b.Next() != nil ||
					binary.BigEndian.Uint16(data[12:]) != 0x0800 ||
					data[frametest.HeaderLen+9] != 17 {
					t.Errorf("no UDP datagram of 64 bytes: %x", data)
					return false
				}
				seen++
				return seen < enough
			})
			if s := p.Stats(); seen < enough || s.RxErrors != 0 {
				t.Errorf("%d packets over %v; %+v", seen, p.Path(), s)
			}
			t.Logf("%v", p.Path())
		})
	}
}

// All that is sent is received by testpmd's rxonly.
func TestTransmit(t *testing.T) {
	socket := socketPath(t)
	back := startTestpmd(t, socket, ",queues=1", "--forward-mode=rxonly")
	const n = 20000
	all := uint64(0)
	for _, path := range paths {
		t.Run(path.name, func(t *testing.T) {
			p := openPort(t, socket, vhostuser.Options{Queues: 1},
				driver.Config{Refuse: path.refuse})
			if sent := send(t, p, 0, frametest.Series(0, n, 64), time.Minute); sent != n {
				t.Errorf("%d of %d packets sent; %+v", sent, n, p.Stats())
			}
			all += n
			back.until("it has taken all packets", func() bool { return back.received() >= all })
		})
	}
	if rx, _ := back.stop(); rx != all {
		t.Errorf("testpmd counted %d packets of %d", rx, all)
	}
}

// With two queue pairs both carry traffic, both ways: the back end takes all that
// is sent by each, which is more than its ring holds.
func TestTwoPairs(t *testing.T) {
	const n = 4 * driver.DefaultQueueSize
	socket := socketPath(t)
	back := startTestpmd(t, socket, ",queues=2", "--forward-mode=flowgen", "--rxq=2", "--txq=2")
	all := uint64(0) // by each pair
	for _, path := range []int{1, 4} {
		path := paths[path]
		p := openPort(t, socket, vhostuser.Options{Queues: 2},
			driver.Config{Refuse: path.refuse, Queues: 2})
		if p.Queues() != 2 {
			t.Fatalf("%d queue pairs", p.Queues())
		}
		for pair := range 2 {
			seen := 0
			receive(p, pair, time.Minute, func(*mbuf.Buf) bool { seen++; return seen < 1000 })
			if seen < 1000 {
				t.Errorf("pair %d received %d packets", pair, seen)
			}
			if sent := send(t, p, pair, frametest.Series(0, n, 64), time.Minute); sent != n {
				t.Errorf("pair %d sent %d packets", pair, sent)
			}
		}
		all += n
		back.until("it has taken all packets", func() bool { return back.received() >= 2*all })
		closePort(t, p)
	}
	back.stop()
	pairs := back.pairs()
	if len(pairs) != 2 || pairs[0].rx != all || pairs[1].rx != all {
		t.Errorf("testpmd counted %v, expected %d packets from each pair", pairs, all)
	}
	t.Logf("%d packets sent by each pair, testpmd received and sent %v", all, pairs)
}
