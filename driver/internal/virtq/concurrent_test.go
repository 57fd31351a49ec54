package virtq

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// channelBell is a doorbell that another goroutine waits for.
type channelBell chan struct{}

func (b channelBell) Ring(uint32) {
	select {
	case b <- struct{}{}:
	default: // it is ringing already
	}
}

// TestConcurrent runs the device in a goroutine of its own that sleeps whenever
// there is nothing to do, after asking for a doorbell: split/publish/1,
// split/notify/1, packed/publish/1 and packed/notify/1. A doorbell that is lost
// stops everything; a store that is out of order shows as a wrong frame, and
// under the race detector as a race.
func TestConcurrent(t *testing.T) {
	kinds(t, func(t *testing.T, packed bool) {
		for _, features := range [][]virtio.Feature{nil, feats(virtio.RingEventIdx)} {
			for _, size := range []int{1, 4, 64} {
				s := setup{packed: packed, size: size, features: features}
				t.Run(fmt.Sprint("tx/", s), func(t *testing.T) { concurrentTx(t, s) })
				t.Run(fmt.Sprint("rx/", s), func(t *testing.T) { concurrentRx(t, s) })
			}
		}
	})
}

const concurrentFrames = 20000 / under

// popOrSleep waits for the next list as a device does: it polls, asks for a
// doorbell, polls again, and sleeps.
func popOrSleep(d ringDevice, bell channelBell, stop <-chan struct{}) (list, bool) {
	for {
		d.want(false)
		if l, ok := d.pop(); ok {
			return l, true
		}
		d.want(true)
		if l, ok := d.pop(); ok {
			return l, true
		}
		select {
		case <-bell:
		case <-stop:
			return list{}, false
		}
	}
}

func concurrentTx(t *testing.T, s setup) {
	r := newTxRig(t, s)
	ring := make(channelBell, 1)
	r.dev.want(true)
	r.tx.Start(ring, 3)
	stop, result := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := range concurrentFrames {
			l, ok := popOrSleep(r.dev, ring, stop)
			if !ok {
				result <- fmt.Errorf("stopped before frame %d", n)
				return
			}
			if got := r.device().read(l); !bytes.Equal(got[12:], frametest.Seq(n, 60+n%40)) {
				result <- fmt.Errorf("frame %d is wrong: %x", n, got)
				return
			}
			r.dev.push(l.id, 0, l.slots)
			r.dev.flush()
		}
		result <- r.dev.violation()
	}()
	bufs := make([]*mbuf.Buf, 1)
	deadline := time.Now().Add(time.Minute)
	for n := 0; n < concurrentFrames; {
		if r.cache.Get(bufs) == 0 {
			t.Fatal("no buffers")
		}
		copy(bufs[0].Append(60+n%40), frametest.Seq(n, 60+n%40))
		for r.tx.Burst(bufs) == 0 {
			if time.Now().After(deadline) {
				close(stop)
				t.Fatalf("stuck at frame %d: %v, %v", n, r.tx.Broken(), <-result)
			}
			runtime.Gosched()
		}
		n++
	}
	if err := wait(result, stop); err != nil {
		t.Fatal(err)
	}
	r.tx.Drain()
	r.conserved(0)
}

// wait returns the result of the device, or stops it.
func wait(result <-chan error, stop chan struct{}) error {
	select {
	case err := <-result:
		return err
	case <-time.After(time.Minute):
		close(stop)
		return <-result
	}
}

func concurrentRx(t *testing.T, s setup) {
	r, cfg := newRig(t, s)
	r.rx = newRx(t, cfg, r.cache)
	r.connect(r.rx)
	ring := make(channelBell, 1)
	r.dev.want(true)
	r.rx.Refill()
	r.rx.Start(ring, 3)
	stop, result := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := range concurrentFrames {
			l, ok := popOrSleep(r.dev, ring, stop)
			if !ok {
				result <- fmt.Errorf("stopped before frame %d", n)
				return
			}
			r.deliver(l, frametest.Seq(n, 60+n%40))
			r.dev.flush()
		}
		result <- r.dev.violation()
	}()
	bufs := make([]*mbuf.Buf, 8)
	deadline := time.Now().Add(time.Minute)
	for n := 0; n < concurrentFrames; {
		got := r.rx.Burst(bufs)
		for _, b := range bufs[:got] {
			if !bytes.Equal(b.Data(), frametest.Seq(n, 60+n%40)) {
				t.Fatalf("frame %d is wrong: %x", n, b.Data())
			}
			n++
		}
		r.cache.Put(bufs[:got])
		if got == 0 {
			runtime.Gosched()
			if time.Now().After(deadline) {
				close(stop)
				t.Fatalf("stuck at frame %d: %v, %v", n, r.rx.Broken(), <-result)
			}
		}
	}
	if err := wait(result, stop); err != nil {
		t.Fatal(err)
	}
	r.rx.Drain()
	r.conserved(0)
}
