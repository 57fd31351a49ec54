package driver

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// smallPages are what tests run on: they are there on every machine.
var smallPages = hugepages.Options{PageSize: os.Getpagesize()}

// patience is how long a test waits for what has to happen before it fails. It only bounds a
// hang: a machine that is busy elsewhere may stop a goroutine for seconds.
const patience = time.Minute

// rig is a port and the emulated function that it drives.
type rig struct {
	t    *testing.T
	fn   *pcifn.Function
	dev  *vdev.Device
	wire *testWire
	port *Port
}

// newFunction makes a function. Whatever the test does with it, the device must
// not have found anything wrong with the driver in the end.
func newFunction(t *testing.T, c pcifn.Config) *pcifn.Function {
	t.Helper()
	c.Log = true
	fn, err := pcifn.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, v := range fn.Device().Violations() {
			t.Errorf("the driver broke a rule: %v", v)
		}
		if err := fn.Close(); err != nil {
			t.Error(err)
		}
	})
	return fn
}

// openPort opens a port on a function.
func openPort(fn pci.Function, c Config) (*Port, error) {
	if c.Memory == (hugepages.Options{}) {
		c.Memory = smallPages
	}
	if c.ControlTimeout == 0 { // the default is too short for a device that gets no CPU
		c.ControlTimeout = patience
	}
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		return nil, err
	}
	return Open(dev, c)
}

// newRig opens a port on a new function with a wire as its back end, unless the
// configuration has another. In the end the port has to close without an
// error, which includes that no buffer is missing from its pool.
func newRig(t *testing.T, fc pcifn.Config, c Config) *rig {
	t.Helper()
	return newRigBehind(t, fc, c, func(fn *pcifn.Function) pci.Function { return fn })
}

// newRigBehind is newRig for a port that uses what wrap makes of the function.
func newRigBehind(
	t *testing.T, fc pcifn.Config, c Config, wrap func(*pcifn.Function) pci.Function,
) *rig {
	t.Helper()
	r := &rig{t: t, wire: newWire()}
	if fc.Device.Backend == nil {
		fc.Device.Backend = r.wire
	}
	fc.Device.Hold = true
	r.fn = newFunction(t, fc)
	r.dev = r.fn.Device()
	if c.Queues > 1 || c.MAC != nil || !c.Require.Empty() { // Open waits for the answer to a command
		r.dev.Start()
	}
	var err error
	if r.port, err = openPort(wrap(r.fn), c); err != nil {
		t.Fatal(err)
	}
	r.dev.Stop()
	t.Cleanup(func() {
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
		if pool := r.port.Pool(); !r.port.device.ownPool && pool.Free() != pool.Size() {
			t.Errorf("%d of %d buffers are missing", pool.Size()-pool.Free(), pool.Size())
		}
	})
	return r
}

// settle steps the device until it has nothing more to do.
func (r *rig) settle() {
	for idle := 0; idle < 2; {
		if r.dev.Poll() == 0 {
			idle++
		} else {
			idle = 0
		}
	}
}

// send transmits frames on a queue pair, and steps the device whenever the
// ring is full.
func (r *rig) send(pair int, frames ...[]byte) {
	r.t.Helper()
	for len(frames) > 0 {
		bufs := make([]*mbuf.Buf, min(len(frames), 32))
		n := r.port.Pool().Get(bufs)
		for i, b := range bufs[:n] {
			frametest.Fill(r.t, b, frames[i])
		}
		sent := r.port.TxQueue(pair).Burst(bufs[:n])
		mbuf.Free(bufs[sent:n])
		frames = frames[sent:]
		if moved := r.dev.Poll(); moved == 0 && sent == 0 {
			r.t.Fatalf("nothing moves, %d frames are left", len(frames))
		}
	}
}

// receive collects what arrives on a queue pair while the device is stepped.
func (r *rig) receive(pair int) [][]byte {
	var frames [][]byte
	bufs := make([]*mbuf.Buf, 32)
	for idle := 0; idle < 3; {
		moved := r.dev.Poll()
		n := r.port.RxQueue(pair).Burst(bufs)
		for _, b := range bufs[:n] {
			frames = append(frames, frametest.Content(b))
		}
		mbuf.Free(bufs[:n])
		if moved == 0 && n == 0 {
			idle++
		} else {
			idle = 0
		}
	}
	return frames
}

// testWire is a back end that remembers what was transmitted and delivers what it
// is given, each for its queue pair.
type testWire struct {
	mu      sync.Mutex
	wake    func()
	sent    map[int][][]byte
	pending map[int][][]byte
}

func newWire() *testWire {
	return &testWire{sent: make(map[int][][]byte), pending: make(map[int][][]byte)}
}

func (w *testWire) Attach(wake func()) error { w.wake = wake; return nil }
func (w *testWire) Traits() vdev.Traits      { return vdev.Traits{PerPair: true, Lossless: true} }
func (w *testWire) Close() error             { return nil }

func (w *testWire) Transmit(pair int, frames [][]byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range frames {
		w.sent[pair] = append(w.sent[pair], slices.Clone(f))
	}
	return len(frames)
}

func (w *testWire) Receive(pair int, frames [][]byte) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := copy(frames, w.pending[pair])
	w.pending[pair] = slices.Delete(w.pending[pair], 0, n)
	return n
}

// deliver queues frames for a queue pair.
func (w *testWire) deliver(pair int, frames ...[]byte) {
	w.mu.Lock()
	w.pending[pair] = append(w.pending[pair], frames...)
	w.mu.Unlock()
	w.wake()
}

// transmitted returns and forgets what was sent on a queue pair.
func (w *testWire) transmitted(pair int) [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	frames := w.sent[pair]
	w.sent[pair] = nil
	return frames
}

// refuse is a Config that refuses features.
func refuse(fs ...virtio.Feature) Config { return Config{Refuse: virtio.FeatureSet(fs...)} }

// statusWrites returns what was written to the device status, in order.
func statusWrites(fn *pcifn.Function) []virtio.Status {
	var list []virtio.Status
	for _, a := range fn.Log() {
		if a.Write && a.Register == "device_status" {
			list = append(list, virtio.Status(a.Value))
		}
	}
	return list
}

// await waits until ok, which another goroutine makes true soon.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// finished waits until the port has come to its end, and returns why.
func finished(t *testing.T, p *Port) error {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatal("the port does not end")
	}
	return p.Err()
}

var _ transport.Transport = (*vpci.Device)(nil)
