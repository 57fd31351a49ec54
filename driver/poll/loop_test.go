package poll

import (
	"context"
	"errors"
	"math/rand"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newPool(t *testing.T, count int) *mbuf.Pool {
	t.Helper()
	pool, err := mbuf.NewPool(mbuf.Config{Count: count, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Release(); err != nil || pool.DoubleFrees() != 0 {
			t.Errorf("not all buffers came back once: %v, %d double frees", err, pool.DoubleFrees())
		}
	})
	return pool
}

// open opens an emulated port. device has its device process the queues once.
func open(t *testing.T, text string, pool *mbuf.Pool) (port *driver.Port, device func() int) {
	t.Helper()
	port, err := devargs.Open(t.Context(), text, devargs.Options{Pool: pool, EmuPoll: &device})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	})
	return port, device
}

// drop frees all packets.
func drop(packets []*mbuf.Buf) []*mbuf.Buf {
	mbuf.Free(packets)
	return nil
}

// TestPoll lets a handler keep some packets, send some later and make others, and
// compares the counters with its own; at times the transmit queue is full.
func TestPoll(t *testing.T) {
	pool := newPool(t, 4096)
	gen, genDevice := open(t, "emu:gen", pool)
	null, nullDevice := open(t, "emu:null,tx_queue_size=64", pool)
	rng := rand.New(rand.NewSource(1))
	var kept []*mbuf.Buf
	var want Stats
	var out []*mbuf.Buf
	handle := func(packets []*mbuf.Buf) []*mbuf.Buf {
		if len(packets) == 0 || len(packets) > 20 {
			t.Errorf("Handle is called with %d packets", len(packets))
		}
		want.Received += uint64(len(packets))
		out = out[:0]
		for _, b := range packets {
			switch rng.Intn(4) {
			case 0:
				b.Free()
				want.Kept++
			case 1:
				kept = append(kept, b)
				want.Kept++
			case 2:
				if len(kept) > 0 {
					out = append(out, kept[0])
					kept = kept[1:]
					want.Kept--
				}
				fallthrough
			default:
				out = append(out, b)
			}
		}
		return out
	}
	l := Loop{Burst: 20, Streams: []Stream{{Rx: gen.RxQueue(0), Tx: null.TxQueue(0), Handle: handle}}}
	for want.Received < 20000 {
		genDevice()
		if rng.Intn(5) == 0 { // seldom enough for a queue that is full
			nullDevice()
		}
		before := want.Received
		busy := l.Poll()
		if busy != (want.Received > before) {
			t.Fatalf("Poll reports %v after %d packets", busy, want.Received-before)
		}
		got := l.Stats()
		returned := want.Received - uint64(want.Kept)
		if got.Received != want.Received || got.Kept != want.Kept || got.Sent+got.Dropped != returned {
			t.Fatalf("the counters are %+v, the handler's %+v", got, want)
		}
	}
	if got := l.Stats(); got.Dropped == 0 || got.Sent == 0 || got != l.Streams[0].Stats() {
		t.Errorf("%+v", got)
	}
	if sent := null.Stats().TxPackets; sent != l.Stats().Sent {
		t.Errorf("the port sent %d packets, the loop %d", sent, l.Stats().Sent)
	}
	mbuf.Free(kept)
}

// TestStreams serves two directions, a queue without a handler, and one without a
// transmit queue, in one loop.
func TestStreams(t *testing.T) {
	pool := newPool(t, 4096)
	a, deviceA := open(t, "emu:loop,queues=2", pool)
	gen, genDevice := open(t, "emu:gen", pool)
	null, nullDevice := open(t, "emu:null", pool)
	made := 0
	l := Loop{Streams: []Stream{
		{Tx: a.TxQueue(0), Handle: func(packets []*mbuf.Buf) []*mbuf.Buf { // a generator
			if b := pool.GetOne(); b != nil && made < 500 {
				b.AppendBytes(make([]byte, 60))
				made++
				return append(packets, b)
			} else if b != nil {
				b.Free()
			}
			return nil
		}},
		{Rx: a.RxQueue(0), Handle: drop},
		{Rx: a.RxQueue(1), Handle: drop},
		{Rx: gen.RxQueue(0), Tx: null.TxQueue(0)},
		{Rx: null.RxQueue(0)},
	}}
	received := func(i int) uint64 { return l.Streams[i].Stats().Received }
	for received(1)+received(2) < 500 || l.Streams[3].Stats().Sent < 500 {
		deviceA()
		genDevice()
		nullDevice()
		l.Poll()
	}
	if s := l.Streams[0].Stats(); s.Received != 0 || s.Sent != 500 || s.Kept != -500 {
		t.Errorf("the generator: %+v", s)
	}
	if s := l.Streams[3].Stats(); s.Received != s.Sent+s.Dropped || s.Kept != 0 {
		t.Errorf("without a handler: %+v", s)
	}
	if s := l.Stats(); s.Received != s.Sent+s.Dropped+uint64(s.Kept) {
		t.Errorf("all: %+v", s)
	}
}

// TestNothingIsSent: without a transmit queue what the handler returns is dropped.
func TestNothingIsSent(t *testing.T) {
	gen, device := open(t, "emu:gen", newPool(t, 2048))
	l := Loop{Streams: []Stream{{Rx: gen.RxQueue(0)}}}
	for l.Stats().Received < 5000 { // more than the pool has
		device()
		l.Poll()
	}
	if s := l.Stats(); s.Dropped != s.Received || s.Sent != 0 || s.Kept != 0 {
		t.Errorf("%+v", s)
	}
}

func TestPollAllocatesNothing(t *testing.T) {
	pool := newPool(t, 2048)
	port, device := open(t, "emu:gen", pool)
	n := 0
	handle := func(packets []*mbuf.Buf) []*mbuf.Buf {
		n++
		packets[0].Free()
		return packets[1:]
	}
	l := Loop{Streams: []Stream{{Rx: port.RxQueue(0), Tx: port.TxQueue(0), Handle: handle}}}
	allocs := testing.AllocsPerRun(500, func() {
		device()
		l.Poll()
	})
	if allocs != 0 || n < 100 {
		t.Errorf("%v allocations a round, %d bursts", allocs, n)
	}
}

// TestRunEndsWithContext, with each way to pause, busy and idle, and again.
func TestRunEndsWithContext(t *testing.T) {
	for _, idle := range []time.Duration{-1, 0, time.Microsecond} {
		for _, text := range []string{"emu:gen", "emu:null"} {
			port, device := open(t, text, newPool(t, 2048))
			ctx, cancel := context.WithCancel(t.Context())
			rounds := 0
			l := Loop{Ports: []*driver.Port{port}, Idle: idle, Streams: []Stream{
				{Rx: port.RxQueue(0), Tx: port.TxQueue(0)},
				{Handle: func([]*mbuf.Buf) []*mbuf.Buf {
					device()
					if rounds++; rounds%200 == 0 {
						cancel()
					}
					return nil
				}},
			}}
			for range 2 {
				if err := l.Run(ctx); err != nil {
					t.Errorf("idle %v, %s: %v", idle, text, err)
				}
			}
			if rounds != 200 {
				t.Errorf("idle %v, %s: %d rounds, not 200", idle, text, rounds)
			}
			if got := l.Stats().Received; (got > 0) != (text == "emu:gen") {
				t.Errorf("idle %v, %s: %d packets", idle, text, got)
			}
		}
	}
}

// TestRunEndsWithSignal sends signals to this process.
func TestRunEndsWithSignal(t *testing.T) {
	port, _ := open(t, "emu:null", newPool(t, 2048))
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		sent := false
		l := Loop{Ports: []*driver.Port{port}, Streams: []Stream{{Handle: func([]*mbuf.Buf) []*mbuf.Buf {
			if !sent {
				sent = true
				if err := syscall.Kill(os.Getpid(), sig); err != nil {
					t.Error(err)
				}
			}
			return nil
		}}}}
		if err := l.Run(t.Context()); err != nil {
			t.Errorf("%v: %v", sig, err)
		}
	}
}

// TestNoSignals: the application receives them, and the loop goes on.
func TestNoSignals(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	ctx, cancel := context.WithCancel(t.Context())
	rounds, received := 0, false
	l := Loop{NoSignals: true, Streams: []Stream{{Handle: func([]*mbuf.Buf) []*mbuf.Buf {
		if rounds == 0 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-signals:
			received, rounds = true, 0
		default:
		}
		if rounds++; received && rounds == 1000 {
			cancel()
		}
		return nil
	}}}}
	if err := l.Run(ctx); err != nil || rounds != 1000 {
		t.Errorf("%v after %d rounds", err, rounds)
	}
}

// TestRunEndsWithPort: closed by the application, and unplugged.
func TestRunEndsWithPort(t *testing.T) {
	pool := newPool(t, 4096)
	fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{Backend: wire.Gen(60)}})
	if err != nil {
		t.Fatal(err)
	}
	fn.Device().Start()
	device, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := driver.Config{Pool: pool, Memory: hugepages.Options{SmallPages: true}}
	unplugged, err := driver.Open(device, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unplugged.Close() }) // says that the device is gone
	closed, _ := open(t, "emu:null", pool)
	for _, c := range []struct {
		port *driver.Port
		end  func()
		want error
	}{
		{unplugged, fn.Unplug, transport.ErrRemoved},
		{closed, func() { _ = closed.Close() }, os.ErrClosed},
	} {
		other, _ := open(t, "emu:null", pool)
		rounds := 0
		l := Loop{Ports: []*driver.Port{other, c.port}, Streams: []Stream{
			{Rx: c.port.RxQueue(0), Tx: other.TxQueue(0)},
			{Handle: func([]*mbuf.Buf) []*mbuf.Buf {
				if rounds++; rounds == 50 {
					c.end()
				}
				return nil
			}},
		}}
		if err := l.Run(t.Context()); !errors.Is(err, c.want) || !errors.Is(err, c.port.Err()) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

// TestUnderLcore polls on a goroutine of package lcore while this one reads the
// counters, which only grow.
func TestUnderLcore(t *testing.T) {
	port, device := open(t, "emu:loop", newPool(t, 2048))
	pool := port.Pool()
	l := Loop{Streams: []Stream{
		{Tx: port.TxQueue(0), Handle: func(packets []*mbuf.Buf) []*mbuf.Buf {
			device()
			if b := pool.GetOne(); b != nil {
				b.AppendBytes(make([]byte, 60))
				packets = append(packets, b)
			}
			return packets
		}},
		{Rx: port.RxQueue(0), Handle: drop},
	}}
	core, err := lcore.Start(lcore.AnyCPU, l.Poll)
	if err != nil {
		t.Fatal(err)
	}
	for last := (Stats{}); last.Received < 3000; {
		s := l.Stats()
		if s.Received < last.Received || s.Sent < last.Sent || s.Dropped < last.Dropped {
			t.Fatalf("%+v after %+v", s, last)
		}
		last = s
	}
	if err := core.Stop(); err != nil {
		t.Error(err)
	}
	if s := l.Stats(); s.Received != s.Sent+s.Dropped+uint64(s.Kept) {
		t.Errorf("%+v", s)
	}
}
