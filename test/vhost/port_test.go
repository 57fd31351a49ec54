package vhost

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// small pages are everywhere, and never too few.
var small = hugepages.Options{PageSize: os.Getpagesize()}

// paths are the ways that packets can take.
var paths = []struct {
	name   string
	refuse virtio.Features
}{
	{"split", virtio.FeatureSet(virtio.RingPacked, virtio.NetMrgRxbuf, virtio.InOrder)},
	{"split,mergeable", virtio.FeatureSet(virtio.RingPacked, virtio.InOrder)},
	{"split,in-order", virtio.FeatureSet(virtio.RingPacked)},
	{"packed", virtio.FeatureSet(virtio.NetMrgRxbuf, virtio.InOrder)},
	{"packed,mergeable", virtio.FeatureSet(virtio.InOrder)},
	{"packed,in-order", virtio.FeatureSet(virtio.NetMrgRxbuf)},
}

// openPort opens a port on a socket. It ends with the test, with every buffer
// back where it belongs.
func openPort(t *testing.T, socket string, o vhostuser.Options, c driver.Config) *driver.Port {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := vhostuser.Open(ctx, socket, o)
	var e *vhostuser.Error
	// the back end is still starting
	for errors.As(err, &e) && e.Op == "connect" && ctx.Err() == nil {
		time.Sleep(2 * time.Millisecond)
		d, err = vhostuser.Open(ctx, socket, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Memory = small
	p, err := driver.Open(d, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePort(t, p) })
	return p
}

func closePort(t *testing.T, p *driver.Port) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// send transmits frames until all are sent or the time is over, and returns how
// many were.
func send(t *testing.T, p *driver.Port, pair int, frames [][]byte, limit time.Duration) int {
	t.Helper()
	deadline := time.Now().Add(limit)
	bufs := make([]*mbuf.Buf, 32)
	sent := 0
	for sent < len(frames) && time.Now().Before(deadline) {
		got := p.Pool().Get(bufs[:min(len(bufs), len(frames)-sent)])
		for i, b := range bufs[:got] {
			frametest.Fill(t, b, frames[sent+i])
		}
		taken := p.TxQueue(pair).Burst(bufs[:got])
		mbuf.Free(bufs[taken:got])
		sent += taken
		if taken == 0 {
			time.Sleep(10 * time.Microsecond) // the back end shares the machine
		}
	}
	return sent
}

// receive passes packets to look until it returns false or the time is over.
func receive(p *driver.Port, pair int, limit time.Duration, look func(b *mbuf.Buf) bool) {
	deadline := time.Now().Add(limit)
	bufs := make([]*mbuf.Buf, 32)
	for more := true; more && time.Now().Before(deadline); {
		n := p.RxQueue(pair).Burst(bufs)
		for _, b := range bufs[:n] {
			more = look(b) && more
		}
		mbuf.Free(bufs[:n])
		if n == 0 {
			time.Sleep(10 * time.Microsecond)
		}
	}
}
