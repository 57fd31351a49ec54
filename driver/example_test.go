package driver_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/poll"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// Packets are forwarded from one port to another without being copied: both ports
// use one pool, so that a buffer that one received is one that the other can send.
func Example() {
	pool, err := mbuf.NewPool(mbuf.Config{Count: 4096, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		log.Fatal(err)
	}
	options := devargs.Options{Pool: pool}
	in, err := devargs.Open(context.Background(), "emu:gen", options) // or "0000:00:03.0"
	if err != nil {
		log.Fatal(err)
	}
	out, err := devargs.Open(context.Background(), "emu:null", options)
	if err != nil {
		log.Fatal(err)
	}
	rx, tx := in.RxQueue(0), out.TxQueue(0)
	bufs := make([]*mbuf.Buf, 32)
	forwarded := 0
	for forwarded < 1000 {
		n := rx.Burst(bufs[:min(len(bufs), 1000-forwarded)])
		sent := tx.Burst(bufs[:n])
		mbuf.Free(bufs[sent:n])
		forwarded += sent
	}
	fmt.Println("forwarded", out.Stats().TxPackets, "packets")

	// Closing the ports brings back the buffers that their devices had.
	if err := in.Close(); err != nil {
		log.Fatal(err)
	}
	if err := out.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(pool.Free(), "of", pool.Size(), "buffers are free")
	// Output:
	// forwarded 1000 packets
	// 4096 of 4096 buffers are free
}

// Open takes the device as a transport: here that of a PCI function, which is one
// in software. Package devargs does this for the text of a port.
func ExampleOpen() {
	fn, err := pcifn.New(pcifn.Config{Address: "emulated", Device: vdev.Config{
		MAC: net.HardwareAddr{0x02, 0, 0, 0, 0, 0x07}, Pairs: 4, Backend: wire.Loop(),
	}})
	if err != nil {
		log.Fatal(err)
	}
	fn.Device().Start()
	device, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		log.Fatal(err)
	}
	memory := hugepages.Options{SmallPages: true}
	port, err := driver.Open(device, driver.Config{Queues: 2, Memory: memory})
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	fmt.Println(port.MAC(), "MTU", port.MTU(), "with", port.Queues(), "queue pairs")
	fmt.Println(port.Path())
	// Output:
	// 02:00:00:00:00:07 MTU 1500 with 2 queue pairs
	// RX packed, in-order, event-idx, mergeable; TX packed, in-order, event-idx, indirect
}

// A queue belongs to one goroutine, and the queue pairs of a port can be served by
// one each. The counters can be read by another.
func ExamplePort_Stats() {
	port, err := devargs.Open(context.Background(), "emu:gen,queues=2", devargs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	var pollers sync.WaitGroup
	for i := range port.Queues() {
		pollers.Go(func() {
			rx := port.RxQueue(i)
			bufs := make([]*mbuf.Buf, 32)
			for left := 500; left > 0; {
				n := rx.Burst(bufs[:min(len(bufs), left)])
				mbuf.Free(bufs[:n])
				left -= n
			}
		})
	}
	pollers.Wait()
	s := port.Stats()
	fmt.Println("received", s.RxPackets, "packets of", s.RxBytes/s.RxPackets, "bytes")
	for i, q := range s.Queues {
		fmt.Println("queue", i, "received", q.Rx.Packets)
	}
	// Output:
	// received 1000 packets of 64 bytes
	// queue 0 received 500
	// queue 1 received 500
}

// One port asks for the hardware address of the other, at the far end of a cable,
// by ARP. Package gopacket writes and reads the packets.
func Example_arpResponder() {
	cables := devargs.Options{Cables: new(devargs.Cables)}
	near, err := devargs.Open(context.Background(), "emu:cable=x,mac=02:00:00:00:00:01", cables)
	if err != nil {
		log.Fatal(err)
	}
	defer near.Close()
	far, err := devargs.Open(context.Background(), "emu:cable=x,mac=02:00:00:00:00:02", cables)
	if err != nil {
		log.Fatal(err)
	}
	defer far.Close()

	// The responder turns each request into the answer, in the same buffer.
	address := net.IPv4(192, 0, 2, 2).To4()
	asks := func(request *layers.ARP) bool {
		return request.Operation == layers.ARPRequest && address.Equal(request.DstProtAddress)
	}
	answer := func(packets []*mbuf.Buf) []*mbuf.Buf {
		answers := packets[:0]
		for _, b := range packets {
			request, ok := parseARP(b)
			if !ok || !asks(request) {
				b.Free()
				continue
			}
			b.Reset()
			b.AppendBytes(arp(layers.ARPReply, far.MAC(), address,
				request.SourceHwAddress, request.SourceProtAddress))
			answers = append(answers, b)
		}
		return answers
	}
	responder := poll.Loop{
		Ports:   []*driver.Port{far},
		Streams: []poll.Stream{{Rx: far.RxQueue(0), Tx: far.TxQueue(0), Handle: answer}},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- responder.Run(ctx) }()

	// The other end asks who has the address, and waits for the answer.
	request := near.Pool().GetOne()
	request.AppendBytes(arp(layers.ARPRequest, near.MAC(), net.IPv4(192, 0, 2, 1).To4(),
		layers.EthernetBroadcast, address))
	if near.TxQueue(0).Burst([]*mbuf.Buf{request}) == 0 {
		log.Fatal("the request was not sent")
	}
	bufs := make([]*mbuf.Buf, 1)
	for near.RxQueue(0).Burst(bufs) == 0 {
		time.Sleep(time.Millisecond)
	}
	if reply, ok := parseARP(bufs[0]); ok {
		fmt.Println(net.IP(reply.SourceProtAddress), "is at", net.HardwareAddr(reply.SourceHwAddress))
	}
	bufs[0].Free()

	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", responder.Stats())
	// Output:
	// 192.0.2.2 is at 02:00:00:00:00:02
	// {Received:1 Sent:1 Dropped:0 Kept:0}
}

// arp returns the Ethernet frame of an ARP packet, without padding.
func arp(operation uint16,
	fromMAC net.HardwareAddr, from net.IP, toMAC net.HardwareAddr, to net.IP) []byte {

	ethernet := layers.Ethernet{SrcMAC: fromMAC, DstMAC: toMAC, EthernetType: layers.EthernetTypeARP}
	packet := layers.ARP{
		AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, Operation: operation,
		SourceHwAddress: fromMAC, SourceProtAddress: from,
		DstHwAddress: toMAC, DstProtAddress: to,
	}
	out := gopacket.NewSerializeBuffer()
	options := gopacket.SerializeOptions{FixLengths: true} // of the addresses
	if err := gopacket.SerializeLayers(out, options, &ethernet, &packet); err != nil {
		log.Fatal(err)
	}
	return out.Bytes()
}

// parseARP returns the ARP packet in b, if it is one.
func parseARP(b *mbuf.Buf) (*layers.ARP, bool) {
	packet := gopacket.NewPacket(b.Data(), layers.LayerTypeEthernet, gopacket.Default)
	found, ok := packet.Layer(layers.LayerTypeARP).(*layers.ARP)
	return found, ok
}

// A vhost-user port outlives its back end, such as a virtual switch that is
// restarted: the link is down until the next one answers at the same socket, and
// the application only sees bursts that move nothing.
func Example_reconnect() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "switch.sock")
	serve := func() *vhostback.Backend {
		back, err := vhostback.Serve(socket, vhostback.Config{Device: vdev.Config{Backend: wire.Loop()}})
		if err != nil {
			log.Fatal(err)
		}
		return back
	}
	back := serve()
	port, err := devargs.Open(context.Background(), "vhost-user:"+socket,
		devargs.Options{Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	fmt.Println("link up:", port.Link().Up)

	if err := back.Close(); err != nil {
		log.Fatal(err)
	}
	await(func() bool { return !port.Link().Up })
	fmt.Println("link up:", port.Link().Up)

	back = serve()
	defer back.Close()
	await(func() bool { return port.Link().Up })
	fmt.Println("link up:", port.Link().Up)

	// Packets flow again, and nothing had to be opened anew.
	b := port.Pool().GetOne()
	b.AppendBytes(make([]byte, 60))
	bufs := []*mbuf.Buf{b}
	if port.TxQueue(0).Burst(bufs) == 0 {
		log.Fatal("the packet was not sent")
	}
	await(func() bool { return port.RxQueue(0).Burst(bufs) == 1 })
	fmt.Println("received", bufs[0].PacketLen(), "bytes after", port.Stats().Disconnects, "disconnect")
	bufs[0].Free()
	// Output:
	// link up: true
	// link up: false
	// link up: true
	// received 60 bytes after 1 disconnect
}

// await returns when done reports true.
func await(done func() bool) {
	for !done() {
		time.Sleep(time.Millisecond)
	}
}
