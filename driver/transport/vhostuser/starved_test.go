package vhostuser_test

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// With 64 queue pairs and a poller that has the only CPU of the process, the port is
// up again with the next back end: it does not wait for each of some 900 answers to be
// read, which takes the time until the poller is preempted twice.
func TestReconnectBesideAPollerOnOneCPU(t *testing.T) {
	const pairs, size = 64, 64
	b := newBackend(t)
	b.pairs = pairs
	b.listen()
	d, err := tryOpen(b.path, vhostuser.Options{Queues: pairs})
	if err != nil {
		t.Fatal(err)
	}
	memory := hugepages.Options{PageSize: os.Getpagesize()}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4 * pairs * size, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	p, err := driver.Open(d, driver.Config{Queues: pairs, RxQueueSize: size, TxQueueSize: size,
		Pool: pool, Memory: memory})
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var stop atomic.Bool
	var poller sync.WaitGroup
	poller.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		bufs := make([]*mbuf.Buf, 32)
		for !stop.Load() {
			for i := range pairs {
				p.RxQueue(i).Burst(bufs)
				p.TxQueue(i).Burst(nil)
			}
		}
	})
	began := time.Now()
	b.drop()
	for p.Stats().Resets == 0 && time.Since(began) < time.Minute {
		time.Sleep(time.Millisecond)
	}
	if s := p.Stats(); s.Resets != 1 {
		t.Errorf("%d resets, %d disconnects after %v", s.Resets, s.Disconnects, time.Since(began))
	}
	t.Logf("it took %v", time.Since(began))
	stop.Store(true)
	poller.Wait()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
}
