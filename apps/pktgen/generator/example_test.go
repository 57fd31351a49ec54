package generator_test

import (
	"context"
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// A thousand packets a second go through an emulated device that sends them back.
func ExampleGenerator_Trial() {
	var device func() int
	port, err := devargs.Open(context.Background(), "emu:loop", devargs.Options{EmuPoll: &device})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer port.Close()
	program, err := traffic.Flows(60, 16).Compile(traffic.Options{ID: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := generator.New(generator.Config{
		Ports: []generator.Port{{
			Name: "loop", Port: port, Device: device,
			Streams: []generator.Stream{{Name: "load", Source: program, PPS: 1000}},
		}},
		Caches: []*mbuf.Cache{port.Pool().NewCache(256)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range g.Pollers() {
		core, err := lcore.Start(lcore.AnyCPU, p.Poll, p.Abandon)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer core.Stop()
	}

	for _, scale := range []float64{1, 2} { // trials at two rates over the same port
		trial, err := g.Trial(context.Background(), generator.Run{
			Duration: 100 * time.Millisecond, Scale: scale,
			Tolerance: 1, // on a busy machine some may be unsent
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v packets a second: %d packets were due, %d lost of those that were sent\n",
			trial.Intended.PPS, trial.Sent+trial.Unsent, trial.Lost-trial.Unsent)
	}
	// Output:
	// 1000 packets a second: 100 packets were due, 0 lost of those that were sent
	// 2000 packets a second: 200 packets were due, 0 lost of those that were sent
}
