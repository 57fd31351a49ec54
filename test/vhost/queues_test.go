package vhost

import (
	"errors"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// loops sends frames on a pair whose back end returns them, and expects all of them.
func loops(t *testing.T, p *driver.Port, pair, n int) {
	t.Helper()
	frames := frametest.Series(0, n, 64, 1000, 1514)
	got := 0
	for sent := 0; sent < n; { // no more than fit the smallest ring
		sent += send(t, p, pair, frames[sent:min(sent+16, n)], time.Minute)
		receive(p, pair, time.Minute, func(b *mbuf.Buf) bool {
			if number := frametest.Number(b.Data()); number != got {
				t.Errorf("pair %d: frame %d came back, want %d", pair, number, got)
			}
			got++
			return got < sent
		})
		if got != sent {
			t.Fatalf("pair %d: %d of %d frames came back: %+v", pair, got, sent, p.Stats().Queues[pair])
		}
	}
}

// pairLoops is a wire for each pair that leads back to it.
type pairLoops [2]*wire.End

func newPairLoops() pairLoops { return pairLoops{wire.Loop(), wire.Loop()} }

func (l pairLoops) Attach(wake func()) error {
	return errors.Join(l[0].Attach(wake), l[1].Attach(wake))
}
func (pairLoops) Traits() vdev.Traits { return vdev.Traits{PerPair: true, Lossless: true} }
func (l pairLoops) Close() error      { return errors.Join(l[0].Close(), l[1].Close()) }

func (l pairLoops) Transmit(pair int, frames [][]byte) int { return l[pair].Transmit(0, frames) }
func (l pairLoops) Receive(pair int, frames [][]byte) int  { return l[pair].Receive(0, frames) }

// Over vhost-user, where a ring is stopped and started by messages of its own, single
// queues are stopped, started and resized, and pairs are changed, with any feature. What
// takes a control queue is refused.
func TestQueuesAtRunTime(t *testing.T) {
	for _, path := range []int{1, 5} {
		path := paths[path]
		t.Run(path.name, func(t *testing.T) {
			socket := socketPath(t)
			serveDevice(t, socket, vhostback.Config{Device: vdev.Config{Pairs: 2, Hold: true, Backend: newPairLoops()}})
			p := openPort(t, socket, vhostuser.Options{},
				driver.Config{Refuse: path.refuse, Queues: 2, RxQueueSize: 256, TxQueueSize: 256})
			for _, size := range []int{1024, 256, 64} {
				for pair := range 2 {
					for _, resize := range []error{
						p.ResizeRxQueue(t.Context(), pair, size), p.ResizeTxQueue(t.Context(), pair, size),
					} {
						if resize != nil {
							t.Fatal(resize)
						}
					}
					loops(t, p, 1-pair, 200)
					loops(t, p, pair, 200)
				}
				if posted := p.Stats().Queues[1].Rx.Posted; posted > size || posted < size/2 {
					t.Errorf("%d buffers are posted in a ring of %d", posted, size)
				}
			}
			for _, stop := range []error{p.StopRxQueue(t.Context(), 1), p.StopTxQueue(t.Context(), 1)} {
				if stop != nil {
					t.Fatal(stop)
				}
			}
			loops(t, p, 0, 200)
			if s := p.Stats().Queues[1]; s.Rx.Posted != 0 || s.Tx.Posted != 0 {
				t.Errorf("a stopped pair has %d and %d buffers", s.Rx.Posted, s.Tx.Posted)
			}
			for _, start := range []error{p.StartRxQueue(t.Context(), 1), p.StartTxQueue(t.Context(), 1)} {
				if start != nil {
					t.Fatal(start)
				}
			}
			for _, pairs := range []int{1, 2} {
				if err := p.SetQueuePairs(t.Context(), pairs); err != nil {
					t.Fatal(err)
				}
				for pair := range pairs {
					loops(t, p, pair, 200)
				}
			}
			// A ring of an inactive pair stays disabled when it is resized.
			for _, step := range []error{p.SetQueuePairs(t.Context(), 1), p.ResizeRxQueue(t.Context(), 1, 128),
				p.SetQueuePairs(t.Context(), 2)} {
				if step != nil {
					t.Fatal(step)
				}
			}
			loops(t, p, 1, 200)
			for _, err := range []error{p.SetRSS(t.Context(), driver.RSS{}), p.SetHash(t.Context(), driver.HashConfig{})} {
				var refused *driver.Error
				if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &refused) || refused.Remedy == "" {
					t.Errorf("error is %v", err)
				}
			}
			if s := p.Stats(); s.Resets+s.Disconnects != 0 {
				t.Errorf("%d recoveries, %d disconnects", s.Resets, s.Disconnects)
			}
		})
	}
}

// The second pair of DPDK's back end is resized and switched off and on while the first
// goes on.
func TestQueuesAtRunTimeWithVhost(t *testing.T) {
	socket := socketPath(t)
	startTestpmd(t, socket, ",queues=2", "--forward-mode=io", "--rxq=2", "--txq=2", "--mbcache=0")
	p := openPort(t, socket, vhostuser.Options{Queues: 2},
		driver.Config{Queues: 2, RxQueueSize: 256, TxQueueSize: 256, Refuse: virtio.FeatureSet(virtio.InOrder)})
	loops(t, p, 0, 200)
	loops(t, p, 1, 200)
	for _, size := range []int{1024, 256} {
		for _, resize := range []error{p.ResizeRxQueue(t.Context(), 1, size), p.ResizeTxQueue(t.Context(), 1, size)} {
			if resize != nil {
				t.Fatal(resize)
			}
		}
		loops(t, p, 0, 200)
		loops(t, p, 1, 200)
	}
	for _, pairs := range []int{1, 2} {
		if err := p.SetQueuePairs(t.Context(), pairs); err != nil {
			t.Fatal(err)
		}
		for pair := range pairs {
			loops(t, p, pair, 200)
		}
	}
}
