package vhostuser_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// steps are what a driver does to bring a device up (3.1.1), in order.
type steps struct {
	d      *vhostuser.Device
	mem    *hugepages.Memory
	accept virtio.Features
	queues int
	size   int
}

func allocate(t *testing.T) *hugepages.Memory {
	t.Helper()
	mem, err := hugepages.Allocate(hugepages.Options{Bytes: 256 << 10, PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mem.Release() })
	return mem
}

func newSteps(t *testing.T, d *vhostuser.Device, queues int, fs ...virtio.Feature) *steps {
	return &steps{d: d, mem: allocate(t), queues: queues, size: 128,
		accept: virtio.FeatureSet(append(fs, virtio.Version1)...)}
}

func (s *steps) list() []func() error {
	d := s.d
	list := []func() error{
		func() error { return d.Reset(context.Background()) },
		func() error { return d.SetStatus(virtio.StatusAcknowledge) },
		func() error { return d.SetStatus(virtio.StatusAcknowledge | virtio.StatusDriver) },
		func() error { return d.SetDriverFeatures(s.accept) },
		func() error { return d.SetStatus(11) },
		func() error { _, err := d.Status(); return err },
		func() error { _, err := d.MapDMA(s.mem); return err },
	}
	for q := range s.queues {
		list = append(list, func() error { _, err := d.SetQueue(q, s.areas(q)); return err })
	}
	return append(list, func() error { return d.SetStatus(15) })
}

func (s *steps) areas(q int) transport.Queue {
	base := s.mem.Address() + uint64(q)*32<<10
	return transport.Queue{Size: s.size, Desc: base, Driver: base + 8<<10, Device: base + 16<<10}
}

// try takes the steps up to the first error.
func (s *steps) try() error {
	for i, step := range s.list() {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func (s *steps) run(t *testing.T) {
	t.Helper()
	if err := s.try(); err != nil {
		t.Fatal(err)
	}
}

// Everything that DPDK 22.11 offers: MQ, REPLY_ACK, STATUS.
func TestOrderOfMessages(t *testing.T) {
	b := newBackend(t).listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 2, virtio.RingPacked).run(t)
	compare(t, b.messages(), `
		SET_OWNER
		GET_FEATURES
		GET_PROTOCOL_FEATURES
		SET_PROTOCOL_FEATURES 0x10009
		GET_QUEUE_NUM
		SET_STATUS 1
		SET_STATUS 3
		SET_FEATURES 0x540000000
		SET_STATUS 11
		GET_STATUS
		SET_MEM_TABLE 1 regions
		SET_VRING_NUM 0 0x80
		SET_VRING_BASE 0 0x80008000
		SET_VRING_ADDR 0
		SET_VRING_CALL 0
		SET_VRING_ERR 0
		SET_VRING_KICK 0
		SET_VRING_ENABLE 0 0x1
		SET_VRING_NUM 1 0x80
		SET_VRING_BASE 1 0x80008000
		SET_VRING_ADDR 1
		SET_VRING_CALL 1
		SET_VRING_ERR 1
		SET_VRING_KICK 1
		SET_VRING_ENABLE 1 0x1
		SET_STATUS 15`)
	if err := d.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	compare(t, b.messages(), `
		SET_VRING_ENABLE 0 0x0
		SET_VRING_ENABLE 1 0x0
		GET_VRING_BASE 0 0x0
		GET_VRING_BASE 1 0x0
		SET_STATUS 0
		GET_STATUS`)
	newSteps(t, d, 1).run(t)
	compare(t, b.messages(), `
		SET_STATUS 1
		SET_STATUS 3
		SET_FEATURES 0x140000000
		SET_STATUS 11
		GET_STATUS
		SET_MEM_TABLE 2 regions
		SET_VRING_NUM 0 0x80
		SET_VRING_BASE 0 0x0
		SET_VRING_ADDR 0
		SET_VRING_CALL 0
		SET_VRING_ERR 0
		SET_VRING_KICK 0
		SET_VRING_ENABLE 0 0x1
		SET_STATUS 15`)
}

// A back end without protocol features: rings are never enabled by message, and
// a harmless request is the fence.
func TestOrderWithoutProtocolFeatures(t *testing.T) {
	b := newBackend(t)
	b.features = version1
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 2).run(t)
	if err := d.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	compare(t, b.messages(), `
		SET_OWNER
		GET_FEATURES
		SET_FEATURES 0x100000000
		GET_FEATURES
		SET_MEM_TABLE 1 regions
		GET_FEATURES
		SET_VRING_NUM 0 0x80
		SET_VRING_BASE 0 0x0
		SET_VRING_ADDR 0
		SET_VRING_CALL 0
		SET_VRING_ERR 0
		SET_VRING_KICK 0
		SET_VRING_NUM 1 0x80
		SET_VRING_BASE 1 0x0
		SET_VRING_ADDR 1
		SET_VRING_CALL 1
		SET_VRING_ERR 1
		SET_VRING_KICK 1
		GET_FEATURES
		GET_VRING_BASE 0 0x0
		GET_VRING_BASE 1 0x0`)
}

// Exactly the implemented protocol features are accepted: bit 17 would change the
// layout of memory messages.
func TestProtocolFeaturesAreMasked(t *testing.T) {
	b := newBackend(t)
	b.protocols = ^uint64(0)
	b.config = make([]byte, 64)
	b.config[8] = 2
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 4, virtio.NetMQ).run(t)
	if err := d.SetQueuePairs(2); err != nil {
		t.Fatal(err)
	}
	if err := d.SetQueuePairs(1); err != nil {
		t.Fatal(err)
	}
	compare(t, b.messages(), `
		SET_OWNER
		GET_FEATURES
		GET_PROTOCOL_FEATURES
		SET_PROTOCOL_FEATURES 0x1a20d
		GET_QUEUE_NUM
		GET_MAX_MEM_SLOTS
		GET_CONFIG
		SET_STATUS 1
		SET_STATUS 3
		SET_FEATURES 0x140400000
		SET_STATUS 11
		GET_STATUS
		ADD_MEM_REG
		SET_VRING_NUM 0 0x80
		SET_VRING_BASE 0 0x0
		SET_VRING_ADDR 0
		SET_VRING_CALL 0
		SET_VRING_ERR 0
		SET_VRING_KICK 0
		SET_VRING_ENABLE 0 0x1
		SET_VRING_NUM 1 0x80
		SET_VRING_BASE 1 0x0
		SET_VRING_ADDR 1
		SET_VRING_CALL 1
		SET_VRING_ERR 1
		SET_VRING_KICK 1
		SET_VRING_ENABLE 1 0x1
		SET_VRING_NUM 2 0x80
		SET_VRING_BASE 2 0x0
		SET_VRING_ADDR 2
		SET_VRING_CALL 2
		SET_VRING_ERR 2
		SET_VRING_KICK 2
		SET_VRING_NUM 3 0x80
		SET_VRING_BASE 3 0x0
		SET_VRING_ADDR 3
		SET_VRING_CALL 3
		SET_VRING_ERR 3
		SET_VRING_KICK 3
		SET_STATUS 15
		SET_VRING_ENABLE 2 0x1
		SET_VRING_ENABLE 3 0x1
		SET_VRING_ENABLE 2 0x0
		SET_VRING_ENABLE 3 0x0`)
}

// RESET_DEVICE where there is no status.
func TestResetByMessage(t *testing.T) {
	b := newBackend(t)
	b.protocols = 1 << reset
	b.listen()
	d := open(t, b, vhostuser.Options{})
	newSteps(t, d, 1).run(t)
	b.messages()
	if err := d.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	compare(t, b.messages(), `
		SET_VRING_ENABLE 0 0x0
		GET_VRING_BASE 0 0x0
		RESET_DEVICE
		GET_FEATURES`)
	if err := d.Reset(context.Background()); err != nil {
		t.Fatal(err)
	}
	compare(t, append(b.messages(), "."), ".") // there is nothing left to reset
}

// used comes before avail on the wire, and the addresses are those of the areas.
func TestRingAddresses(t *testing.T) {
	b := newBackend(t)
	got := make(chan []byte, 1)
	b.answer = func(_ *peer, m msg) bool {
		if m.id == 9 {
			got <- m.payload
		}
		return false
	}
	b.listen()
	d := open(t, b, vhostuser.Options{})
	s := newSteps(t, d, 1)
	s.run(t)
	a := s.areas(0)
	want := append(make([]byte, 8), u64(a.Desc)...)
	want = append(append(append(want, u64(a.Device)...), u64(a.Driver)...), u64(0)...)
	if p := <-got; string(p) != string(want) {
		t.Errorf("SET_VRING_ADDR is %x, want %x", p, want)
	}
}
