package driver_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Flows are spread over four queues, of which the last one is kept for packets that cannot
// be hashed. When there is less to do, two pairs are enough, and a queue that loses packets
// is made larger, all while packets flow.
func ExamplePort_SetRSS() {
	ctx := context.Background()
	port, err := devargs.Open(ctx, "emu:null,queues=4,rx_queue_size=64,rss=all,hash=1", // or "0000:00:03.0,…"
		devargs.Options{Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = port.Close() }()

	table := make([]uint16, 128)
	for i := range table {
		table[i] = uint16(i % 3)
	}
	err = port.SetRSS(ctx, driver.RSS{Table: table, Unclassified: 3})
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		fmt.Println("the device spreads packets by itself:", err)
	case err != nil:
		log.Fatal(err)
	}
	// The hash of a packet comes with it: hash, report := buf.Hash()

	if err := port.SetQueuePairs(ctx, 2); err != nil {
		log.Fatal(err)
	}
	rss, _ := port.RSS()
	fmt.Println("with", port.ActivePairs(), "pairs the table begins with", rss.Table[:6])

	if err := port.ResizeRxQueue(ctx, 0, 256); err != nil {
		log.Fatal(err)
	}
	fmt.Println("receive queue 0 has", port.Stats().Queues[0].Rx.Posted, "buffers")

	// Output:
	// with 2 pairs the table begins with [0 1 0 0 1 0]
	// receive queue 0 has 256 buffers
}

// Flows inside VXLAN tunnels, of which all packets have the same outer addresses, are spread
// by the headers of the packets inside.
func ExamplePort_SetInnerHash() {
	ctx := context.Background()
	port, err := devargs.Open(ctx, "emu:null,queues=2,rss=all,inner_hash=all", // or "0000:00:03.0,…"
		devargs.Options{Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = port.Close() }()

	wanted := virtio.TunnelVXLAN | virtio.TunnelGeneve
	if missing := wanted &^ port.RSSLimits().Tunnels; missing != 0 {
		fmt.Println("the device cannot look into", missing)
	}
	if err := port.SetInnerHash(ctx, wanted&port.RSSLimits().Tunnels); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the device looks into VXLAN:", port.InnerHash()&virtio.TunnelVXLAN != 0)

	// Output:
	// the device looks into VXLAN: true
}
