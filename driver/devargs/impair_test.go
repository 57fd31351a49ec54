package devargs

import (
	"runtime"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
)

// sendFrames sends n frames, and calls turn whenever the queue is full and at the end.
func sendFrames(from *driver.Port, n int, turn func()) {
	for n > 0 {
		bufs := make([]*mbuf.Buf, min(n, 32))
		got := from.Pool().Get(bufs)
		for _, b := range bufs[:got] {
			clear(b.Append(60))
		}
		taken := from.TxQueue(0).Burst(bufs[:got])
		mbuf.Free(bufs[taken:got])
		n -= taken
		turn()
	}
}

// TestImpairedCable sends frames through cables whose other end impairs them. The test
// polls the devices, so that it knows when no more comes.
func TestImpairedCable(t *testing.T) {
	for _, c := range []struct {
		keys        string
		least, most uint64 // received of 1000
	}{
		{"", 1000, 1000},
		{",loss=100", 0, 0},
		{",loss=50", 400, 600},
		{",duplicate=100", 2000, 2000},
		{",duplicate=10", 1050, 1150},
	} {
		var cables Cables
		var pollFrom, pollTo func() int
		from := open(t, "emu:cable=a", Options{Cables: &cables, EmuPoll: &pollFrom})
		to := open(t, "emu:cable=a"+c.keys, Options{Cables: &cables, EmuPoll: &pollTo})
		bufs := make([]*mbuf.Buf, 32)
		sendFrames(from, 1000, func() {
			for moved := 1; moved > 0; {
				n := to.RxQueue(0).Burst(bufs)
				mbuf.Free(bufs[:n])
				moved = pollFrom() + pollTo() + n
			}
		})
		if n := to.Stats().RxPackets; n < c.least || n > c.most {
			t.Errorf("%q: received %d, want %d to %d", c.keys, n, c.least, c.most)
		}
	}
}

// TestDelayedFramesWakeTheDevice: the devices have goroutines, which sleep until a frame
// leaves.
func TestDelayedFramesWakeTheDevice(t *testing.T) {
	var cables Cables
	from := open(t, "emu:cable=a", Options{Cables: &cables})
	to := open(t, "emu:cable=a,delay=30ms,jitter=1ms,reorder=20", Options{Cables: &cables})
	began := time.Now()
	sendFrames(from, 100, func() {})
	bufs := make([]*mbuf.Buf, 32)
	for to.Stats().RxPackets < 100 {
		n := to.RxQueue(0).Burst(bufs)
		if took := time.Since(began); n > 0 && took < 29*time.Millisecond {
			t.Fatalf("received after %v", took)
		} else if took > time.Minute {
			t.Fatalf("received %d of 100", to.Stats().RxPackets)
		}
		mbuf.Free(bufs[:n])
		runtime.Gosched()
	}
}
