package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/waketest"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// wakeTime bounds what each packet takes, on average.
const wakeTime = 20 * time.Millisecond

// wake sends single packets by one function to another, whose receiver sleeps until its
// device interrupts: SENDER RECEIVER PACKETS. It says how long packets took, and fails if
// one was lost.
func wake(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("wake SENDER RECEIVER PACKETS")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	sender, err := openFunction(args[0], vfio.Options{}, driver.Config{})
	if err != nil {
		return err
	}
	defer sender.Close()
	receiver, err := openFunction(args[1], vfio.Options{}, driver.Config{Interrupts: true})
	if err != nil {
		return err
	}
	defer receiver.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+time.Duration(n)*wakeTime)
	defer cancel()
	tx := sender.TxQueue(0)
	r, err := waketest.Measure(ctx, receiver.RxQueue(0), n, func(frame []byte) error {
		b := sender.Pool().GetOne()
		if b == nil || !b.AppendBytes(frame) || tx.Burst([]*mbuf.Buf{b}) != 1 {
			return fmt.Errorf("a packet cannot be sent: %+v", tx.Stats())
		}
		tx.Reclaim()
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Println(r)
	return r.Check()
}
