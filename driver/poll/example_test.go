package poll_test

import (
	"context"
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/poll"
)

// A program forwards packets from one port to another and keeps those that are
// not for it. What Handle returns is sent; it frees the rest itself.
func ExampleLoop() {
	in, err := devargs.Open(context.Background(), "emu:gen", devargs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	out, err := devargs.Open(context.Background(), "emu:null", devargs.Options{Pool: in.Pool()})
	if err != nil {
		log.Fatal(err)
	}
	defer out.Close()

	ctx, cancel := context.WithCancel(context.Background())
	forwarded := 0
	loop := poll.Loop{
		Ports: []*driver.Port{in, out},
		Streams: []poll.Stream{{
			Rx: in.RxQueue(0), Tx: out.TxQueue(0),
			Handle: func(packets []*mbuf.Buf) []*mbuf.Buf {
				n := min(len(packets), 1000-forwarded)
				if forwarded += n; forwarded == 1000 {
					cancel() // as SIGINT and SIGTERM do
				}
				mbuf.Free(packets[n:])
				return packets[:n]
			},
		}},
	}
	if err := loop.Run(ctx); err != nil {
		log.Fatal(err)
	}
	s := loop.Stats()
	fmt.Println("sent and dropped:", s.Sent+s.Dropped)
	fmt.Println("every packet is accounted for:", s.Received == s.Sent+s.Dropped+uint64(s.Kept))
	// Output:
	// sent and dropped: 1000
	// every packet is accounted for: true
}

// On a CPU of its own, a Loop is polled by package lcore.
func ExampleLoop_Poll() {
	port, err := devargs.Open(context.Background(), "emu:gen", devargs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	loop := poll.Loop{Streams: []poll.Stream{{Rx: port.RxQueue(0), Tx: port.TxQueue(0)}}}
	core, err := lcore.Start(lcore.AnyCPU, loop.Poll, loop.Abandon) // or the number of a CPU
	if err != nil {
		log.Fatal(err)
	}
	for loop.Stats().Received < 1000 {
		select {
		case <-port.Done():
			log.Fatal(port.Err())
		default:
		}
	}
	if err := core.Stop(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("received 1000 packets or more")
	// Output: received 1000 packets or more
}
