package vhost

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

const (
	// kills is how often the back end ends without a word.
	kills = 20
	// resumption is how long it may take from the moment when the next back end
	// takes up the connection to the first packet, and restart from its start.
	// DPDK needs half a second to come up and up to one more to accept.
	resumption = 2 * time.Second
	restart    = 4 * time.Second
)

// The back end is killed under traffic over and over, and comes back, as the
// server of the socket and as its client. Traffic resumes each time, no buffer
// is lost, no descriptor stays open.
func TestBackEndIsKilled(t *testing.T) {
	for _, c := range []struct {
		name   string
		server bool // we are
		device string
	}{{"as_server", false, ",queues=1"}, {"as_client", true, ",queues=1,client=1"}} {
		t.Run(c.name, func(t *testing.T) { killOverAndOver(t, c.server, c.device) })
	}
}

func killOverAndOver(t *testing.T, server bool, device string) {
	socket := socketPath(t)
	start := func() *testpmd {
		if !server { // DPDK does not replace what was left by one that was killed
			_ = os.Remove(socket)
		}
		return startTestpmd(t, socket, device, "--forward-mode=txonly", "--txpkts=64")
	}
	back := start()
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096, Memory: small})
	if err != nil {
		t.Fatal(err)
	}
	p := openPort(t, socket, vhostuser.Options{Queues: 1, Server: server}, driver.Config{Pool: pool})
	stop := poll(t, p)
	files := 0
	var slowest, longest time.Duration
	for i := range kills {
		await(t, "packets come", func() bool { return moved(p, p.Stats()) })
		if i == 0 {
			files = openFiles(t)
		}
		back.kill()
		await(t, "the link is down", func() bool { return !p.Link().Up })
		before := p.Stats()
		began := time.Now()
		back = start()
		await(t, "the back end takes up the connection", func() bool {
			return strings.Contains(back.output.String(), "new device, handle is")
		})
		connected := time.Now()
		await(t, "packets come again", func() bool { return p.Stats().RxPackets > before.RxPackets })
		slowest, longest = max(slowest, time.Since(connected)), max(longest, time.Since(began))
	}
	t.Logf("traffic resumed within %v of the connection, %v of the start of the back end", slowest, longest)
	if slowest > resumption || longest > restart {
		t.Error("that is too long")
	}
	if now := openFiles(t); now > files+2 { // the test's own pipes to the process come and go
		t.Errorf("%d descriptors are open, there were %d", now, files)
	}
	stop()
	if s := p.Stats(); s.Disconnects != kills || s.Resets != kills || !p.Link().Up {
		t.Errorf("link %v, %+v", p.Link(), s)
	}
	closePort(t, p)
	if pool.Free() != pool.Size() || pool.DoubleFrees() != 0 {
		t.Errorf("%d of %d buffers are back, %d twice", pool.Free(), pool.Size(), pool.DoubleFrees())
	}
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
}

// moved tells whether packets were received since.
func moved(p *driver.Port, since driver.Stats) bool {
	for range 100 {
		if p.Stats().RxPackets > since.RxPackets {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// poll receives and sends on a port, in a goroutine, until stop is called.
func poll(t *testing.T, p *driver.Port) (stop func()) {
	t.Helper()
	var stopped atomic.Bool
	done := make(chan error, 1)
	go func() { done <- pollUntil(p, &stopped) }()
	return func() {
		t.Helper()
		stopped.Store(true)
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func pollUntil(p *driver.Port, stopped *atomic.Bool) error {
	frame := numbered(0, 64)
	bufs := make([]*mbuf.Buf, 32)
	for !stopped.Load() {
		n := p.RxQueue(0).Burst(bufs)
		for _, b := range bufs[:n] {
			if b.Len() != 64 {
				mbuf.Free(bufs[:n])
				return errors.New("a packet of another length")
			}
		}
		mbuf.Free(bufs[:n])
		got := p.Pool().Get(bufs[:4])
		for _, b := range bufs[:got] {
			copy(b.Append(len(frame)), frame)
		}
		sent := p.TxQueue(0).Burst(bufs[:got])
		mbuf.Free(bufs[sent:got])
		if n == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return nil
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
