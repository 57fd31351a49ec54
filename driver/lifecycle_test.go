package driver

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

func errorsOf(errs ...error) error { return errors.Join(errs...) }

func TestCloseIsIdempotentAndFinal(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	r.send(0, frametest.Series(0, 20, 60)...)
	for range 3 {
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := finished(t, r.port); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed port ended with %v", err)
	}
	bufs := make([]*mbuf.Buf, 4)
	if n := r.port.RxQueue(0).Burst(bufs); n != 0 {
		t.Error("a closed port receives")
	}
	if n := r.port.TxQueue(0).Burst(bufs); n != 0 {
		t.Error("a closed port transmits")
	}
	if err := r.port.RxQueue(0).SetCache(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("SetCache on a closed port: %v", err)
	}
	if s := r.port.Stats(); s.TxPackets != 20 || s.Queues[0].Rx.Posted != 0 {
		t.Errorf("statistics after Close: %+v", s)
	}
	if r.port.Link().Up {
		t.Error("a closed port has a link")
	}
}

// promise/1: buffers the device has when the port is closed are back afterwards.
func TestBuffersAreConservedByClose(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Pool = newPool(t, mbuf.Config{Count: 2048})
		r := newRig(t, functionWith(vdev.Config{MTU: 9000}), c)
		r.send(0, frametest.Series(0, 10, 60, 9014)...)
		bufs := make([]*mbuf.Buf, 60)
		n := c.Pool.Get(bufs)
		for _, b := range bufs {
			frametest.Fill(t, b, frametest.Seq(1, 5000)) // chains, and the device is not stepped any more
		}
		sent := r.port.TxQueue(0).Burst(bufs[:n])
		mbuf.Free(bufs[sent:])
		s := r.port.Stats().Queues[0]
		if s.Rx.Posted == 0 || s.Tx.Posted == 0 {
			t.Fatalf("nothing is posted: %+v", s)
		}
		if err := r.port.Close(); err != nil {
			t.Error(err)
		}
		if free := c.Pool.Free(); free != c.Pool.Size() {
			t.Errorf("%d buffers are missing", c.Pool.Size()-free)
		}
		if c.Pool.DoubleFrees() != 0 {
			t.Errorf("%d double frees", c.Pool.DoubleFrees())
		}
	}
}

// fault/55: the function is pulled out.
func TestUnplug(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{ResetTimeout: time.Hour}) // no reset is waited for
	r.send(0, frametest.Series(0, 20, 60)...)
	r.fn.Unplug()
	if err := finished(t, r.port); !errors.Is(err, transport.ErrRemoved) {
		t.Errorf("the port ended with %v", err)
	}
	if n := r.port.RxQueue(0).Burst(make([]*mbuf.Buf, 4)); n != 0 {
		t.Error("an unplugged port receives")
	}
}

// Hot-unplug begins with a request; nothing may wait for the device then.
func TestRemovalRequest(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	r.fn.RequestRemoval()
	var removed *Error
	if err := finished(t, r.port); !errors.Is(err, transport.ErrRemoved) || !errors.As(err, &removed) || removed.Err != nil {
		t.Errorf("the port ended with %v", err)
	}
}

// Without an interrupt for the removal, the periodic read of the status finds it.
func TestDeviceGoneIsFoundByPolling(t *testing.T) {
	r := newRig(t, pcifn.Config{Vectors: pcifn.NoMSIX}, Config{})
	r.fn.SetHooks(pcifn.Hooks{
		Read:       func(bar int, off uint64, width int, v uint32) uint32 { return 1<<(8*width) - 1 },
		ReadConfig: func(off, width int, v uint32) uint32 { return 1<<(8*width) - 1 },
	})
	if err := finished(t, r.port); !errors.Is(err, transport.ErrRemoved) {
		t.Errorf("the port ended with %v", err)
	}
	r.fn.SetHooks(pcifn.Hooks{})
}

// fault/25: a reset that never completes when the port is closed.
// Closing the function stops the device all the same, and all is released.
func TestCloseWithoutConfirmedReset(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{ResetTimeout: 50 * time.Millisecond})
	r.send(0, frametest.Series(0, 20, 60)...)
	r.dev.SetFaults(vdev.Faults{ResetReads: -1})
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	r.dev.ClearViolations() // that it is closed with its rings alive is the point
}

// unstoppable is a transport whose device nothing can stop.
type unstoppable struct{ *vpci.Device }

func (s unstoppable) Close() error {
	return errors.Join(s.Device.Close(), &transport.StopError{Device: s.Name(), Reason: "it does not stop"})
}

// promise/6: memory that the device may still write to is kept.
func TestMemoryIsKeptFromADeviceThatCannotBeStopped(t *testing.T) {
	fn := newFunction(t, pcifn.Config{})
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	port, err := Open(unstoppable{dev}, Config{Memory: smallPages, ResetTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	fn.Device().SetFaults(vdev.Faults{ResetReads: -1})
	var kept *MemoryKeptError
	var reset *transport.ResetError
	if err := port.Close(); !errors.As(err, &kept) || !errors.As(err, &reset) {
		t.Fatalf("Close returns %v", err)
	}
	if kept.Bytes != len(port.device.rings.Bytes())+len((*mbuf.DriverPool)(port.device.pool).Memory().Bytes()) || kept.Bytes == 0 {
		t.Errorf("%d bytes are kept", kept.Bytes)
	}
	port.device.rings.Bytes()[0]++ // still there
	fn.Device().ClearViolations()
}

// A port that failed to open leaves a shared pool complete and usable.
func TestFailedOpenGivesBuffersBack(t *testing.T) {
	pool := newPool(t, mbuf.Config{Count: 1024})
	for range 3 {
		fn := newFunction(t, functionWith(vdev.Config{Pairs: 2}))
		if _, err := openPort(fn, Config{Pool: pool, Queues: 2, ControlTimeout: 20 * time.Millisecond}); err == nil {
			t.Fatal("the port opened without an answer to its command")
		}
		if free := pool.Free(); free != pool.Size() {
			t.Fatalf("%d buffers are missing", pool.Size()-free)
		}
	}
	newRig(t, pcifn.Config{}, Config{Pool: pool})
}
