package main

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	// touched is how many bytes of a packet are read or written.
	touched   = 64
	cacheSize = 256
	// buffers are those that neither ring has: some bursts and a full cache.
	buffers = 2048
)

// rig is a port on the device of exchange.c, with one cache of buffers.
type rig struct {
	device *device
	pool   *mbuf.Pool
	cache  *mbuf.Cache
	port   *driver.Port
}

func openRig(ring int) (*rig, error) {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 2*ring + buffers})
	if err != nil {
		return nil, err
	}
	r := &rig{device: newDevice(ring), pool: pool, cache: pool.NewCache(cacheSize)}
	if r.port, err = driver.Open(r.device, driver.Config{RxQueueSize: ring, TxQueueSize: ring,
		Pool: pool}); err != nil {
		return nil, errors.Join(err, pool.Release())
	}
	if err := errors.Join(r.port.RxQueue(0).SetCache(r.cache),
		r.port.TxQueue(0).SetCache(r.cache)); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// close takes everything down. A buffer that is missing is an error.
func (r *rig) close() error {
	err := r.port.Close()
	r.cache.Close()
	return errors.Join(err, r.pool.Release())
}

func (r *rig) packets() uint64 {
	s := r.port.Stats()
	return s.RxPackets + s.TxPackets
}

// driver has a port exchange with the C program and returns packets a second.
func (b *bench) driver(ctx context.Context, direction string) (rate float64, err error) {
	r, err := openRig(b.ring)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	bufs := make([]*mbuf.Buf, b.burst)
	q, poll := virtio.RxQueueIndex(0), (&receiver{rx: r.port.RxQueue(0), cache: r.cache,
		bufs: bufs}).poll
	if direction == "tx" {
		t := &transmitter{tx: r.port.TxQueue(0), cache: r.cache, bufs: bufs}
		defer t.free()
		q, poll = virtio.TxQueueIndex(0), t.poll
	}
	areas := r.device.queues[q]
	p, err := b.startPeer(direction, areas.Desc, areas.Device, r.device.memory)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	return b.measure(ctx, r, poll)
}

// patience is for how long behind the end of a run something may be exchanged, where others
// have had the CPUs until then.
const patience = 10 * time.Second

// measure polls for some time and returns packets a second.
func (b *bench) measure(ctx context.Context, r *rig, poll func() bool) (rate float64, err error) {
	core, err := lcore.Start(b.driverCPU, poll)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, core.Stop()) }()
	before, begin := r.packets(), time.Now()
	for wait := b.duration; ; wait = time.Millisecond {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-core.Done():
			return 0, core.Err()
		case <-time.After(wait):
		}
		after, took := r.packets(), time.Since(begin)
		if after != before {
			return float64(after-before) / took.Seconds(), nil
		}
		if took > b.duration+patience {
			return 0, errors.New("nothing was exchanged")
		}
	}
}

// receiver is the loop of a program that looks at 64 bytes of each packet.
type receiver struct {
	rx    *driver.RxQueue
	cache *mbuf.Cache
	bufs  []*mbuf.Buf
	sum   uint64 // so that what is read is read
}

func (r *receiver) poll() bool {
	n := r.rx.Burst(r.bufs)
	if n == 0 {
		return false
	}
	for _, b := range r.bufs[:n] {
		if data := b.Data(); len(data) >= touched {
			r.sum += sum((*[touched]byte)(data))
		}
	}
	r.cache.Put(r.bufs[:n])
	return true
}

func sum(d *[touched]byte) uint64 {
	return binary.LittleEndian.Uint64(d[0:]) + binary.LittleEndian.Uint64(d[8:]) +
		binary.LittleEndian.Uint64(d[16:]) + binary.LittleEndian.Uint64(d[24:]) +
		binary.LittleEndian.Uint64(d[32:]) + binary.LittleEndian.Uint64(d[40:]) +
		binary.LittleEndian.Uint64(d[48:]) + binary.LittleEndian.Uint64(d[56:])
}

// transmitter is the loop of a program that writes 64 bytes of each packet. What
// could not be sent is sent next time.
type transmitter struct {
	tx      *driver.TxQueue
	cache   *mbuf.Cache
	bufs    []*mbuf.Buf
	n       int // bufs[:n] are ready
	content [touched]byte
}

func (t *transmitter) poll() bool {
	fresh := t.bufs[t.n:]
	fresh = fresh[:t.cache.Get(fresh)]
	for _, b := range fresh {
		*(*[touched]byte)(b.Append(touched)) = t.content
	}
	t.n += len(fresh)
	sent := t.tx.Burst(t.bufs[:t.n])
	t.n = copy(t.bufs, t.bufs[sent:t.n])
	return sent > 0
}

func (t *transmitter) free() { mbuf.Free(t.bufs[:t.n]) }
