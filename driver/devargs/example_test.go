package devargs_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
)

// The text of a port is what a command line gives. An emulated port needs neither
// a device nor privileges; 0000:00:03.0 or vhost-user:/run/vm0.sock open others
// in the same way.
func ExampleOpen() {
	text := "emu:loop,queues=2,mac=02:00:00:00:00:01,packed=0"
	port, err := devargs.Open(context.Background(), text, devargs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer port.Close()
	fmt.Println(port.Queues(), "queue pairs at", port.MAC())
	fmt.Println("receives by:", port.Path().Rx)
	// Output:
	// 2 queue pairs at 02:00:00:00:00:01
	// receives by: split, in-order, event-idx, mergeable
}

// An error says what to write instead.
func ExampleParse() {
	_, err := devargs.Parse("emu:lop")
	var bad *devargs.Error
	if errors.As(err, &bad) {
		fmt.Println(bad.Value, "-", bad.Reason)
		fmt.Println(bad.Remedy)
	}
	// Output:
	// lop - unknown back end of an emulated port
	// did you mean emu:loop?
}
