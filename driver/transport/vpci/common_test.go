package vpci_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// widths are those of the registers, by the names the log has for them. What
// is read only is in readOnly too (pci/common/1).
var widths = map[string]int{
	"device_feature_select": 4, "device_feature": 4,
	"driver_feature_select": 4, "driver_feature": 4,
	"config_msix_vector": 2, "num_queues": 2, "device_status": 1, "config_generation": 1,
	"queue_select": 2, "queue_size": 2, "queue_msix_vector": 2, "queue_enable": 2,
	"queue_notify_off": 2, "queue_desc (low)": 4, "queue_desc (high)": 4,
	"queue_driver (low)": 4, "queue_driver (high)": 4,
	"queue_device (low)": 4, "queue_device (high)": 4, "queue_notif_config_data": 2,
}

var readOnly = []string{"device_feature", "num_queues", "config_generation", "queue_notify_off",
	"queue_notif_config_data"}

// pci/access/1, pci/common/1, pci/common/6
func TestRegistersAreAccessedAsTheyShouldBe(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	bringUp(t, d, features.With(virtio.NotifConfigData))
	must(t, d.ReadConfig(virtio.NetConfigMAC, 1, make([]byte, 6)))
	must(t, d.ReadConfig(virtio.NetConfigStatus, 2, make([]byte, 2)))
	seen := make(map[string]bool)
	for _, a := range log(fn) {
		seen[a.Register] = true
		if a.Register == "config" {
			continue // the device itself checks these
		}
		if a.Width != widths[a.Register] {
			t.Errorf("wrong width: %v", a)
		}
		if a.Write && slices.Contains(readOnly, a.Register) {
			t.Errorf("written, but read only: %v", a)
		}
		if a.Write && a.Register == "queue_enable" && a.Value != 1 {
			t.Errorf("queue_enable is only ever written as 1: %v", a)
		}
	}
	for name := range widths {
		if !seen[name] {
			t.Errorf("%s was never accessed", name)
		}
	}
}

// pci/common/4: size, vector, addresses, and queue_enable last.
func TestOrderOfQueueSetUp(t *testing.T) {
	fn, d := emulate(t, pcifn.Config{})
	accepted := negotiate(t, d, features)
	fn.ClearLog()
	_, err := d.SetQueue(1, areas(0x1_2345_0000, 64, accepted))
	must(t, err)
	var order []string
	for _, a := range log(fn) {
		if a.Write {
			order = append(order, a.String())
		}
	}
	want := []string{"queue_select/2 <- 0x1", "config_msix_vector/2 <- 0x0",
		"queue_size/2 <- 0x40", "queue_msix_vector/2 <- 0xffff",
		"queue_desc (low)/4 <- 0x23450000", "queue_desc (high)/4 <- 0x1",
		"queue_driver (low)/4 <- 0x23451000", "queue_driver (high)/4 <- 0x1",
		"queue_device (low)/4 <- 0x23452000", "queue_device (high)/4 <- 0x1",
		"queue_enable/2 <- 0x1"}
	if !slices.Equal(order, want) {
		t.Errorf("written:\n%s\nwanted:\n%s", strings.Join(order, "\n"), strings.Join(want, "\n"))
	}
	reset(t, d)
}

// x/pci/feature-windows: bits of all four windows are read and written.
func TestFeatureWindows(t *testing.T) {
	all := virtio.Features{^uint64(0), ^uint64(0)}
	fn, d := emulate(t, pcifn.Config{Device: vdev.Config{Offer: all}})
	offered, err := d.DeviceFeatures()
	if err != nil || offered != all {
		t.Errorf("offered %v, %v", offered, err)
	}
	if got := writes(fn, "device_feature_select"); !slices.Equal(got, []uint32{0, 1, 2, 3}) {
		t.Errorf("windows selected: %v", got)
	}
	reset(t, d)
	must(t, d.SetStatus(virtio.StatusAcknowledge))
	must(t, d.SetStatus(virtio.StatusAcknowledge|virtio.StatusDriver))
	fn.ClearLog()
	must(t, d.SetDriverFeatures(virtio.Features{0x11111111_00000000, 0x33333333_22222222}))
	if got := writes(fn, "driver_feature_select"); !slices.Equal(got, []uint32{0, 1, 2, 3}) {
		t.Errorf("windows selected: %v", got)
	}
	if got := writes(fn, "driver_feature"); !slices.Equal(got, []uint32{0, 0x11111111, 0x22222222, 0x33333333}) {
		t.Errorf("windows written: %#x", got)
	}
}

// Features whose register is beyond the end of the structure are not offered, and
// are refused if the driver accepts them all the same (fault/41).
func TestFeaturesWithoutTheirRegister(t *testing.T) {
	for _, c := range []struct {
		length  uint32
		missing virtio.Features
	}{
		{56, virtio.FeatureSet(virtio.NotifConfigData, virtio.RingReset)},
		{57, virtio.FeatureSet(virtio.NotifConfigData, virtio.RingReset)},
		{58, virtio.FeatureSet(virtio.RingReset)},
		{60, virtio.Features{}},
		{64, virtio.Features{}},
	} {
		fn := function(t, pcifn.Config{})
		put32(fn, fn.Capability(capCommon)+fieldLength, c.length)
		d := open(t, fn)
		offered, err := d.DeviceFeatures()
		must(t, err)
		if got := fn.Device().Offered().Minus(offered); got != c.missing {
			t.Errorf("with %d bytes %v are left out, not %v", c.length, got, c.missing)
		}
		for _, f := range c.missing.List() {
			e := as[*transport.FeatureError](t, d.CheckFeatures(features.With(f)))
			if e.Unusable != virtio.FeatureSet(f) {
				t.Errorf("unusable: %v", e.Unusable)
			}
		}
		if c.missing.Has(virtio.NotifConfigData) {
			negotiate(t, d, features)
			_, err := d.SetQueue(0, areas(page, 64, virtio.FeatureSet(virtio.NotifConfigData)))
			if e := as[*transport.Error](t, err); e.Field != "queue_notif_config_data" {
				t.Errorf("%v", err)
			}
		}
	}
}

// basic/reserved/4, basic/reserved/5: what addresses the device takes has to
// fit how it reaches memory.
func TestCheckFeatures(t *testing.T) {
	modern := virtio.FeatureSet(virtio.Version1)
	both := modern.With(virtio.AccessPlatform)
	for name, c := range map[string]struct {
		physical          bool
		features          virtio.Features
		missing, unusable virtio.Features
		remedy            string
	}{
		"IOMMU": {false, both, virtio.Features{}, virtio.Features{}, ""},
		"IOMMU, device bypasses it": {false, modern, virtio.FeatureSet(virtio.AccessPlatform),
			virtio.Features{}, "iommu_platform=on"},
		"no IOMMU":                  {true, modern, virtio.Features{}, virtio.Features{}, ""},
		"no IOMMU, ACCESS_PLATFORM": {true, both, virtio.Features{}, virtio.Features{}, ""},
		"without VERSION_1": {true, virtio.Features{}, modern, virtio.Features{},
			"disable-legacy=on"},
		"basic/reserved/9 SR_IOV": {false, both.With(virtio.SRIOV), virtio.Features{},
			virtio.FeatureSet(virtio.SRIOV), ""},
		"pci/common/9 admin virtqueues": {false, both.With(virtio.AdminVQ), virtio.Features{},
			virtio.FeatureSet(virtio.AdminVQ), ""},
		"NOTIFICATION_DATA, ring resets": {false,
			both.With(virtio.NotificationData).With(virtio.RingReset), virtio.Features{},
			virtio.Features{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, d := emulate(t, pcifn.Config{Physical: c.physical})
			err := d.CheckFeatures(c.features)
			if c.missing.Empty() && c.unusable.Empty() {
				must(t, err)
				return
			}
			e := as[*transport.FeatureError](t, err)
			if e.Missing != c.missing || e.Unusable != c.unusable ||
				!strings.Contains(err.Error(), c.remedy) {
				t.Errorf("%v", err)
			}
		})
	}
}
