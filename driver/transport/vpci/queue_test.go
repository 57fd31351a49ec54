package vpci_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

func TestQueueSizes(t *testing.T) {
	_, d := emulate(t, pcifn.Config{Device: vdev.Config{Pairs: 2, QueueSize: 1024,
		QueueSizes: map[int]int{0: 32768, 1: 0, 3: 0xffff}}})
	if n, err := d.Queues(); n != 5 || err != nil {
		t.Errorf("%d queues, %v", n, err)
	}
	// fault/33: a size may be 0, and more than a ring can have.
	for q, want := range map[int]int{-1: 0, 0: 32768, 1: 0, 2: 1024, 3: 0xffff, 5: 0, 70000: 0} {
		if size, err := d.QueueSize(q); size != want || err != nil {
			t.Errorf("queue %d: size %d, %v; wanted %d", q, size, err, want)
		}
	}
}

// pci/common/2, pci/common/3, fault/33: sizes and addresses that a ring
// cannot have are refused before anything is written to the queue.
func TestBadQueuesAreRefused(t *testing.T) {
	split, packed := features, features.With(virtio.RingPacked)
	for name, c := range map[string]struct {
		features virtio.Features
		queue    int
		areas    transport.Queue
		field    string
		text     string
	}{
		"size 0":          {split, 0, areas(page, 0, split), "queue_size", "at least 1"},
		"size 0, packed":  {packed, 0, areas(page, 0, split), "queue_size", "at least 1"},
		"size -1":         {packed, 0, areas(page, -1, split), "queue_size", "at least 1"},
		"size 3, split":   {split, 0, areas(page, 3, split), "queue_size", "power of two"},
		"size 100, split": {split, 0, areas(page, 100, split), "queue_size", "power of two"},
		"size 512": {packed, 0, areas(page, 512, split), "queue_size",
			"largest size of the device is 256"},
		"size 65536": {split, 0, areas(page, 65536, split), "queue_size",
			"at most 32768"},
		"no such queue": {split, 3, areas(page, 64, split), "queue_size",
			"does not have this queue"},
		"queue of size 0": {split, 2, areas(page, 64, split), "queue_size",
			"does not have this queue"},
		"negative queue": {split, -1, areas(page, 64, split), "queue_size",
			"does not have this queue"},
		"descriptors unaligned": {split, 0, areas(page+8, 64, split), "queue_desc", "16"},
		"used ring unaligned": {split, 0, transport.Queue{Size: 64, Desc: 16, Driver: 2,
			Device: 2}, "queue_device", "4"},
		"avail ring unaligned": {split, 0, transport.Queue{Size: 64, Desc: 16, Driver: 1,
			Device: 4}, "queue_driver", "2"},
		"event area unaligned": {packed, 0, transport.Queue{Size: 64, Desc: 16, Driver: 2,
			Device: 4}, "queue_driver", "4"},
		"device event unaligned": {packed, 0, transport.Queue{Size: 64, Desc: 16, Driver: 4,
			Device: 2}, "queue_device", "4"},
	} {
		t.Run(name, func(t *testing.T) {
			fn, d := emulate(t, pcifn.Config{Device: vdev.Config{QueueSizes: map[int]int{2: 0}}})
			negotiate(t, d, c.features)
			_, err := d.SetQueue(c.queue, c.areas)
			e := as[*transport.Error](t, err)
			if e.Op != fmt.Sprintf("virtqueue %d", c.queue) || e.Field != c.field ||
				!strings.Contains(err.Error(), c.text) {
				t.Errorf("%v", err)
			}
			for _, register := range []string{"queue_size", "queue_desc (low)", "queue_enable"} {
				if count(fn, register, true) != 0 {
					t.Errorf("%s was written", register)
				}
			}
		})
	}
}

func TestSizesThatRingsCanHave(t *testing.T) {
	for _, c := range []struct {
		features virtio.Features
		sizes    []int
	}{
		{features, []int{1, 2, 64, 256}},
		{features.With(virtio.RingPacked), []int{1, 3, 100, 256}},
	} {
		for _, size := range c.sizes {
			fn, d := emulate(t, pcifn.Config{})
			accepted := negotiate(t, d, c.features)
			_, err := d.SetQueue(0, areas(page, size, accepted))
			must(t, err)
			if got := fn.Device().QueueSize(0); got != size || !fn.Device().QueueEnabled(0) {
				t.Errorf("the device has size %d, not %d", got, size)
			}
			reset(t, d)
		}
	}
}

// A device that does not accept a register is noticed before its queue is
// used (fault/34, pci/msix/3).
func TestQueueRegistersAreReadBack(t *testing.T) {
	for name, c := range map[string]struct {
		off   uint64
		v     uint32
		field string
	}{
		"fault/34 enabled before set-up":     {regQueueEnable, 1, "queue_enable"},
		"fault/34 not enabled after set-up":  {regQueueEnable, 0, "queue_enable"},
		"size not accepted":                  {regQueueSize, 128, "queue_size"},
		"vector where none was asked for":    {regQueueVector, 0, "queue_msix_vector"},
		"fault/34 enabled in an unknown way": {regQueueEnable, 0x101, "queue_enable"},
	} {
		t.Run(name, func(t *testing.T) {
			fn, d := emulate(t, pcifn.Config{})
			accepted := negotiate(t, d, features)
			overrideRead(fn, c.off, c.v)
			_, err := d.SetQueue(0, areas(page, 64, accepted))
			e := as[*transport.Error](t, err)
			if e.Field != c.field || e.Value != uint64(c.v) {
				t.Errorf("%v", err)
			}
			fn.SetHooks(pcifn.Hooks{})
			reset(t, d)
		})
	}
}

// Setting a queue up twice takes a reset in between.
func TestQueueIsSetUpOnce(t *testing.T) {
	_, d := emulate(t, pcifn.Config{})
	for range 2 {
		accepted := negotiate(t, d, features)
		_, err := d.SetQueue(0, areas(page, 64, accepted))
		must(t, err)
		_, err = d.SetQueue(0, areas(page, 64, accepted))
		if e := as[*transport.Error](t, err); e.Field != "queue_enable" {
			t.Errorf("%v", err)
		}
		reset(t, d)
	}
}
