package driver_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// A port receives packets for its own address, for one multicast address, and broadcasts.
// The device drops all others, before they cost a buffer or the time of a CPU.
func ExamplePort_SetMACFilter() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	options := devargs.Options{Cables: new(devargs.Cables), Memory: hugepages.Options{SmallPages: true}}
	near, err := devargs.Open(ctx, "emu:cable=filtered,mac=02:00:00:00:00:01", options)
	if err != nil {
		log.Fatal(err)
	}
	far, err := devargs.Open(ctx, "emu:cable=filtered", options)
	if err != nil {
		log.Fatal(err)
	}

	mdns := net.HardwareAddr{0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb}
	err = errors.Join(near.SetPromiscuous(ctx, false),
		near.SetMACFilter(ctx, nil, []net.HardwareAddr{mdns}))
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("the device does not filter:", err) // look at the addresses of packets then
	} else if err != nil {
		log.Fatal(err)
	}

	for _, to := range []net.HardwareAddr{
		near.MAC(), mdns, {0x02, 0, 0, 0, 0, 0x99}, {0x01, 0x00, 0x5e, 0x00, 0x00, 0x01},
		{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		send(far, to)
	}
	for bufs := make([]*mbuf.Buf, 32); near.Stats().RxPackets < 3 && ctx.Err() == nil; {
		n := near.RxQueue(0).Burst(bufs)
		for _, b := range bufs[:n] {
			fmt.Println("received a packet for", net.HardwareAddr(b.Data()[:6]))
		}
		mbuf.Free(bufs[:n])
	}
	if err := errors.Join(near.Close(), far.Close()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// received a packet for 02:00:00:00:00:01
	// received a packet for 01:00:5e:00:00:fb
	// received a packet for ff:ff:ff:ff:ff:ff
}

// send transmits a packet without content to an address.
func send(p *driver.Port, to net.HardwareAddr) {
	bufs := make([]*mbuf.Buf, 1)
	if p.Pool().Get(bufs) == 0 {
		log.Fatal("the pool is empty")
	}
	header := bufs[0].Append(60)
	copy(header, to)
	copy(header[6:], p.MAC())
	for p.TxQueue(0).Burst(bufs) == 0 {
	}
}
