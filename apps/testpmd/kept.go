package main

import (
	"context"
	"errors"
	"net"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// kept is what commands have set on a port, which it has again when it was set up anew.
type kept struct {
	mac                net.HardwareAddr
	mode               driver.RxMode
	unicast, multicast []net.HardwareAddr
	vlans              []uint16
	rss                driver.RSS
	hasRSS             bool
}

// keep returns what is set on a port.
func keep(p *port) kept {
	dev := p.dev
	k := kept{mac: dev.MAC(), mode: dev.RxMode(), vlans: dev.VLANs()}
	k.unicast, k.multicast = dev.MACFilter()
	k.rss, k.hasRSS = dev.RSS()
	return k
}

// apply sets it on a port, as far as that differs.
func (k kept) apply(ctx context.Context, dev *driver.Port) error {
	var errs []error
	if dev.MAC().String() != k.mac.String() {
		errs = append(errs, dev.SetMAC(ctx, k.mac))
	}
	if dev.Features().Has(virtio.NetCtrlRx) { // a device may begin in promiscuous mode
		errs = append(errs, dev.SetPromiscuous(ctx, k.mode.Promiscuous))
	}
	if dev.RxMode() != k.mode {
		errs = append(errs, dev.SetRxMode(ctx, k.mode))
	}
	if len(k.unicast)+len(k.multicast) > 0 {
		errs = append(errs, dev.SetMACFilter(ctx, k.unicast, k.multicast))
	}
	if dev.Features().Has(virtio.NetCtrlVLAN) {
		for _, id := range k.vlans {
			errs = append(errs, dev.AddVLAN(ctx, id))
		}
	}
	if _, has := dev.RSS(); has && k.hasRSS {
		k.rss.Table = nil // there may be other queues
		errs = append(errs, dev.SetRSS(ctx, k.rss))
	}
	return errors.Join(errs...)
}
