package mbuf_test

import (
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// A transport header that is sent with the checksum left open, and cut into frames of
// 1,448 bytes of payload by the device, if it can, and by the transmit queue otherwise.
func ExampleBuf_PrepareSegmentation() {
	pool, err := mbuf.NewPool(mbuf.Config{
		Count:  64,
		Memory: hugepages.Options{PageSize: 4096},
	})
	if err != nil {
		log.Fatal(err)
	}
	packet := pool.GetOne()
	packet.AppendBytes([]byte{
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, // Ethernet, IPv4
		0x45, 0, 0x1f, 0x68, 0, 0, 0x40, 0, 64, 6, 0, 0, // IPv4: 8040 bytes, TCP
		10, 0, 0, 1, 10, 0, 0, 2,
		0x30, 0x39, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0,
	})
	packet.AppendBytes(make([]byte, 8000))

	if err := packet.PrepareSegmentation(1448); err != nil {
		log.Fatal(err)
	}
	start, offset, _ := packet.PartialChecksum()
	fmt.Println(packet.Segmentation(), packet.SegmentSize(), packet.Checksum(), start, offset)

	packet.Free()
	if err := pool.Release(); err != nil {
		log.Fatal(err)
	}
	// Output: TCPv4 1448 partial 34 16
}
