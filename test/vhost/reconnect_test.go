package vhost

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// resumption is how long it may take until packets move again both ways, from the
// moment when the next back end is there: from its socket, if it is the server, and
// from its connection, if we are. DPDK as the server looks only once a second for
// who connects to a new socket, which is part of it. Time in which processes of the
// machine had to wait for a CPU does not count.
const resumption = 2 * time.Second

// killing is a back end that ends without a word, over and over.
type killing struct {
	name   string
	server bool // we are, of the socket
	refuse virtio.Features
	kills  int
}

var killings = []killing{
	{"as_server,packed", false, virtio.Features{}, 20},
	{"as_server,split", false, virtio.FeatureSet(virtio.RingPacked), 3},
	{"as_client,packed", true, virtio.Features{}, 3},
	{"as_client,split", true, virtio.FeatureSet(virtio.RingPacked), 20},
}

// The back end is killed under traffic over and over, and comes back, as the
// server of the socket and as its client. Traffic resumes each time both ways, no
// buffer is lost, no descriptor stays open.
func TestBackEndIsKilled(t *testing.T) {
	for _, k := range killings {
		t.Run(k.name, k.run)
	}
}

func (k killing) run(t *testing.T) {
	socket := socketPath(t)
	back := k.start(t, socket)
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096, Memory: small})
	if err != nil {
		t.Fatal(err)
	}
	p := openPort(t, socket, vhostuser.Options{Queues: 1, Server: k.server},
		driver.Config{Pool: pool, Refuse: k.refuse, RxQueueSize: ring, TxQueueSize: ring})
	traffic := poll(t, p)
	await(t, "packets come and go", moves(p, driver.Stats{}))
	files := fdtest.Count(t)
	var before driver.Stats
	var slowest delays
	for i := range k.kills {
		back.kill()
		await(t, "the link is down", func() bool { return !p.Link().Up })
		conserved(t, traffic, p)
		before = p.Stats()
		began := time.Now()
		back = k.start(t, socket)
		slowest.atLeast(k.resume(t, back, socket, began, moves(p, before)))
		conserved(t, traffic, p)
		if now := fdtest.Count(t); now > files {
			t.Errorf("%d descriptors are open after %d kills, there were %d", now, i+1, files)
		}
	}
	k.judge(t, slowest)
	traffic.stop(t)
	now := p.Stats()
	if now.Disconnects != uint64(k.kills) || now.Resets != uint64(k.kills) || !p.Link().Up {
		t.Errorf("link %v, %+v", p.Link(), now)
	}
	closePort(t, p)
	allBack(t, pool)
	back.stop()
	sameCounts(t, back.total("TX"), back.total("RX"), now.RxPackets-before.RxPackets,
		now.TxPackets-before.TxPackets)
}

// allBack expects a pool all of whose buffers are free.
func allBack(t *testing.T, pool *mbuf.Pool) {
	t.Helper()
	if pool.Free() != pool.Size() || pool.DoubleFrees() != 0 {
		t.Errorf("%d of %d buffers are back, %d twice", pool.Free(), pool.Size(),
			pool.DoubleFrees())
	}
	if err := pool.Release(); err != nil {
		t.Error(err)
	}
}

// start starts a back end that sends packets of 64 bytes and takes what comes. Its
// flowgen counts in four bytes of checksum that it does not send.
func (k killing) start(t *testing.T, socket string) *testpmd {
	t.Helper()
	device := ",queues=1"
	if k.server {
		device += ",client=1"
	} else { // DPDK does not replace what was left by one that was killed
		_ = os.Remove(socket)
	}
	return startTestpmd(t, socket, device, "--forward-mode=flowgen", "--txpkts=68")
}

// delays are times until packets moved again both ways: from the start of the back
// end's process, from when it was there, and from its connection.
type delays struct {
	process, there, connection time.Duration
	counted                    time.Duration // of there, as resumption counts
}

func (d *delays) atLeast(o delays) {
	d.process, d.there = max(d.process, o.process), max(d.there, o.there)
	d.connection, d.counted = max(d.connection, o.connection), max(d.counted, o.counted)
}

var pressure = regexp.MustCompile(`some .*total=(\d+)`)

// waited is for how long since the machine started some process had to wait for a
// CPU, 0 always if the kernel does not keep count.
func waited() time.Duration {
	text, _ := os.ReadFile("/proc/pressure/cpu")
	found := pressure.FindSubmatch(text)
	if found == nil {
		return 0
	}
	n, _ := strconv.ParseInt(string(found[1]), 10, 64)
	return time.Duration(n) * time.Microsecond
}

// resume waits until packets move to and from a back end that was started.
func (k killing) resume(t *testing.T, back *testpmd, socket string, began time.Time,
	moves func() bool) delays {
	t.Helper()
	connects := func() bool {
		return strings.Contains(back.output.String(), "new device, handle is")
	}
	if k.server {
		await(t, "the back end is connected", connects)
	} else {
		await(t, "the back end has a socket", func() bool {
			_, err := os.Lstat(socket)
			return err == nil
		})
	}
	there, busy := time.Now(), waited()
	await(t, "the back end is connected", connects)
	connected := time.Now()
	await(t, "packets come and go again", moves)
	now := time.Now()
	return delays{now.Sub(began), now.Sub(there), now.Sub(connected),
		now.Sub(there) - (waited() - busy)}
}

// judge says how long it took at most, and whether that is too long.
func (k killing) judge(t *testing.T, d delays) {
	t.Helper()
	t.Logf("%d kills: packets moved both ways within %v of the connection, %v of the start of the process", k.kills, d.connection, d.process)
	if !k.server {
		t.Logf("... and %v of the socket", d.there)
	}
	if d.counted > resumption {
		t.Errorf("%v is more than %v", d.counted, resumption)
	}
}

// ring is the number of descriptors of each queue.
const ring = 256

// moves returns a function that reports whether packets were received since, and so
// many sent that the back end has taken some: more than two rings hold, the one that
// was there before and the one that is there now.
func moves(p *driver.Port, since driver.Stats) func() bool {
	return func() bool {
		now := p.Stats()
		return now.RxPackets > since.RxPackets && now.TxPackets > since.TxPackets+2*ring
	}
}

// conserved expects every buffer to be free or the device's while the poller has
// none. Between two states of a port they are the port's for a moment.
func conserved(t *testing.T, traffic *traffic, p *driver.Port) {
	t.Helper()
	traffic.mu.Lock()
	defer traffic.mu.Unlock()
	pool := p.Pool()
	await(t, "all buffers are accounted for", func() bool {
		q := p.Stats().Queues[0]
		return pool.Free()+q.Rx.Posted+q.Tx.Posted == pool.Size()
	})
	if n := pool.DoubleFrees(); n != 0 {
		t.Errorf("%d buffers were freed twice", n)
	}
}

// traffic receives and sends on a port, in a goroutine.
type traffic struct {
	mu      sync.Mutex // held while the poller has buffers
	stopped atomic.Bool
	done    chan error
}

// poll starts traffic. It ends with the test, if not before.
func poll(t *testing.T, p *driver.Port) *traffic {
	t.Helper()
	r := &traffic{done: make(chan error, 1)}
	go func() { r.done <- r.run(p) }()
	t.Cleanup(func() { r.stop(t) })
	return r
}

func (r *traffic) stop(t *testing.T) {
	t.Helper()
	r.stopped.Store(true)
	err := <-r.done
	r.done <- nil
	if err != nil {
		t.Error(err)
	}
}

func (r *traffic) run(p *driver.Port) error {
	bufs := make([]*mbuf.Buf, 32)
	frame := frametest.Seq(0, 64)
	for !r.stopped.Load() {
		n, err := r.bursts(p, bufs, frame)
		if err != nil {
			return err
		}
		if n == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
	return nil
}

// bursts receives what is there, sends a little, and returns how many packets were
// received.
func (r *traffic) bursts(p *driver.Port, bufs []*mbuf.Buf, frame []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := p.RxQueue(0).Burst(bufs)
	for _, b := range bufs[:n] {
		if b.Len() != len(frame) {
			mbuf.Free(bufs[:n])
			return 0, errors.New("a packet of another length")
		}
	}
	mbuf.Free(bufs[:n])
	got := p.Pool().Get(bufs[:4])
	for _, b := range bufs[:got] {
		copy(b.Append(len(frame)), frame)
	}
	sent := p.TxQueue(0).Burst(bufs[:got])
	mbuf.Free(bufs[sent:got])
	return n, nil
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}
