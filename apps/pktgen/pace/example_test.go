package pace_test

import (
	"errors"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
)

// A pacer is asked what is due at the times of the caller's clock.
func ExamplePacer() {
	rate, err := pace.ParseRate("10kpps")
	if err != nil {
		fmt.Println(err)
		return
	}
	pps, err := rate.PPS(60, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	pacer, err := pace.New(pace.Config{PPS: pps})
	if err != nil {
		fmt.Println(err)
		return
	}
	pacer.Start(0, 1_000_000) // for a millisecond
	for now := int64(0); now < 1_000_000; now += 250_000 {
		n := pacer.Due(now)
		pacer.Advance(n) // all were sent
		fmt.Println(now, n)
	}
	pacer.Finish(1_000_000)
	fmt.Println("sent", pacer.Taken(), "missed", pacer.Missed())
	// Output:
	// 0 1
	// 250000 2
	// 500000 3
	// 750000 2
	// sent 8 missed 2
}

// A percentage is of a line rate that the user has stated.
func ExampleRate_PPS() {
	rate, _ := pace.ParseRate("50%")
	_, err := rate.PPS(60, 0)
	fmt.Println("no line rate stated:", errors.Is(err, pace.ErrNoLineRate))
	line, _ := pace.ParseLineRate("10Gbps")
	pps, _ := rate.PPS(60, line)
	fmt.Printf("%.0f packets a second\n", pps)
	// Output:
	// no line rate stated: true
	// 7440476 packets a second
}
