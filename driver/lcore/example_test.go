package lcore_test

import (
	"errors"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// A core polls until it is stopped. A port's queues belong to the polling function meanwhile: it
// receives a burst, sends it, and reports whether there were packets.
func ExampleStart() {
	packets := 3 // stands for a receive queue with three packets
	received := make(chan struct{})
	poll := func() (busy bool) {
		if packets == 0 {
			return false
		}
		if packets--; packets == 0 {
			close(received)
		}
		return true
	}

	core, err := lcore.Start(lcore.AnyCPU, poll)
	if err != nil {
		fmt.Println(err)
		return
	}
	<-received // until a signal arrives or a port fails

	if err := core.Stop(); err != nil {
		fmt.Println(err)
	}
	busy, _ := core.Polls()
	fmt.Println("polls that found packets:", busy)
	// Output:
	// polls that found packets: 3
}

// Another goroutine waits for a core that ends early and closes the ports.
func ExampleCore_Done() {
	core, err := lcore.Start(lcore.AnyCPU, func() bool { panic("bad packet") })
	if err != nil {
		fmt.Println(err)
		return
	}
	<-core.Done()
	var panicked *lcore.PanicError
	if errors.As(core.Err(), &panicked) {
		fmt.Println("the polling function panicked:", panicked.Value)
	}
	// Output:
	// the polling function panicked: bad packet
}
