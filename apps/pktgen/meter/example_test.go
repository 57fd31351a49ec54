package meter_test

import (
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
)

// The packets of a stream are received, apart from one; two are in the wrong order. The time
// is that of the caller.
func Example() {
	stream := traffic.Flows(60, 1)
	stream.Latency = true
	program, err := stream.Compile(traffic.Options{ID: 1})
	if err != nil {
		log.Fatal(err)
	}
	pool, err := mbuf.NewPool(mbuf.Config{Count: 64, Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		log.Fatal(err)
	}
	receiver, err := meter.New(meter.Config{
		Streams: []meter.Stream{meter.StreamOf(program)},
		Verify:  meter.Verify{Checksums: true},
	})
	if err != nil {
		log.Fatal(err)
	}

	const sent = 10
	bufs := make([]*mbuf.Buf, sent)
	pool.Get(bufs)
	program.Fill(bufs, 1_000)              // sent at 1 µs
	bufs[3], bufs[4] = bufs[4], bufs[3]    // by the device under test
	receiver.Receive(bufs[:sent-1], 9_000) // received at 9 µs
	mbuf.Free(bufs)

	got := receiver.Snapshot().Streams[0]
	fmt.Println("lost", got.Lost(sent), "reordered", got.Reordered, "duplicate", got.Duplicate)
	fmt.Println("median latency", got.Latency.Percentile(50), "ns")
	if err := pool.Release(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// lost 1 reordered 1 duplicate 0
	// median latency 8000 ns
}
