package driver_test

import (
	"flag"
	"os"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/waketest"
)

// wakes is how many packets wake the sleeper for each kind of ring and interrupt.
var wakes = flag.Int("wakes", 500, "packets that wake a sleeper, of each kind")

// TestEachPacketWakes: with each format of the ring, with and without event indices, and
// with each way that an interrupt reaches the sleeper, no packet is lost and none has to
// be looked for.
func TestEachPacketWakes(t *testing.T) {
	vectors := pcifn.Config{}
	for name, c := range map[string]struct {
		fn     pcifn.Config
		refuse []virtio.Feature
	}{
		"packed/events":                {vectors, nil},
		"packed":                       {vectors, []virtio.Feature{virtio.RingEventIdx}},
		"split/events":                 {vectors, []virtio.Feature{virtio.RingPacked}},
		"split":                        {vectors, []virtio.Feature{virtio.RingPacked, virtio.RingEventIdx}},
		"one vector for queue and all": {pcifn.Config{Vectors: 1}, nil},
		"INTx":                         {pcifn.Config{Vectors: pcifn.NoMSIX}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			port, wire := openToWait(t, c.fn, c.refuse...)
			waketest.Run(t, port.RxQueue(0), *wakes, wire.Deliver)
		})
	}
}

// openToWait opens a port with interrupts on a new function, whose device runs, and whose wire
// it returns. In the end the device must not have found anything wrong with the driver.
func openToWait(
	t *testing.T, fc pcifn.Config, refuse ...virtio.Feature,
) (*driver.Port, *waketest.Wire) {
	t.Helper()
	var w waketest.Wire
	fc.Device = vdev.Config{Backend: &w}
	fn, err := pcifn.New(fc)
	if err != nil {
		t.Fatal(err)
	}
	fn.Device().Start()
	device, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	port, err := driver.Open(device, driver.Config{Interrupts: true,
		Refuse: virtio.FeatureSet(refuse...), Memory: hugepages.Options{PageSize: os.Getpagesize()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Close(); err != nil {
			t.Error(err)
		}
		for _, v := range fn.Device().Violations() {
			t.Errorf("the driver broke a rule: %v", v)
		}
	})
	return port, &w
}

// TestInfoWhileWaiting: a receiver that sleeps is woken for each packet as soon as ever, also
// if its queue stands still just when it goes to sleep.
func TestInfoWhileWaiting(t *testing.T) {
	port, wire := openToWait(t, pcifn.Config{})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				port.Info()
			}
		}
	}()
	waketest.Run(t, port.RxQueue(0), 300, wire.Deliver)
	close(stop)
	<-done
}
