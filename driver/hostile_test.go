package driver

import (
	"math/rand/v2"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// promise/1, promise/2 and fault/1 to fault/20 all at once: a device that writes
// anything into all the memory it was given, rings and packet buffers,
// while packets flow. It may stop the traffic, spoil packets, break queues and
// cause recoveries; in the end every buffer is back, exactly once.
func TestDeviceThatScribbles(t *testing.T) {
	seeds := uint64(6)
	for _, without := range []virtio.Features{
		{}, virtio.FeatureSet(virtio.RingPacked), virtio.FeatureSet(virtio.InOrder),
		virtio.FeatureSet(virtio.RingPacked, virtio.InOrder), virtio.FeatureSet(virtio.NetMrgRxbuf, virtio.RingIndirectDesc),
	} {
		t.Run("without "+without.String(), func(t *testing.T) {
			harm := uint64(0)
			for seed := range seeds {
				harm += scribbled(t, without, rand.New(rand.NewPCG(seed, 99)))
			}
			if harm == 0 {
				t.Error("nothing that the device did was noticed")
			}
		})
	}
}

// scribbled returns how often the driver noticed something.
func scribbled(t *testing.T, without virtio.Features, random *rand.Rand) uint64 {
	pool := newPool(t, mbuf.Config{Count: 1024})
	r := newRig(t, functionWith(vdev.Config{Backend: wire.Loop(), Refuse: without}),
		Config{Pool: pool, RxQueueSize: 64, TxQueueSize: 64, Recovery: eager})
	rx, tx := r.port.RxQueue(0), r.port.TxQueue(0)
	bufs := make([]*mbuf.Buf, 32)
	for round := range 400 {
		n := pool.Get(bufs[:random.IntN(32)+1])
		for i, b := range bufs[:n] {
			frametest.Fill(t, b, frametest.Seq(i, 60+random.IntN(1400)))
		}
		sent := tx.Burst(bufs[:n])
		mbuf.Free(bufs[sent:n])
		r.dev.Poll()
		if round > 20 {
			r.spoil(random)
		}
		got := rx.Burst(bufs)
		for _, b := range bufs[:got] {
			if length := len(frametest.Content(b)); length == 0 || length > 70000 {
				t.Fatalf("a packet of %d bytes was received", length)
			}
		}
		mbuf.Free(bufs[:got])
	}
	await(t, "a queue that broke is being recovered", func() bool {
		return r.port.supervisor.broken.Load() == nil
	})
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	if pool.Free() != pool.Size() || pool.DoubleFrees() != 0 {
		t.Errorf("%d of %d buffers are back, %d of them twice", pool.Free(), pool.Size(), pool.DoubleFrees())
	}
	r.dev.ClearViolations() // what it complains about it wrote itself
	s := r.port.Stats()
	return checkStatSums(t, s)["faults"] + s.RxErrors
}

// spoil writes at random places: mostly small changes in the rings, where they look
// like what a device writes, and sometimes a run of garbage.
func (r *rig) spoil(random *rand.Rand) {
	mem := r.port.device.rings.Bytes()
	switch random.IntN(12) {
	case 0:
		at := random.IntN(len(mem) - 64)
		for i := range 64 {
			mem[at+i] = byte(random.Uint32())
		}
	case 1:
		mem = (*mbuf.DriverPool)(r.port.device.pool).Memory().Bytes()
		mem[random.IntN(len(mem))] ^= byte(random.Uint32())
	case 2, 3, 4:
		mem[random.IntN(len(mem))] ^= 1 << random.IntN(8)
	case 5:
		area := vdev.Area(random.IntN(3))
		r.scribble(random.IntN(2), area, random.IntN(64), byte(random.Uint32()))
	}
}
