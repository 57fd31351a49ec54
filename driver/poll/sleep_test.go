package poll

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// cabled opens the two ends of a cable, whose devices have goroutines of their own.
func cabled(t *testing.T, pool *mbuf.Pool) (a, b *driver.Port) {
	t.Helper()
	cables := new(devargs.Cables)
	var ports [2]*driver.Port
	for i, text := range []string{"emu:cable=c,intr=1", "emu:cable=c"} {
		port, err := devargs.Open(t.Context(), text, devargs.Options{Pool: pool, Cables: cables})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
		ports[i] = port
	}
	return ports[0], ports[1]
}

// sendOne sends a packet.
func sendOne(t *testing.T, port *driver.Port, n int) {
	b := port.Pool().GetOne()
	frametest.Fill(t, b, frametest.Seq(n, 60))
	if port.TxQueue(0).Burst([]*mbuf.Buf{b}) != 1 {
		t.Fatal("not taken")
	}
}

// sleeps waits until a queue has been slept for once more.
func sleeps(port *driver.Port, before uint64) {
	for port.Stats().Waits+port.Stats().Interrupts == before {
		time.Sleep(10 * time.Microsecond)
	}
}

// Run sleeps when nothing comes, wakes for each packet, and ends its sleep with its context
// and with its port.
func TestRunSleeps(t *testing.T) {
	a, b := cabled(t, newPool(t, 4096))
	ctx, cancel := context.WithCancel(t.Context())
	received := make(chan int, 1)
	l := Loop{Ports: []*driver.Port{a}, SleepAfter: time.Microsecond, NoSignals: true, Streams: []Stream{{
		Rx: a.RxQueue(0), Tx: a.TxQueue(0), Handle: func(packets []*mbuf.Buf) []*mbuf.Buf {
			received <- frametest.Number(packets[0].Data())
			mbuf.Free(packets)
			return nil
		},
	}}}
	result := make(chan error, 1)
	go func() { result <- l.Run(ctx) }()
	for i := range 50 {
		time.Sleep(200 * time.Microsecond) // most find it asleep
		sendOne(t, b, i)
		if got := <-received; got != i {
			t.Fatalf("packet %d, not %d", got, i)
		}
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
	// On a machine that is busy elsewhere an interrupt may come after the bound on the sleep.
	if s := a.Stats(); s.Interrupts == 0 || s.Queues[0].Rx.LostInterrupts > 25 {
		t.Errorf("%+v", s.Queues[0].Rx)
	}
	go func() { result <- l.Run(t.Context()) }()
	waits := a.Stats().Waits
	sleeps(a, waits+a.Stats().Interrupts)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, a.Err()) {
		t.Errorf("%v", err)
	}
}

// An adaptive core calls Wait, and its end ends it.
func TestWaitUnderLcore(t *testing.T) {
	a, b := cabled(t, newPool(t, 4096))
	l := Loop{Streams: []Stream{{Rx: a.RxQueue(0), Tx: a.TxQueue(0), Handle: drop}}}
	defer l.Close()
	core, err := new(lcore.Group).StartAdaptive(lcore.AnyCPU, l.Poll,
		lcore.Sleep{Idle: time.Microsecond, Wait: l.Wait}, l.Abandon)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		sendOne(t, b, i)
		for l.Stats().Received <= uint64(i) {
			time.Sleep(50 * time.Microsecond)
		}
	}
	if err := core.Stop(); err != nil {
		t.Error(err)
	}
	if n, asleep := core.Asleep(); n == 0 || asleep == 0 {
		t.Errorf("%d sleeps of %v", n, asleep)
	}
}

// A loop that makes packets never sleeps, and one of a port without interrupts says so.
func TestLoopsThatCannotSleep(t *testing.T) {
	port, _ := open(t, "emu:null", newPool(t, 4096))
	l := Loop{Streams: []Stream{{Tx: port.TxQueue(0), Handle: drop}}}
	if err := l.Wait(t.Context()); err != nil {
		t.Error(err)
	}
	l2 := Loop{Streams: []Stream{{Rx: port.RxQueue(0)}}, SleepAfter: time.Microsecond}
	if err := l2.Run(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
