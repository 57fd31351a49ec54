package driver

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// The benchmarks time the driver alone, in CPU time. The software device is stepped by hand
// between two timed stretches of batch packets, on the same core: what they show
// is instructions with warm caches, not what it costs that a device on another
// core takes the cache lines away.
const (
	batch     = 512
	benchSize = 1024
	frameSize = 60
)

// bench is a port between a generator and nothing, and one cache for all.
type bench struct {
	dev   *vdev.Device
	port  *Port
	rx    *RxQueue
	tx    *TxQueue
	cache *mbuf.Cache
	bufs  []*mbuf.Buf
}

func newBench(b testing.TB, refuse virtio.Features) *bench {
	b.Helper()
	fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{Backend: wire.Gen(frameSize), QueueSize: benchSize, Refuse: refuse, Burst: 64}})
	if err != nil {
		b.Fatal(err)
	}
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		b.Fatal(err)
	}
	port, err := Open(dev, Config{Memory: smallPages})
	if err != nil {
		b.Fatal(err)
	}
	fn.Device().Disarm() // as a device that polls; an emulated doorbell is not the driver's cost
	s := &bench{dev: fn.Device(), port: port, rx: port.RxQueue(0), tx: port.TxQueue(0), cache: port.Pool().NewCache(cacheSize), bufs: make([]*mbuf.Buf, batch)}
	if err := errorsOf(s.rx.SetCache(s.cache), s.tx.SetCache(s.cache)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if v := s.dev.Violations(); len(v) != 0 {
			b.Errorf("the driver broke a rule: %v", v)
		}
		if err := errorsOf(s.rx.SetCache(nil), s.tx.SetCache(nil)); err != nil {
			b.Error(err)
		}
		s.cache.Close()
		if err := port.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// step lets the device send what was transmitted and deliver a batch.
func (s *bench) step() {
	for range batch/64 + 1 {
		s.dev.Poll()
	}
}

// warm goes around the rings a few times: the device allocates on its first
// time around.
func (s *bench) warm(loop func(*bench, int) int, size int) {
	for range 4 * benchSize / batch {
		s.step()
		loop(s, size)
	}
}

// receive takes up to a batch in bursts of size and frees it.
func (s *bench) receive(size int) (packets int) {
	for packets < batch {
		n := s.rx.Burst(s.bufs[:size])
		if n == 0 {
			break
		}
		s.cache.Put(s.bufs[:n])
		packets += n
	}
	return packets
}

// transmit sends up to a batch of packets in bursts of size.
func (s *bench) transmit(size int) (packets int) {
	for packets < batch {
		n := s.cache.Get(s.bufs[:size])
		for _, b := range s.bufs[:n] {
			b.Append(frameSize)
		}
		sent := s.tx.Burst(s.bufs[:n])
		packets += sent
		if sent < n {
			s.cache.Put(s.bufs[sent:n])
			break
		}
	}
	return packets
}

// forward sends what it receives, up to a batch, in bursts of size.
func (s *bench) forward(size int) (packets int) {
	for packets < batch {
		n := s.rx.Burst(s.bufs[:size])
		if n == 0 {
			break
		}
		sent := s.tx.Burst(s.bufs[:n])
		packets += sent
		if sent < n {
			s.cache.Put(s.bufs[sent:n])
		}
	}
	return packets
}

// rings are the paths that are measured.
var rings = []struct {
	name   string
	refuse virtio.Features
}{
	{"packed", virtio.Features{}},
	{"split", virtio.FeatureSet(virtio.RingPacked)},
	{"packed-out-of-order", virtio.FeatureSet(virtio.InOrder)},
	{"split-out-of-order", virtio.FeatureSet(virtio.RingPacked, virtio.InOrder)},
}

// threadTime returns the CPU time that the calling thread has used: unlike the
// time of day it stands still while another process has the core.
func threadTime(b *testing.B) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}

// measure runs one of the three loops over all rings and burst sizes.
func measure(b *testing.B, loop func(s *bench, size int) int) {
	for _, ring := range rings {
		for _, size := range []int{1, 8, 32, 256} {
			b.Run(fmt.Sprintf("%s/burst=%d", ring.name, size), func(b *testing.B) {
				s := newBench(b, ring.refuse)
				s.warm(loop, size)
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				b.ReportAllocs()
				b.ResetTimer()
				var spent time.Duration
				packets := 0
				for packets < b.N {
					s.step()
					start := threadTime(b)
					n := loop(s, size)
					spent += threadTime(b) - start
					if n == 0 {
						b.Fatal("nothing moves")
					}
					packets += n
				}
				b.ReportMetric(float64(spent.Nanoseconds())/float64(packets), "ns/packet")
				b.ReportMetric(0, "ns/op") // has the device in it
			})
		}
	}
}

func BenchmarkRx(b *testing.B)      { measure(b, (*bench).receive) }
func BenchmarkTx(b *testing.B)      { measure(b, (*bench).transmit) }
func BenchmarkForward(b *testing.B) { measure(b, (*bench).forward) }

// A poll that finds nothing is what a queue does most of the time.
func BenchmarkEmptyPoll(b *testing.B) {
	for _, ring := range rings {
		b.Run(ring.name, func(b *testing.B) {
			s := newBench(b, ring.refuse)
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			b.ResetTimer()
			start := threadTime(b)
			for range b.N {
				s.rx.Burst(s.bufs[:32])
			}
			b.ReportMetric(float64(threadTime(b)-start)/float64(b.N), "ns/poll")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Nothing on the packet path allocates.
func TestBurstsDoNotAllocate(t *testing.T) {
	for _, ring := range rings {
		for name, loop := range map[string]func(*bench, int) int{
			"receive": (*bench).receive, "transmit": (*bench).transmit, "forward": (*bench).forward,
		} {
			s := newBench(t, ring.refuse)
			s.port.supervisor.stop() // it allocates when it reads the status each second
			s.warm(loop, 32)
			packets := 0
			allocs := testing.AllocsPerRun(50, func() {
				s.step()
				packets += loop(s, 32)
			})
			if allocs != 0 || packets < 50*batch/2 {
				t.Errorf("%s, %s: %v allocations a batch, %d packets", ring.name, name, allocs, packets)
			}
		}
	}
}

// A read of the counters beside the poller does not hold it up, and sees every
// counter grow.
func TestStatsBesideThePoller(t *testing.T) {
	for _, ring := range rings {
		s := newBench(t, ring.refuse)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 200 {
				s.step()
				s.forward(32)
			}
		}()
		var last Stats
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			now := s.port.Stats()
			if now.RxPackets < last.RxPackets || now.TxBytes < last.TxBytes || now.Polls < last.Polls {
				t.Fatalf("a counter went back: %+v, then %+v", last, now)
			}
			last = now
		}
		if last.RxPackets == 0 || last.TxPackets != last.RxPackets || last.TxBytes != last.TxPackets*frameSize || last.RxBytes != last.TxBytes {
			t.Errorf("in the end: %+v", last)
		}
	}
}
