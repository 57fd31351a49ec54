package mbuf_test

import (
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// A packet grows at both ends of its data without being copied: Append at the
// end, Prepend in the headroom. Adj removes a header again.
func Example() {
	pool, err := mbuf.NewPool(mbuf.Config{
		Count:  1024,
		Memory: hugepages.Options{SmallPages: true}, // where there are no hugepages
	})
	if err != nil {
		log.Fatal(err)
	}
	bufs := make([]*mbuf.Buf, 32)
	n := pool.Get(bufs)
	fmt.Println(n, "buffers with room for", bufs[0].Tailroom(), "bytes, headroom", bufs[0].Headroom())

	b := bufs[0]
	copy(b.Append(7), "payload")
	copy(b.Prepend(7), "header ")
	fmt.Printf("%q, %d bytes\n", b.Data(), b.Len())
	b.Adj(7)
	fmt.Printf("%q, %d bytes\n", b.Data(), b.Len())

	mbuf.Free(bufs[:n])
	fmt.Println(pool.Free(), "of", pool.Size(), "buffers are free")
	if err := pool.Release(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 32 buffers with room for 2048 bytes, headroom 192
	// "header payload", 14 bytes
	// "payload", 7 bytes
	// 1024 of 1024 buffers are free
}

// A packet that is longer than a buffer is a chain of segments.
func ExampleBuf_Segments() {
	memory := hugepages.Options{SmallPages: true}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 16, DataRoom: 10, Memory: memory})
	if err != nil {
		log.Fatal(err)
	}
	b := pool.GetOne()
	if !b.AppendBytes([]byte("longer than one buffer")) {
		log.Fatal("no buffer is free")
	}
	for s := range b.Segments() {
		fmt.Printf("%q\n", s.Data())
	}
	packet := make([]byte, b.PacketLen())
	b.CopyTo(packet)
	fmt.Printf("%q: %d bytes in %d segments\n", packet, b.PacketLen(), b.NumSegments())

	b.Free() // every segment
	fmt.Println(pool.Free(), "buffers are free")
	// Output:
	// "longer tha"
	// "n one buff"
	// "er"
	// "longer than one buffer": 22 bytes in 3 segments
	// 16 buffers are free
}

// AppendBytes adds everything or nothing.
func ExampleBuf_AppendBytes() {
	memory := hugepages.Options{SmallPages: true}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 2, DataRoom: 10, Memory: memory})
	if err != nil {
		log.Fatal(err)
	}
	b := pool.GetOne()
	fmt.Println(b.AppendBytes(make([]byte, 15)), b.PacketLen(), b.NumSegments())
	fmt.Println(b.AppendBytes(make([]byte, 6)), b.PacketLen(), b.NumSegments())
	b.Free()
	// Output:
	// true 15 2
	// false 15 2
}

// A clone in a pool of larger buffers is one segment.
func ExamplePool_Clone() {
	memory := hugepages.Options{SmallPages: true}
	small, err := mbuf.NewPool(mbuf.Config{Count: 16, DataRoom: 256, Memory: memory})
	if err != nil {
		log.Fatal(err)
	}
	large, err := mbuf.NewPool(mbuf.Config{Count: 4, DataRoom: 9216, Memory: memory})
	if err != nil {
		log.Fatal(err)
	}
	b := small.GetOne()
	b.AppendBytes(make([]byte, 1500))
	c := large.Clone(b)
	fmt.Println(b.NumSegments(), "segments,", c.NumSegments(), "segment")
	b.Free()
	c.Free()
	// Output: 6 segments, 1 segment
}
