package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// patience is for how long nothing may move in a test.
const patience = 60 * time.Second

// newTestPlan is the plan for a command line.
func newTestPlan(t *testing.T, mode string, ports ...string) *plan {
	t.Helper()
	m, err := modeOf(mode)
	if err != nil {
		t.Fatal(err)
	}
	specs, err := portset.Parse(ports)
	if err != nil {
		t.Fatal(err)
	}
	return &plan{
		options: command.Options{JSON: true, Burst: 32, Logger: slog.New(slog.DiscardHandler)},
		mode:    m, segments: []int{64}, specs: specs, cables: new(devargs.Cables),
	}
}

// running is a testpmd at work.
type running struct {
	cancel         context.CancelFunc
	done           chan error
	stdout, stderr bytes.Buffer
}

func start(t *testing.T, p *plan) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- p.run(ctx, &r.stdout, &r.stderr) }()
	return r
}

// stop ends testpmd, which then has all its buffers back or says so.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			t.Fatalf("testpmd: %v\n%s", err, r.stderr.String())
		}
	case <-time.After(patience):
		t.Fatal("testpmd does not stop")
	}
}

// station is a port at the far end of a cable.
type station struct {
	port *driver.Port
	bufs []*mbuf.Buf
}

func newStation(t *testing.T, text string, cables *devargs.Cables) *station {
	t.Helper()
	port, err := devargs.Open(t.Context(), text, devargs.Options{Cables: cables})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	})
	return &station{port: port, bufs: make([]*mbuf.Buf, 16)}
}

// send puts a frame on the wire.
func (s *station) send(t *testing.T, content []byte) {
	t.Helper()
	one := s.bufs[:1]
	if s.port.Pool().Get(one) != 1 {
		t.Fatal("no buffer")
	}
	copy(one[0].Append(len(content)), content)
	for deadline := time.Now().Add(patience); s.port.TxQueue(0).Burst(one) != 1; {
		if time.Now().After(deadline) {
			t.Fatal("a frame cannot be sent")
		}
		runtime.Gosched() // the device's goroutine may be waiting for a CPU
	}
}

// receive waits for n frames.
func (s *station) receive(t *testing.T, n int) [][]byte {
	t.Helper()
	var frames [][]byte
	for deadline := time.Now().Add(patience); len(frames) < n; {
		got := s.bufs[:s.port.RxQueue(0).Burst(s.bufs[:min(n-len(frames), len(s.bufs))])]
		for _, b := range got {
			frames = append(frames, frametest.Content(b))
		}
		mbuf.Free(got)
		if len(got) == 0 {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d frames came", len(frames), n)
			}
			runtime.Gosched()
		}
	}
	return frames
}

// receiveNone checks that no frame comes: the marker that was sent behind everything
// else has passed, so what was to come is there.
func (s *station) receiveNone(t *testing.T) {
	t.Helper()
	if n := s.port.RxQueue(0).Burst(s.bufs); n != 0 {
		t.Errorf("%d frames came that should not, the first %x", n, s.bufs[0].Data())
		mbuf.Free(s.bufs[:n])
	}
}

// diff says where frames differ.
func diff(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("got  %d bytes %x\nwant %d bytes %x", len(got), got, len(want), want)
}
