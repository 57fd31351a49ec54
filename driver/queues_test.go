package driver

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// net/mq/1, net/rxbuf/5, x/net/mq-default: all pairs are set up and filled
// before they are switched on, and all of them carry traffic then.
func TestSeveralPairs(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked)} {
		c.Queues = 4
		r := newRig(t, functionWith(vdev.Config{Pairs: 4}), c)
		if r.port.Queues() != 4 || r.dev.ActivePairs() != 4 {
			t.Fatalf("%d pairs, %d of them active", r.port.Queues(), r.dev.ActivePairs())
		}
		for pair := range 4 {
			sent := frametest.Series(100*pair, 100, 60, 1514, 700)
			r.send(pair, sent...)
			r.settle()
			frametest.Equal(t, r.wire.transmitted(pair), sent)
			r.wire.deliver(pair, sent...)
			frametest.Equal(t, r.receive(pair), sent)
		}
		s := r.port.Stats()
		if s.TxPackets != 400 || s.RxPackets != 400 || len(s.Queues) != 4 || s.Queues[2].Rx.Packets != 100 {
			t.Errorf("statistics: %+v", s)
		}
	}
}

// x/net/ctrlq-index: the control queue comes after all pairs of the device, not those in use.
func TestControlQueueIsBehindAllPairs(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Pairs: 8}), Config{Queues: 3})
	if r.port.Queues() != 3 || r.dev.ActivePairs() != 3 {
		t.Errorf("%d pairs, %d of them active", r.port.Queues(), r.dev.ActivePairs())
	}
	for q := range r.dev.Queues() {
		if want := q < 6 || q == 16; r.dev.QueueEnabled(q) != want {
			t.Errorf("virtqueue %d: enabled is %v", q, !want)
		}
	}
}

// net/mq/2 and fault/31: never more pairs than there are.
func TestFewerPairsThanAskedFor(t *testing.T) {
	for name, c := range map[string]struct {
		dev   vdev.Config
		field []byte // max_virtqueue_pairs, if it lies
		want  int
	}{
		"the device has 2":   {dev: vdev.Config{Pairs: 2}, want: 2},
		"the device has 1":   {dev: vdev.Config{Pairs: 1}, want: 1},
		"no MQ":              {dev: vdev.Config{Pairs: 4, Refuse: virtio.FeatureSet(virtio.NetMQ)}, want: 1},
		"says 0":             {dev: vdev.Config{Pairs: 4}, field: []byte{0, 0}, want: 1},
		"says 65535":         {dev: vdev.Config{Pairs: 4}, field: []byte{255, 255}, want: 1},
		"says 5 and has 4":   {dev: vdev.Config{Pairs: 4}, field: []byte{5, 0}, want: 1},
		"as many as allowed": {dev: vdev.Config{Pairs: 5}, want: 5},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction(t, functionWith(c.dev))
			if c.field != nil {
				fn.Device().SetConfig(virtio.NetConfigMaxPairs, c.field...)
			}
			fn.Device().Start()
			port, err := openPort(fn, Config{Queues: 5})
			if err != nil {
				t.Fatal(err)
			}
			if port.Queues() != c.want || fn.Device().ActivePairs() != c.want {
				t.Errorf("%d pairs, %d of them active, want %d", port.Queues(), fn.Device().ActivePairs(), c.want)
			}
			if c.want == 1 && port.Features().Has(virtio.NetMQ) {
				t.Errorf("one pair, and yet accepted: %v", port.Features())
			}
			if port.RxQueue(c.want) != nil || port.TxQueue(-1) != nil {
				t.Error("there are queues beyond the last")
			}
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// fault/45: a command that is never answered ends Open in time.
func TestPairsCommandWithoutAnswer(t *testing.T) {
	fn := newFunction(t, functionWith(vdev.Config{Pairs: 2})) // the device is not stepped
	_, err := openPort(fn, Config{Queues: 2, ControlTimeout: 50 * time.Millisecond})
	var bad *ctrlq.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &bad) || bad.Class != virtio.CtrlMQ || bad.Queue != 4 {
		t.Errorf("error is %v", err)
	}
}

// The sizes that are asked for are the sizes of the rings, with what the device
// allows as the bound; the default is the smaller of both.
func TestQueueSizes(t *testing.T) {
	split := virtio.FeatureSet(virtio.RingPacked)
	for _, c := range []struct {
		max    int
		cfg    Config
		rx, tx int
	}{
		{256, Config{}, 256, 256},
		{4096, Config{}, 1024, 1024},
		{1000, Config{}, 1000, 1000},
		{1000, Config{Refuse: split}, 512, 512},
		{256, Config{RxQueueSize: 64, TxQueueSize: 128}, 64, 128},
		{256, Config{RxQueueSize: 1, TxQueueSize: 255}, 1, 255},
		{32768, Config{RxQueueSize: 4096, TxQueueSize: 32768}, 4096, 32768},
		{32768, Config{RxQueueSize: 2, TxQueueSize: 2048, Refuse: split}, 2, 2048},
		{65535, Config{RxQueueSize: 32768, TxQueueSize: 16}, 32768, 16},
	} {
		t.Run(fmt.Sprintf("%d of %d", c.cfg.RxQueueSize, c.max), func(t *testing.T) {
			r := newRig(t, functionWith(vdev.Config{QueueSize: c.max}), c.cfg)
			if rx, tx := r.dev.QueueSize(0), r.dev.QueueSize(1); rx != c.rx || tx != c.tx {
				t.Errorf("rings have %d and %d descriptors, want %d and %d", rx, tx, c.rx, c.tx)
			}
			if posted := r.port.Stats().Queues[0].Rx.Posted; posted != c.rx {
				t.Errorf("%d receive buffers are posted", posted)
			}
			sent := frametest.Series(0, 300, 60, 1514)
			r.send(0, sent...)
			r.settle()
			frametest.Equal(t, r.wire.transmitted(0), sent)
			r.wire.deliver(0, sent...)
			frametest.Equal(t, r.receive(0), sent)
		})
	}
}

// Too large, or not a power of two: the error names the value and the bound.
func TestQueueSizesThatTheDeviceCannotHave(t *testing.T) {
	noPacked := virtio.FeatureSet(virtio.RingPacked)
	for _, c := range []struct {
		dev  vdev.Config
		cfg  Config
		size int
	}{
		{vdev.Config{}, Config{RxQueueSize: 257}, 257},
		{vdev.Config{QueueSizes: map[int]int{1: 64}}, Config{TxQueueSize: 65}, 65},
		{vdev.Config{Refuse: noPacked}, Config{RxQueueSize: 3}, 3},
		{vdev.Config{Refuse: noPacked}, Config{TxQueueSize: 100}, 100},
	} {
		_, err := openPort(newFunction(t, functionWith(c.dev)), c.cfg)
		var bad *Error
		if !errors.As(err, &bad) || bad.Value != c.size || bad.Remedy == "" {
			t.Errorf("size %d: %v", c.size, err)
		}
	}
}
