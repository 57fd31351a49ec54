package vdev_test

import (
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

const (
	ack        = virtio.StatusAcknowledge
	drv        = ack | virtio.StatusDriver
	featuresOK = drv | virtio.StatusFeaturesOK
	driverOK   = featuresOK | virtio.StatusDriverOK
)

// steps writes statuses one after the other, the reset included.
func steps(d *vdev.Device, list ...virtio.Status) {
	for _, s := range list {
		d.SetStatus(s)
		d.Status()
	}
}

// A status that does not follow the order of steps is recorded and ignored.
func TestStatusOrder(t *testing.T) {
	for name, c := range map[string]struct {
		rules []string
		want  virtio.Status
		do    func(d *vdev.Device)
	}{
		"in order":           {nil, drv, func(d *vdev.Device) { steps(d, 0, ack, drv) }},
		"no reset":           {[]string{"basic/init/1"}, ack, func(d *vdev.Device) { steps(d, ack) }},
		"reset not awaited":  {[]string{"pci/common/5"}, 0, func(d *vdev.Device) { d.SetStatus(0); d.SetStatus(ack) }},
		"two steps at once":  {[]string{"basic/init/1"}, drv, func(d *vdev.Device) { steps(d, 0, drv) }},
		"DRIVER first":       {[]string{"basic/init/1"}, 0, func(d *vdev.Device) { steps(d, 0, virtio.StatusDriver) }},
		"DRIVER_OK too soon": {[]string{"basic/init/1"}, drv, func(d *vdev.Device) { steps(d, 0, ack, drv, drv|virtio.StatusDriverOK) }},
		"bit taken away":     {[]string{"basic/status/2"}, drv, func(d *vdev.Device) { steps(d, 0, ack, drv, ack) }},
		"reserved bit":       {[]string{"basic/status/1"}, ack, func(d *vdev.Device) { steps(d, 0, ack, ack|32) }},
		"on after FAILED":    {[]string{"basic/status/3"}, ack | 128, func(d *vdev.Device) { steps(d, 0, ack, ack|128, drv|128) }},
		"reset after FAILED": {nil, ack, func(d *vdev.Device) { steps(d, 0, ack, ack|128, 0, ack) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, vdev.Config{}, 4096)
			c.do(g.d)
			if s := g.d.Status(); s != c.want {
				t.Errorf("status %v, want %v", s, c.want)
			}
			g.wantRules(c.rules...)
		})
	}
}

// A driver that accepts features it must not accept gets no FEATURES_OK.
func TestFeatureRules(t *testing.T) {
	offer := vdev.Implemented().With(virtio.SRIOV).With(44).With(virtio.AdminVQ)
	fine := virtio.FeatureSet(virtio.Version1, virtio.AccessPlatform)
	for name, c := range map[string]struct {
		accept virtio.Features
		rule   string
	}{
		"not offered":         {fine.With(virtio.NetGuestUFO).With(virtio.NetGuestCSUM), "basic/features/1"},
		"without requirement": {fine.With(virtio.NetMQ), "basic/features/2"},
		"reserved":            {fine.With(44), "basic/features/5"},
		"SR-IOV":              {fine.With(virtio.SRIOV), "basic/reserved/9"},
		"admin queues":        {fine.With(virtio.AdminVQ), "pci/common/9"},
		"legacy":              {virtio.FeatureSet(virtio.AccessPlatform), "basic/reserved/1"},
		"no ACCESS_PLATFORM":  {virtio.FeatureSet(virtio.Version1), "basic/reserved/3"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, vdev.Config{Offer: offer, Pairs: 2, Translated: true}, 4096)
			steps(g.d, 0, ack, drv)
			g.d.SetAccepted(c.accept)
			steps(g.d, featuresOK)
			if s := g.d.Status(); s != drv {
				t.Errorf("status %v", s)
			}
			g.wantRules(c.rule)
		})
	}
}

func TestFeaturesAfterFeaturesOK(t *testing.T) {
	g := newGuest(t, vdev.Config{}, 4096)
	g.negotiate(split)
	g.d.SetAccepted(packed)
	if g.d.Accepted() != split.And(g.d.Offered()) {
		t.Error("the features changed")
	}
	g.wantRules("basic/init/3")
}

// Without an IOMMU feature accepted, a device behind an IOMMU does not start.
func TestPhysicalAddressesBehindIOMMU(t *testing.T) {
	g := newGuest(t, vdev.Config{Translated: true, Refuse: virtio.FeatureSet(virtio.AccessPlatform)}, 1<<16)
	g.up(split, 16)
	if s := g.d.Status(); !s.Has(virtio.StatusNeedsReset) || g.d.Running() {
		t.Errorf("status %v", s)
	}
	g.wantRules("basic/reserved/5")
}

// Queue fields follow FEATURES_OK and precede queue_enable, which precedes
// DRIVER_OK.
func TestQueueSetUp(t *testing.T) {
	for name, c := range map[string]struct {
		f    virtio.Features
		rule string
		do   func(g *guest)
	}{
		"size 0, packed":    {packed, "pci/common/2", func(g *guest) { g.d.SetQueueSize(0, 0) }},
		"size 0, split":     {split, "pci/common/3", func(g *guest) { g.d.SetQueueSize(0, 0) }},
		"size 100, split":   {split, "pci/common/3", func(g *guest) { g.d.SetQueueSize(0, 100) }},
		"above the largest": {packed, "x/pci/queue-size", func(g *guest) { g.d.SetQueueSize(0, 512) }},
		"no such queue":     {split, "x/pci/queue-size", func(g *guest) { g.d.SetQueueSize(9, 16) }},
		"no addresses":      {split, "pci/common/4", func(g *guest) { g.d.SetQueueEnabled(0, 1) }},
		"disabled":          {split, "pci/common/6", func(g *guest) { g.d.SetQueueEnabled(0, 0) }},
		"changed when enabled": {split, "pci/common/4", func(g *guest) {
			g.addQueue(0, 16)
			g.d.SetQueueSize(0, 8)
		}},
		"enabled after DRIVER_OK": {split, "basic/init/1", func(g *guest) {
			q := g.newRing(0, 16)
			g.d.SetQueueSize(0, 16)
			for a, addr := range q.areas() {
				g.d.SetQueueAddress(0, vdev.Area(a), ^uint64(0), addr)
			}
			g.driverOK()
			g.d.SetQueueEnabled(0, 1)
		}},
		"split misaligned":  {split, "split/layout/1", func(g *guest) { enableAt(g, 16, 1, 4) }},
		"packed misaligned": {packed, "packed/layout/1", func(g *guest) { enableAt(g, 16, 2, 4) }},
		"not mapped": {split, "basic/reserved/5", func(g *guest) {
			enableAt(g, 1<<20, 0, 0)
			g.driverOK()
		}},
		"used ring not zero": {split, "split/avail-suppress/1", func(g *guest) {
			q := g.addQueue(0, 16)
			put32(q.(*splitVQ).used, 0, 1)
			g.driverOK()
		}},
		"descriptor ring not zero": {packed, "x/packed/zero", func(g *guest) {
			q := g.addQueue(0, 16)
			put64(q.(*packedVQ).desc, 8, 1<<63)
			g.driverOK()
		}},
		"queue reset not negotiated": {split, "basic/vqreset/1", func(g *guest) { g.d.ResetQueue(0) }},
		"queue set up in its reset": {split.With(virtio.RingReset), "pci/common/7", func(g *guest) {
			g.d.ResetQueue(0)
			g.d.SetQueueSize(0, 8)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, vdev.Config{}, 1<<16)
			g.negotiate(c.f)
			c.do(g)
			g.wantRules(c.rule)
		})
	}
}

// enableAt enables queue 0 with its areas shifted by so many bytes.
func enableAt(g *guest, desc, driver, device uint64) {
	q := g.newRing(0, 16)
	g.d.SetQueueSize(0, 16)
	for a, shift := range []uint64{desc, driver, device} {
		g.d.SetQueueAddress(0, vdev.Area(a), ^uint64(0), q.areas()[a]+shift)
	}
	g.d.SetQueueEnabled(0, 1)
}

func TestQueueSetUpBeforeFeatures(t *testing.T) {
	g := newGuest(t, vdev.Config{}, 4096)
	steps(g.d, 0, ack, drv)
	g.d.SetQueueSize(0, 16)
	g.wantRules("basic/init/1")
}

func TestQueueSizes(t *testing.T) {
	g := newGuest(t, vdev.Config{QueueSize: 512, QueueSizes: map[int]int{1: 0, 2: 64}}, 4096)
	for q, want := range []int{512, 0, 64} {
		if n := g.d.QueueSize(q); n != want {
			t.Errorf("queue %d has size %d, want %d", q, n, want)
		}
	}
	g.clean()
}

// With RING_RESET a queue can be stopped and set up anew while others go on.
func TestQueueReset(t *testing.T) {
	for name, f := range map[string]virtio.Features{"split": split, "packed": packed} {
		t.Run(name, func(t *testing.T) {
			g := newGuest(t, vdev.Config{}, 1<<16)
			_, tx := g.up(f.With(virtio.RingReset), 16)
			send := func() int {
				tx.add(false, good(g))
				tx.publish()
				return g.d.Poll()
			}
			if send() != 1 || !g.d.ResetQueue(1) || g.d.QueueInReset(1) || g.d.QueueEnabled(1) || g.d.QueueSize(1) != 256 {
				t.Fatal("the queue was not reset")
			}
			if send() != 0 {
				t.Error("a reset queue goes on")
			}
			tx = g.addQueue(1, 8)
			if send() != 1 {
				t.Error("the queue does not work after it was enabled again")
			}
			g.clean()
		})
	}
}

func TestResetFaults(t *testing.T) {
	g := newGuest(t, vdev.Config{}, 1<<16)
	_, tx := g.up(split, 16)
	g.d.SetFaults(vdev.Faults{ResetReads: 3})
	g.d.SetStatus(0)
	for i := range 3 {
		if s := g.d.Status(); s != driverOK {
			t.Errorf("read %d: status %v", i, s)
		}
	}
	// Until the reset is complete the device goes on using its rings.
	tx.add(false, good(g))
	tx.publish()
	if g.d.Poll() != 1 {
		t.Error("the device stopped before its reset was over")
	}
	if s := g.d.Status(); s != 0 || g.d.Poll() != 0 {
		t.Errorf("status %v after the reset", s)
	}
	g.clean()

	g.d.SetFaults(vdev.Faults{})
	g.up(split, 16)
	g.d.SetFaults(vdev.Faults{ResetReads: -1})
	g.d.SetStatus(0)
	for range 1000 {
		if g.d.Status() == 0 {
			t.Fatal("the reset completed")
		}
	}
	if err := g.d.UnmapMemory(g.base, len(g.mem)); err != nil {
		t.Fatal(err)
	}
	g.wantRules("basic/cleanup/2")
}

func TestFeaturesRefused(t *testing.T) {
	g := newGuest(t, vdev.Config{Faults: vdev.Faults{RefuseFeatures: true}}, 4096)
	steps(g.d, 0, ack, drv)
	g.d.SetAccepted(split.And(g.d.Offered()))
	steps(g.d, featuresOK)
	if s := g.d.Status(); s != drv {
		t.Errorf("status %v", s)
	}
	g.clean()
}

func TestDeviceConfig(t *testing.T) {
	g := newGuest(t, vdev.Config{Pairs: 4, MTU: 9000, Faults: vdev.Faults{GenerationFlaps: 2}}, 4096)
	d := g.d
	before := d.Generation()
	if v := d.ReadConfig(virtio.NetConfigMaxPairs, 2); v != 4 {
		t.Errorf("max_virtqueue_pairs %d", v)
	}
	if v := d.ReadConfig(virtio.NetConfigMTU, 2); v != 9000 {
		t.Errorf("mtu %d", v)
	}
	d.ReadConfig(0, 1)
	if n := d.Generation() - before; n != 2 {
		t.Errorf("the generation moved by %d", n)
	}
	g.clean()
	d.WriteConfig(0, 1, 5)
	d.ReadConfig(virtio.NetConfigMTU, 1)
	g.wantRules("net/config/1", "basic/init/2", "pci/access/1")
}

func TestConfigFieldNotOffered(t *testing.T) {
	g := newGuest(t, vdev.Config{Refuse: virtio.FeatureSet(virtio.NetMTU)}, 4096)
	g.d.ReadConfig(virtio.NetConfigMTU, 2)
	g.wantRules("basic/config/3")
}

func TestLinkAndNeedReset(t *testing.T) {
	g := newGuest(t, vdev.Config{Backend: wire.Gen(64)}, 1<<16)
	rx, _ := g.up(split, 16)
	addr, _ := g.alloc(2048, 16)
	rx.add(false, piece{addr, 2048, true})
	rx.publish()
	generation := g.d.Generation()
	g.d.SetLink(false)
	if g.d.ReadConfig(virtio.NetConfigStatus, 2) != 0 || g.irq.config.Load() != 1 || g.d.Generation() == generation {
		t.Error("the driver is not told that the link is down")
	}
	if g.d.Poll() != 0 {
		t.Error("frames pass while the link is down")
	}
	g.d.SetLink(true)
	if g.d.Poll() != 1 || g.irq.config.Load() != 2 {
		t.Error("nothing passes after the link is up again")
	}
	g.d.NeedReset()
	g.d.NeedReset()
	if s := g.d.Status(); s != driverOK|virtio.StatusNeedsReset || g.irq.config.Load() != 3 {
		t.Errorf("status %v, %d interrupts", s, g.irq.config.Load())
	}
	g.clean()
}

// Memory that is mapped already, or not aligned, cannot be mapped; only whole mappings
// can be unmapped.
func TestMemoryTable(t *testing.T) {
	g := newGuest(t, vdev.Config{}, 4*4096)
	d, m := g.d, g.mem
	for name, err := range map[string]error{
		"twice":            d.MapMemory(guestBase, m),
		"overlap below":    d.MapMemory(guestBase-4096, m[:8192]),
		"overlap above":    d.MapMemory(guestBase+3*4096, m[:8192]),
		"address":          d.MapMemory(5, m),
		"place":            d.MapMemory(1<<40, m[8:4096+8]),
		"size":             d.MapMemory(1<<40, m[:100]),
		"nothing":          d.MapMemory(1<<40, nil),
		"past the end":     d.MapMemory(^uint64(0)&^4095, m),
		"unmap a part":     d.UnmapMemory(guestBase, 4096),
		"unmap too much":   d.UnmapMemory(guestBase, 8*4096),
		"unmap elsewhere":  d.UnmapMemory(1<<40, 4096),
		"unmap below zero": d.UnmapMemory(guestBase, -4096),
	} {
		var e *vdev.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := d.UnmapMemory(guestBase, len(m)); err != nil {
		t.Fatal(err)
	}
	// Page by page, in another order, works as one: rings and buffers may cross.
	for _, page := range []int{2, 0, 3, 1} {
		if err := d.MapMemory(guestBase+uint64(page)*4096, m[page*4096:(page+1)*4096]); err != nil {
			t.Fatal(err)
		}
	}
	g.brk = 4096 - 64
	_, tx := g.up(split, 16)
	g.brk = 2*4096 - 20
	frame := make([]byte, 200)
	addr, b := g.alloc(300, 4)
	tx.add(false, piece{addr, copy(b, packet(frame)), false})
	tx.publish()
	if g.d.Poll() != 1 {
		t.Errorf("a packet across pages did not go out: %v", d.Violations())
	}
	g.clean()
}

// Unmapping memory of a live ring makes the device need a reset; it does not touch
// the memory any more.
func TestUnmapUnderLiveRing(t *testing.T) {
	g := newGuest(t, vdev.Config{Translated: true}, 1<<16)
	_, tx := g.up(split, 16)
	if err := g.d.UnmapMemory(g.base, len(g.mem)); err != nil {
		t.Fatal(err)
	}
	tx.add(false, good(g))
	tx.publish()
	if g.d.Poll() != 0 || !g.d.Status().Has(virtio.StatusNeedsReset) {
		t.Error("the device goes on")
	}
	g.wantRules("basic/cleanup/2")
}

func TestConfigErrors(t *testing.T) {
	for field, cfg := range map[string]vdev.Config{
		"MAC":           {MAC: []byte{1, 2}},
		"MTU":           {MTU: 70000},
		"Pairs":         {Pairs: 40000},
		"Burst":         {Burst: 65},
		"QueueSize":     {QueueSize: 1 << 16},
		"QueueSizes[3]": {QueueSizes: map[int]int{3: -1}},
		"IdleTurns":     {IdleTurns: -1},
		"Gen":           {Backend: wire.Gen(59)},
	} {
		_, err := vdev.New(cfg, nil)
		var e *vdev.Error
		if !errors.As(err, &e) || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
