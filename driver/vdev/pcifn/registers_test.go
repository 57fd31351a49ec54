package pcifn

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Offsets of the common configuration, written from 4.1.4.3 for the tests, as a
// driver has them.
const (
	cDeviceFeatureSelect = 0x00
	cDeviceFeature       = 0x04
	cDriverFeatureSelect = 0x08
	cDriverFeature       = 0x0c
	cConfigVector        = 0x10
	cNumQueues           = 0x12
	cStatus              = 0x14
	cGeneration          = 0x15
	cQueueSelect         = 0x16
	cQueueSize           = 0x18
	cQueueVector         = 0x1a
	cQueueEnable         = 0x1c
	cQueueNotifyOff      = 0x1e
	cQueueDesc           = 0x20
	cQueueDriver         = 0x28
	cQueueDevice         = 0x30
	cQueueNotifData      = 0x38
	cQueueReset          = 0x3a
)

// host is a driver at the level of registers.
type host struct {
	t   *testing.T
	f   *Function
	r   pci.Region // BAR 4
	mem []byte
}

const hostBase = 0x10_0000

func newHost(t *testing.T, cfg Config) *host {
	t.Helper()
	f := open(t, cfg)
	r, err := f.Region(modernBAR)
	if err != nil {
		t.Fatal(err)
	}
	mem, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = f.Close()
		_ = unix.Munmap(mem)
	})
	if err := f.MapDMA(hostBase, mem); err != nil {
		t.Fatal(err)
	}
	return &host{t, f, r, mem}
}

func (h *host) put(off uint64, width int, v uint64) {
	h.t.Helper()
	var err error
	switch width {
	case 1:
		err = h.r.Write8(off, uint8(v))
	case 2:
		err = h.r.Write16(off, uint16(v))
	case 4:
		err = h.r.Write32(off, uint32(v))
	case 8:
		h.put(off, 4, v&0xffffffff)
		h.put(off+4, 4, v>>32)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) get(off uint64, width int) uint32 {
	h.t.Helper()
	var v uint32
	var err error
	switch width {
	case 1:
		var b uint8
		b, err = h.r.Read8(off)
		v = uint32(b)
	case 2:
		var w uint16
		w, err = h.r.Read16(off)
		v = uint32(w)
	case 4:
		v, err = h.r.Read32(off)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func (h *host) status(s virtio.Status) virtio.Status {
	h.put(cStatus, 1, uint64(s))
	return virtio.Status(h.get(cStatus, 1))
}

// negotiate goes up to FEATURES_OK with a set of features.
func (h *host) negotiate(f virtio.Features) {
	h.t.Helper()
	h.status(0)
	h.status(1)
	h.status(3)
	for i := range uint64(4) {
		h.put(cDriverFeatureSelect, 4, i)
		h.put(cDriverFeature, 4, uint64(f.Window(int(i))))
	}
	if s := h.status(11); s != 11 {
		h.t.Fatalf("status %v after FEATURES_OK: %v", s, h.f.Device().Violations())
	}
}

// queue sets a split queue of 8 entries up, in a page of its own.
func (h *host) queue(i int) {
	at := uint64(hostBase + i*4096)
	h.put(cQueueSelect, 2, uint64(i))
	h.put(cQueueSize, 2, 8)
	h.put(cQueueDesc, 8, at)
	h.put(cQueueDriver, 8, at+256)
	h.put(cQueueDevice, 8, at+512)
	h.put(cQueueEnable, 2, 1)
}

// up brings a function up with a pair of queues.
func (h *host) up(f virtio.Features) {
	h.t.Helper()
	h.negotiate(f)
	h.queue(0)
	h.queue(1)
	if s := h.status(15); s != 15 {
		h.t.Fatalf("status %v: %v", s, h.f.Device().Violations())
	}
}

var minimal = virtio.FeatureSet(virtio.Version1, virtio.AccessPlatform)

// Every register answers to exactly its own width, and a 64-bit field to its
// halves.
func TestCommonRegisters(t *testing.T) {
	h := newHost(t, Config{})
	h.negotiate(minimal.With(virtio.RingReset))
	for off, want := range map[uint64]uint32{cNumQueues: 3, cQueueSize: 256, cQueueVector: virtio.NoVector, cConfigVector: virtio.NoVector,
		cQueueEnable: 0, cQueueReset: 0, 0x3c: 0, 0x3e: 0} {
		if v := h.get(off, 2); v != want {
			t.Errorf("register %#x reads as %#x, want %#x", off, v, want)
		}
	}
	h.put(cQueueSelect, 2, 1)
	h.put(cQueueDesc, 8, 0x1122334455667780)
	if lo, hi := h.get(cQueueDesc, 4), h.get(cQueueDesc+4, 4); lo != 0x55667780 || hi != 0x11223344 {
		t.Errorf("queue_desc reads as %#x %#x", lo, hi)
	}
	if a := h.f.Device().QueueAddress(1, vdev.DescArea); a != 0x1122334455667780 {
		t.Errorf("queue_desc is %#x", a)
	}
	if v := h.get(cQueueNotifyOff, 2); v != 1 {
		t.Errorf("queue_notify_off %d", v)
	}
	h.put(cQueueSelect, 2, 0)
	h.queue(0)
	if h.get(cQueueEnable, 2) != 1 {
		t.Error("the queue is not enabled")
	}
	h.put(cQueueReset, 2, 1)
	if h.get(cQueueReset, 2) != 0 || h.get(cQueueEnable, 2) != 0 || h.get(cQueueSize, 2) != 256 {
		t.Error("the queue was not reset")
	}
	h.put(cQueueSelect, 2, 77)
	if h.get(cQueueSize, 2) != 0 || h.get(cQueueEnable, 2) != 0 {
		t.Error("queue 77 exists")
	}
	h.put(cDeviceFeatureSelect, 4, 4)
	if h.get(cDeviceFeature, 4) != 0 {
		t.Error("features beyond 127")
	}
	wantRules(t, h.f.Device())
}

func TestWrongAccess(t *testing.T) {
	for name, c := range map[string]struct {
		rule string
		do   func(h *host)
	}{
		"status as 16 bits":       {"pci/access/1", func(h *host) { h.get(cStatus, 2) }},
		"status as 32 bits":       {"pci/access/1", func(h *host) { h.get(cStatus, 4) }},
		"queue_size as 8 bits":    {"pci/access/1", func(h *host) { h.put(cQueueSize, 1, 8) }},
		"queue_desc as 16 bits":   {"pci/access/1", func(h *host) { h.put(cQueueDesc, 2, 8) }},
		"middle of a field":       {"pci/access/1", func(h *host) { h.get(cDeviceFeature+2, 2) }},
		"behind the structure":    {"pci/access/1", func(h *host) { h.get(0x40, 4) }},
		"device_feature":          {"pci/common/1", func(h *host) { h.put(cDeviceFeature, 4, 0) }},
		"num_queues":              {"pci/common/1", func(h *host) { h.put(cNumQueues, 2, 1) }},
		"config_generation":       {"pci/common/1", func(h *host) { h.put(cGeneration, 1, 1) }},
		"queue_notify_off":        {"pci/common/1", func(h *host) { h.put(cQueueNotifyOff, 2, 1) }},
		"queue_notif_config_data": {"pci/common/1", func(h *host) { h.put(cQueueNotifData, 2, 1) }},
		"queue_enable 0": {"pci/common/6", func(h *host) {
			h.negotiate(minimal)
			h.put(cQueueEnable, 2, 0)
		}},
		"device configuration": {"net/config/1", func(h *host) {
			h.negotiate(minimal)
			h.put(deviceOff, 1, 0)
		}},
		"ISR":           {"pci/access/1", func(h *host) { h.put(isrOff, 1, 0) }},
		"window 4":      {"basic/features/1", func(h *host) { h.put(cDriverFeatureSelect, 4, 4); h.put(cDriverFeature, 4, 1) }},
		"vector 4 of 4": {"pci/msix/2", func(h *host) { h.put(cConfigVector, 2, 4) }},
		"queue_reset 2": {"basic/vqreset/1", func(h *host) { h.put(cQueueReset, 2, 2) }},
		"capability": {"pci/caps/8", func(h *host) {
			if err := h.f.WriteConfig(h.f.Capability(capCommon)+8, 4, 5); err != nil {
				h.t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t, Config{})
			c.do(h)
			wantRules(t, h.f.Device(), c.rule)
		})
	}
}

// An access outside of a BAR, or not aligned, is an error and has no effect.
func TestRegionErrors(t *testing.T) {
	h := newHost(t, Config{})
	size := h.r.Size()
	if size != 0x4000 {
		t.Errorf("BAR 4 has %#x bytes", size)
	}
	_, e1 := h.r.Read32(size)
	_, e2 := h.r.Read32(size - 2)
	_, e3 := h.r.Read16(1)
	_, e4 := h.r.Read32(^uint64(0) - 3)
	_, e5 := h.r.Doorbell(size, 2)
	_, e6 := h.r.Doorbell(1, 2)
	for i, err := range []error{e1, e2, e3, e4, e5, e6, h.r.Write8(size, 0)} {
		if e, ok := err.(*pci.Error); !ok || e.Field != "BAR 4" {
			t.Errorf("access %d: %v", i, err)
		}
	}
	for _, bar := range []int{-1, 0, 2, 5, 6} {
		if _, err := h.f.Region(bar); !isBARError(err, bar) {
			t.Errorf("BAR %d: %v", bar, err)
		}
	}
	wantRules(t, h.f.Device())
}

func isBARError(err error, bar int) bool {
	e, ok := err.(*pci.Error)
	return ok && e.Field == fmt.Sprintf("BAR %d", bar)
}

// The log has every access in order, with the names of the registers.
func TestLog(t *testing.T) {
	h := newHost(t, Config{Log: true})
	if _, err := h.f.ReadConfig(0, 4); err != nil {
		t.Fatal(err)
	}
	h.up(minimal)
	bell, err := h.r.Doorbell(notifyOff+4, 2)
	if err != nil {
		t.Fatal(err)
	}
	bell.Ring(1)
	h.get(deviceOff, 1)
	h.get(isrOff, 1)
	log := h.f.Log()
	var names []string
	for _, a := range log {
		if a.Write && a.Register == "queue_enable" || a.Register == "notify" || a.BAR == ConfigSpace {
			names = append(names, a.String())
		}
	}
	want := []string{"config space 0x00/4 -> 0x10411af4", "queue_enable/2 <- 0x1", "queue_enable/2 <- 0x1", "notify/2 <- 0x1"}
	if len(names) != len(want) {
		t.Fatalf("log %v", names)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("entry %d: %s", i, names[i])
		}
	}
	if last := log[len(log)-1]; last.Register != "ISR" || log[len(log)-2].Register != "config" {
		t.Errorf("the log ends with %v", last)
	}
	if h.f.ClearLog(); len(h.f.Log()) != 0 {
		t.Error("the log was not cleared")
	}
}

// The device configuration is as long as its last field, of HASH_TUNNEL, is read through the
// BAR, and ends there.
func TestDeviceConfigurationOfHashes(t *testing.T) {
	h := newHost(t, Config{Device: vdev.Config{Pairs: 4, RSSKeySize: 44, RSSTable: 256, HashTypes: virtio.HashIPv4,
		TunnelTypes: virtio.TunnelIPIP}})
	for _, field := range []struct {
		off   uint64
		width int
		want  uint32
	}{
		{virtio.NetConfigMaxPairs, 2, 4}, {virtio.NetConfigRSSMaxKeySize, 1, 44}, {virtio.NetConfigRSSMaxTable, 2, 256},
		{virtio.NetConfigHashTypes, 4, uint32(virtio.HashIPv4)}, {virtio.NetConfigTunnelTypes, 4, uint32(virtio.TunnelIPIP)},
		{virtio.NetConfigTunnelTypes + 4, 4, 0},
	} {
		if v := h.get(deviceOff+field.off, field.width); v != field.want {
			t.Errorf("the field at %d is %#x, want %#x", field.off, v, field.want)
		}
	}
	rules := h.f.Device().Violations()
	if len(rules) != 1 || rules[0].Rule != "pci/access/1" { // behind the end
		t.Errorf("recorded: %v", rules)
	}
}

// A queue that is reset has no vector, its largest size and no addresses, and can be
// enabled with other ones (2.6.1).
func TestQueueResetThroughRegisters(t *testing.T) {
	h := newHost(t, Config{Device: vdev.Config{QueueSize: 64}})
	h.up(minimal.With(virtio.RingReset))
	h.put(cQueueSelect, 2, 1)
	h.put(cQueueReset, 2, 1)
	if v := h.get(cQueueReset, 2); v != 0 || h.get(cQueueEnable, 2) != 0 || h.get(cQueueSize, 2) != 64 ||
		h.get(cQueueVector, 2) != virtio.NoVector || h.get(cQueueDesc, 4) != 0 || h.get(cQueueDevice+4, 4) != 0 {
		t.Errorf("queue_reset %d, enabled %d, size %d, vector %#x, descriptors at %#x", v, h.get(cQueueEnable, 2), h.get(cQueueSize, 2),
			h.get(cQueueVector, 2), h.get(cQueueDesc, 4))
	}
	h.queue(1)
	if h.get(cQueueEnable, 2) != 1 || h.get(cQueueSize, 2) != 8 {
		t.Error("the queue was not enabled again")
	}
	if rules := h.f.Device().Violations(); len(rules) != 0 {
		t.Errorf("recorded: %v", rules)
	}
}
