package driver_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// A receiver that has nothing to do sleeps until its device interrupts, and uses no CPU
// time meanwhile.
func ExampleRxQueue_Wait() {
	cables := new(devargs.Cables)
	sender, err := devargs.Open(context.Background(), "emu:cable=a", devargs.Options{Cables: cables})
	if err != nil {
		log.Fatal(err)
	}
	receiver, err := devargs.Open(context.Background(), "emu:cable=a,intr=1", devargs.Options{Cables: cables})
	if err != nil {
		log.Fatal(err)
	}
	go func() { // another program
		for range 3 {
			b := sender.Pool().GetOne()
			b.AppendBytes(make([]byte, 60))
			sender.TxQueue(0).Burst([]*mbuf.Buf{b})
		}
	}()

	rx := receiver.RxQueue(0)
	bufs := make([]*mbuf.Buf, 32)
	for received := 0; received < 3; {
		n := rx.Burst(bufs)
		if n == 0 {
			if err := rx.Wait(context.Background()); err != nil && !errors.Is(err, driver.ErrRecovering) {
				log.Fatal(err)
			}
			continue
		}
		received += n
		mbuf.Free(bufs[:n])
	}
	fmt.Println("received", receiver.Stats().RxPackets)

	if err := errors.Join(receiver.Close(), sender.Close()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// received 3
}

// One goroutine serves queues of several ports, and sleeps for all of them at once.
func ExampleWaiter() {
	serve := func(ctx context.Context, ports []*driver.Port) error {
		var queues []*driver.RxQueue
		for _, p := range ports {
			queues = append(queues, p.RxQueue(0))
		}
		w, err := driver.NewWaiter(queues...)
		if err != nil {
			return err
		}
		defer w.Close()
		bufs := make([]*mbuf.Buf, 32)
		for {
			n := 0
			for _, rx := range queues {
				got := rx.Burst(bufs)
				mbuf.Free(bufs[:got])
				n += got
			}
			if n > 0 {
				continue
			}
			if err := w.Wait(ctx); err != nil && !errors.Is(err, driver.ErrRecovering) {
				return err
			}
		}
	}
	port, err := devargs.Open(context.Background(), "emu:null,intr=1", devargs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nothing will come
	fmt.Println(serve(ctx, []*driver.Port{port}))
	if err := port.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// context canceled
}

// A program is told when a port changes, and asks it for what is so now.
func ExamplePort_Notify() {
	port, err := devargs.Open(context.Background(), "emu:null", devargs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	events := make(chan driver.Event, 16)
	stop := port.Notify(events)
	defer stop()
	if err := port.Close(); err != nil {
		log.Fatal(err)
	}
	for e := range events {
		fmt.Println(e.Kind)
		if e.Kind == driver.Ended {
			break
		}
	}
	// Output:
	// ended
}
