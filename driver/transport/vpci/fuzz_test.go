package vpci_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
)

// FuzzOpen has a device answer anything: configuration space is the first 256
// bytes of the input, and what registers answer is falsified by the rest. The
// driver must neither panic nor hang, and must not touch what no capability of
// the device names (the region behind a BAR checks each access).
func FuzzOpen(f *testing.F) {
	for _, cfg := range []pcifn.Config{{}, {Transitional: true}, {LegacyOnly: true},
		{PIONotify: true}, {Vectors: pcifn.NoMSIX}} {
		fn, err := pcifn.New(cfg)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(fn.Peek(), []byte{})
		f.Add(fn.Peek(), []byte{0, 0, 0xff, 0, 1})
		_ = fn.Close()
	}
	f.Fuzz(func(t *testing.T, space, answers []byte) {
		fn, err := pcifn.New(pcifn.Config{PIONotify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer fn.Close()
		fn.Poke(0, space[:min(len(space), pci.ConfigSize)]...)
		// Another vendor is refused before anything else is read.
		fn.Poke(pci.RegVendorID, 0xf4, 0x1a)
		if len(answers) > 0 {
			i := 0
			fn.SetHooks(pcifn.Hooks{Read: func(_ int, _ uint64, _ int, v uint32) uint32 {
				i++
				return v ^ uint32(answers[i%len(answers)])*0x01010101
			}})
		}
		d, err := vpci.Open(fn, vpci.Options{})
		if err != nil {
			return
		}
		exercise(t, d)
	})
}

// exercise calls everything once. Any call may fail, but not because a register
// was accessed that is not there.
func exercise(t *testing.T, d *vpci.Device) {
	check := func(err error) {
		var outside *pci.Error
		if errors.As(err, &outside) && strings.HasPrefix(outside.Field, "BAR") {
			t.Error(err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	check(d.Reset(ended)) // reads once and gives up
	check(d.SetStatus(virtio.StatusAcknowledge))
	f, err := d.DeviceFeatures()
	check(err)
	check(d.CheckFeatures(f))
	check(d.SetDriverFeatures(f))
	check(d.ReadConfig(virtio.NetConfigMAC, 1, make([]byte, 6)))
	check(d.ReadConfig(virtio.NetConfigSpeed, 4, make([]byte, 4)))
	n, err := d.Queues()
	check(err)
	for q := range min(n, 4) {
		size, err := d.QueueSize(q)
		check(err)
		notifier, err := d.SetQueue(q, areas(page, size, f))
		check(err)
		if err == nil {
			notifier.Doorbell.Ring(uint32(notifier.ID))
		}
	}
	check(d.Close())
	for range d.Events() {
	}
}
