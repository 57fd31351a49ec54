package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// commands tells a function what to receive, in steps: ADDRESS [noiommu] [polled]. In each it
// prints "step NAME marker MAC", receives frames until there is one with the marker's number, and
// prints "arrived NAME: NUMBERS". Then it prints the port's events until SIGTERM. With polled the
// driver is shown no interrupts of the function.
func commands(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("commands ADDRESS [noiommu] [polled]")
	}
	open := openFunction
	if slices.Contains(args, "polled") {
		open = openSilent
	}
	port, err := open(args[0], vfio.Options{NoIOMMU: slices.Contains(args, "noiommu")},
		driver.Config{Request: virtio.FeatureSet(virtio.NetCtrlVLAN)})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	events := make(chan driver.Event, 64)
	defer port.Notify(events)()
	if err := filterSteps(ctx, port); err != nil {
		return errors.Join(err, port.Close())
	}
	if err := notOffered(ctx, port); err != nil {
		return errors.Join(err, port.Close())
	}
	watch(ctx, port, events)
	return port.Close()
}

// everyone is the broadcast address, the marker of steps in which it is received.
var everyone = net.HardwareAddr{255, 255, 255, 255, 255, 255}

// The addresses of the test's frames.
var (
	second, third = net.HardwareAddr{2, 0, 0, 0, 0, 2}, net.HardwareAddr{2, 0, 0, 0, 0, 3}
	groupA        = net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}
	groupB        = net.HardwareAddr{1, 0, 0x5e, 0, 0, 2}
)

// filterSteps sets filters and modes one after the other, and receives in each step.
func filterSteps(ctx context.Context, p *driver.Port) error {
	own := p.MAC()
	mode := func(m driver.RxMode) func() error {
		return func() error { return p.SetRxMode(ctx, m) }
	}
	for _, step := range []struct {
		name   string
		marker net.HardwareAddr
		set    func() error
	}{
		{"promiscuous", everyone, func() error { return p.SetPromiscuous(ctx, true) }},
		{"not-promiscuous", everyone, func() error { return p.SetPromiscuous(ctx, false) }},
		{"addresses", everyone, func() error {
			return p.SetMACFilter(ctx, []net.HardwareAddr{second}, []net.HardwareAddr{groupA})
		}},
		{"one-more-one-less", everyone, func() error {
			return errors.Join(p.AddMAC(ctx, groupB), p.RemoveMAC(ctx, second))
		}},
		{"another-address", everyone, func() error { return p.SetMAC(ctx, third) }},
		{"own-address", everyone, func() error { return p.SetMAC(ctx, own) }},
		{"no-addresses", everyone, func() error { return p.SetMACFilter(ctx, nil, nil) }},
		{"all-multicast", everyone, func() error { return p.SetAllMulticast(ctx, true) }},
		{"all-unicast", everyone, mode(driver.RxMode{AllUnicast: true})},
		{"no-unicast", everyone, mode(driver.RxMode{AllUnicast: true, NoUnicast: true})},
		{"no-multicast", everyone, mode(driver.RxMode{AllMulticast: true, NoMulticast: true})},
		{"no-broadcast", own, mode(driver.RxMode{AllMulticast: true, NoBroadcast: true})},
		{"several-modes", own, mode(driver.RxMode{NoBroadcast: true, NoMulticast: true, AllUnicast: true})},
		{"no-modes", everyone, mode(driver.RxMode{})},
		{"vlan", everyone, func() error { return p.AddVLAN(ctx, 5) }},
		{"two-vlans", everyone, func() error { return p.AddVLAN(ctx, 6) }},
		{"one-vlan", everyone, func() error { return p.RemoveVLAN(ctx, 5) }},
		{"no-vlan", everyone, func() error { return p.RemoveVLAN(ctx, 6) }},
	} {
		if err := step.set(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Println("step", step.name, "marker", step.marker)
		numbers, err := untilMarker(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Printf("arrived %s: %s.\n", step.name, strings.Join(numbers, " "))
	}
	return nil
}

// markerNumber is the last byte of the frame that ends a step.
const markerNumber = 0xff

// untilMarker returns the last bytes of the frames that arrive before the marker.
func untilMarker(ctx context.Context, p *driver.Port) (numbers []string, err error) {
	bufs := make([]*mbuf.Buf, 32)
	for marked := false; !marked; {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := p.RxQueue(0).Burst(bufs)
		for _, b := range bufs[:n] {
			frame := b.Data()
			if last := frame[len(frame)-1]; last == markerNumber {
				marked = true
			} else {
				numbers = append(numbers, fmt.Sprint(last))
			}
		}
		mbuf.Free(bufs[:n])
	}
	return numbers, nil
}

// notOffered tries what QEMU's device does not offer, which has to be refused.
func notOffered(ctx context.Context, p *driver.Port) error {
	_, stats := p.DeviceStats(ctx)
	for what, err := range map[string]error{
		"coalescing": p.SetRxCoalescing(ctx, driver.Coalescing{Packets: 8, Delay: time.Millisecond}),
		"statistics": stats,
	} {
		if !errors.Is(err, errors.ErrUnsupported) {
			return fmt.Errorf("%s, which is not offered: %w", what, err)
		}
	}
	return nil
}

// watch prints events until ctx ends, and when the device's request to announce has gone.
func watch(ctx context.Context, p *driver.Port, events <-chan driver.Event) {
	for _, d := range p.Info().Details {
		if d.Name == "interrupts" {
			fmt.Println("watching by", d.Value)
		}
	}
	for links := 0; ; {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			switch e.Kind {
			case driver.LinkChanged:
				links++
				fmt.Printf("link %d %v\n", links, e.Link.Up)
			case driver.AnnounceRequested:
				fmt.Println("announce requested")
				for ctx.Err() == nil && announcing(p) {
					time.Sleep(time.Millisecond)
				}
				fmt.Println("announce acknowledged")
			}
		}
	}
}

// announcing reports whether the device's configuration asks for an announcement.
func announcing(p *driver.Port) bool {
	for _, f := range p.Info().Config {
		if f.Name == "status" {
			return strings.Contains(f.Value, "ANNOUNCE")
		}
	}
	return false
}
