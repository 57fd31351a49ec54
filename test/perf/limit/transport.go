package main

import (
	"context"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// device is a transport to nothing: it takes what the driver sets up and
// remembers where the rings are. Device addresses are those of the process.
type device struct {
	size   int
	status virtio.Status
	queues map[int]transport.Queue
	memory []*hugepages.Memory
	events chan transport.Event
}

func newDevice(size int) *device {
	return &device{size: size, queues: map[int]transport.Queue{},
		events: make(chan transport.Event)}
}

// offered is what the device in exchange.c does.
var offered = virtio.FeatureSet(virtio.Version1, virtio.RingPacked, virtio.InOrder)

func (d *device) Name() string                             { return "exchange" }
func (d *device) Reset(context.Context) error              { d.status = 0; return nil }
func (d *device) Status() (virtio.Status, error)           { return d.status, nil }
func (d *device) SetStatus(s virtio.Status) error          { d.status = s; return nil }
func (d *device) DeviceFeatures() (virtio.Features, error) { return offered, nil }
func (d *device) SetDriverFeatures(virtio.Features) error  { return nil }
func (d *device) CheckFeatures(virtio.Features) error      { return nil }
func (d *device) ReadConfig(_, _ int, b []byte) error      { clear(b); return nil }
func (d *device) Queues() (int, error)                     { return 2, nil }
func (d *device) QueueSize(int) (int, error)               { return d.size, nil }
func (d *device) DMA() transport.DMA                       { return transport.DMA{Last: 1<<64 - 1} }
func (d *device) UnmapDMA(*hugepages.Memory) error         { return nil }
func (d *device) Events() <-chan transport.Event           { return d.events }
func (d *device) Close() error                             { return nil }

func (d *device) SetQueue(q int, areas transport.Queue) (transport.Notifier, error) {
	d.queues[q] = areas
	return transport.Notifier{Doorbell: noDoorbell{}, ID: uint16(q)}, nil
}

func (d *device) MapDMA(mem *hugepages.Memory) ([]uint64, error) {
	d.memory = append(d.memory, mem)
	pages := make([]uint64, len(mem.Bytes())/mem.PageSize())
	for i := range pages {
		pages[i] = mem.Address() + uint64(i*mem.PageSize())
	}
	return pages, nil
}

// noDoorbell does nothing: the device polls.
type noDoorbell struct{}

func (noDoorbell) Ring(uint32) {}
