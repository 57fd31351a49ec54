package ctrlq

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/virtq"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const pairs = 4

// rig is the control queue of an emulated device whose queue pairs are all set
// up, and whose rings the test can scribble on.
type rig struct {
	t     *testing.T
	dev   *vdev.Device
	mem   []byte
	queue *Queue
}

// formats are the feature sets that the tests run with.
var formats = map[string]virtio.Features{
	"split":             virtio.FeatureSet(virtio.RingPacked, virtio.InOrder, virtio.RingIndirectDesc),
	"split, in order":   virtio.FeatureSet(virtio.RingPacked),
	"packed":            virtio.FeatureSet(virtio.InOrder, virtio.RingEventIdx),
	"packed, in order":  {},
	"packed, no events": virtio.FeatureSet(virtio.RingEventIdx, virtio.NotificationData),
}

// each runs f with every format.
func each(t *testing.T, f func(t *testing.T, r *rig)) {
	for name, without := range formats {
		t.Run(name, func(t *testing.T) { f(t, newRig(t, without)) })
	}
}

func newRig(t *testing.T, without virtio.Features) *rig {
	t.Helper()
	fn, err := pcifn.New(pcifn.Config{Device: vdev.Config{Pairs: pairs, Refuse: without}})
	if err != nil {
		t.Fatal(err)
	}
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const each = 1 << 17
	mem, err := hugepages.Allocate(hugepages.Options{Bytes: (2*pairs + 1) * each, PageSize: os.Getpagesize()})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dev: fn.Device(), mem: mem.Bytes()[2*pairs*each:]}
	t.Cleanup(func() {
		for _, v := range r.dev.Violations() {
			t.Errorf("the driver broke a rule: %v", v)
		}
		if err := errors.Join(dev.Reset(r.deadline(time.Second)), dev.UnmapDMA(mem), dev.Close(), mem.Release()); err != nil {
			t.Error(err)
		}
	})
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	features, err := dev.DeviceFeatures()
	check(err)
	_, err = dev.MapDMA(mem)
	check(err)
	check(dev.Reset(r.deadline(time.Second)))
	check(dev.SetStatus(1))
	check(dev.SetStatus(3))
	features = features.Minus(virtio.FeatureSet(virtio.RingReset))
	check(dev.SetDriverFeatures(features))
	check(dev.SetStatus(11))
	// The pairs only have to be there: nothing moves on them.
	place := func(q int, desc, driver, device uint64) transport.Notifier {
		t.Helper()
		bell, err := dev.SetQueue(q, transport.Queue{Size: 16, Desc: desc, Driver: driver, Device: device,
			NotificationData: features.Has(virtio.NotificationData), NotifConfigData: features.Has(virtio.NotifConfigData)})
		check(err)
		return bell
	}
	cfg := virtq.Config{Size: 16, Features: features}
	for q := range 2 * pairs {
		cfg.Index, cfg.Memory, cfg.Address = q, mem.Bytes()[q*each:(q+1)*each], mem.Address()+uint64(q*each)
		idle, err := virtq.NewControl(cfg)
		check(err)
		desc, driver, device := idle.Areas()
		place(q, desc, driver, device)
	}
	cfg.Index, cfg.Memory, cfg.Address = 2*pairs, r.mem, mem.Address()+2*pairs*each
	r.queue, err = New(cfg)
	check(err)
	desc, driver, device := r.queue.Areas()
	bell := place(2*pairs, desc, driver, device)
	check(dev.SetStatus(15))
	r.queue.Start(bell.Doorbell, bell.ID)
	return r
}

// deadline returns a context that ends after d.
func (r *rig) deadline(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	r.t.Cleanup(cancel)
	return ctx
}

// do sends a command without an answer behind its ack.
func (r *rig) do(ctx context.Context, class, command uint8, data []byte) error {
	_, err := r.queue.Do(ctx, class, command, data, nil)
	return err
}

// setQueuePairs sends VQ_PAIRS_SET.
func (r *rig) setQueuePairs(ctx context.Context, n int) error {
	return r.do(ctx, virtio.CtrlMQ, virtio.CtrlMQPairsSet, binary.LittleEndian.AppendUint16(nil, uint16(n)))
}

// x/net/ctrl-frame: commands that the device understands, more of them than the
// ring has descriptors.
func TestSetQueuePairs(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.dev.Start()
		defer r.dev.Stop()
		for i := range 50 {
			n := 1 + i%pairs
			if err := r.setQueuePairs(r.deadline(time.Minute), n); err != nil {
				t.Fatal(err)
			}
			if got := r.dev.ActivePairs(); got != n {
				t.Fatalf("%d pairs are active, want %d", got, n)
			}
		}
	})
}

// The device says no, and the next command works all the same.
func TestRefusedCommand(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.dev.Start()
		defer r.dev.Stop()
		for range 20 {
			err := r.do(r.deadline(time.Minute), 200, 7, []byte{1, 2, 3})
			var refused *Error
			if !errors.Is(err, ErrRefused) || !errors.As(err, &refused) || refused.Class != 200 || refused.Command != 7 || refused.Value != virtio.CtrlErr {
				t.Fatalf("error is %v", err)
			}
			if err := r.do(r.deadline(time.Minute), 201, 0, nil); !errors.Is(err, ErrRefused) {
				t.Fatalf("a command without data: %v", err)
			}
		}
		if err := r.setQueuePairs(r.deadline(time.Minute), 2); err != nil {
			t.Error(err)
		}
	})
}

// fault/45: the device never answers. The call ends in time, the memory of the command
// stays as it is until the device answers after all, and other commands take other slots.
func TestCommandWithoutAnswer(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		for i := 0; i < Slots; {
			before := slices.Clone(r.mem)
			err := r.do(r.deadline(5*time.Millisecond), 200, uint8(i), []byte{1, 2, 3})
			if !slices.Equal(r.mem, before) { // it was sent before the time was over
				i++
			}
			var timeout *Error
			if !errors.As(err, &timeout) || timeout.Class != 200 || timeout.Queue != 2*pairs || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error is %v", err)
			}
			if r.queue.Broken() != nil {
				t.Fatalf("the queue is broken: %v", r.queue.Broken())
			}
		}
		before := slices.Clone(r.mem)
		if err := r.setQueuePairs(r.deadline(time.Minute), 2); !errors.Is(err, ErrNoSlot) {
			t.Errorf("a command more than there is room for: %v", err)
		}
		if !slices.Equal(r.mem, before) {
			t.Error("the memory of a command that the device has was written to")
		}
		r.dev.Start() // it answers late, into memory that is still there
		defer r.dev.Stop()
		for i := 0; ; i++ {
			err := r.setQueuePairs(r.deadline(time.Minute), 2)
			if err == nil {
				break
			}
			if !errors.Is(err, ErrNoSlot) || i == 10_000 {
				t.Fatalf("after the late answers: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// A command that the device does not answer does not get in the way of those behind it.
func TestCommandBehindOneWithoutAnswer(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		canceled, cancel := context.WithCancel(context.Background())
		cancel()
		before := slices.Clone(r.mem)
		if err := r.do(canceled, 200, 7, nil); !errors.Is(err, context.Canceled) || !slices.Equal(r.mem, before) {
			t.Errorf("with a context that has ended: %v", err)
		}
		for range 3 * Slots {
			if err := r.do(r.deadline(time.Millisecond), 200, 7, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error is %v", err)
			}
			r.dev.Start()
			if err := r.setQueuePairs(r.deadline(time.Minute), 2); err != nil {
				t.Fatal(err)
			}
			r.dev.Stop()
		}
	})
}

// fault/46: done, says the device, and wrote nothing.
func TestCommandWithoutAck(t *testing.T) {
	r := newRig(t, formats["split"])
	layout, err := virtq.Config{Size: 16}.Layout()
	if err != nil {
		t.Fatal(err)
	}
	rung := r.dev.Stats().Doorbells
	go func() { // the device: used.ring[0] = {0, 1}, used.idx = 1
		for r.dev.Stats().Doorbells == rung { // nothing is available before
			runtime.Gosched()
		}
		binary.LittleEndian.PutUint32(r.mem[layout.Device+8:], 1)
		r.mem[layout.Device+2] = 1
	}()
	err = r.do(r.deadline(time.Minute), 200, 7, nil)
	var refused *Error
	if !errors.Is(err, ErrRefused) || !errors.As(err, &refused) || refused.Value != ackUnset {
		t.Errorf("error is %v", err)
	}
	r.dev.ClearViolations() // its ring is not the one it knew
}

// The device answers a command that was never sent.
func TestAnswerToSomethingElse(t *testing.T) {
	r := newRig(t, formats["split"])
	layout, err := virtq.Config{Size: 16}.Layout()
	if err != nil {
		t.Fatal(err)
	}
	r.mem[layout.Device+4] = 9
	r.mem[layout.Device+2] = 1
	err = r.do(r.deadline(time.Minute), 200, 7, nil)
	var broken *virtq.BrokenError
	if !errors.As(err, &broken) || r.queue.Broken() == nil {
		t.Errorf("error is %v", err)
	}
	r.dev.ClearViolations()
}

func TestInvalidCommands(t *testing.T) {
	r := newRig(t, formats["packed"])
	var data *Error
	if err := r.do(r.deadline(time.Second), 1, 1, make([]byte, len(r.mem))); !errors.As(err, &data) || data.Value != len(r.mem) {
		t.Errorf("too much data: %v", err)
	}
	var endless *Error
	if err := r.setQueuePairs(context.Background(), 2); !errors.As(err, &endless) || endless.Remedy == "" {
		t.Errorf("no deadline: %v", err)
	}
	if r.queue.Broken() != nil {
		t.Error("the queue is broken by a command that was never sent")
	}
	var short *virtq.Error
	if _, err := New(virtq.Config{Size: 16, Memory: make([]byte, 4096)}); !errors.As(err, &short) || short.Field != "Memory" {
		t.Errorf("too little memory: %v", err)
	}
}
