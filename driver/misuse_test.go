package driver

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// TestMisuseIsReported gives queues what applications give them by mistake. The queues
// go on, each mistake is counted, and it is logged once, with a remedy.
func TestMisuseIsReported(t *testing.T) {
	foreign := newPool(t, mbuf.Config{Count: 64})
	cases := []struct {
		name, remedy string
		do           func(p *Port)
		count        func(q QueueStats) uint64
	}{
		{"nil", "do not touch a buffer after", func(p *Port) {
			p.TxQueue(0).Burst([]*mbuf.Buf{nil})
		}, func(q QueueStats) uint64 { return q.Tx.OwnerDrops }},
		{"a pool that is not attached", "Port.Attach", func(p *Port) {
			b := make([]*mbuf.Buf, 1)
			foreign.Get(b)
			b[0].Append(60)
			p.TxQueue(0).Burst(b)
		}, func(q QueueStats) uint64 { return q.Tx.PoolDrops }},
		{"too long", "Config.MTU", func(p *Port) {
			b := make([]*mbuf.Buf, 1)
			p.Pool().Get(b)
			b[0].Append(1600)
			p.TxQueue(0).Burst(b)
		}, func(q QueueStats) uint64 { return q.Tx.LengthDrops }},
		{"a circular chain", "Linearize", func(p *Port) {
			b := make([]*mbuf.Buf, 2)
			p.Pool().Get(b)
			b[0].Append(60)
			b[0].SetNext(b[1])
			b[1].SetNext(b[1])
			p.TxQueue(0).Burst(b[:1])
		}, func(q QueueStats) uint64 { return q.Tx.ChainDrops }},
		{"an impossible request", "PrepareChecksum", func(p *Port) {
			b := make([]*mbuf.Buf, 1)
			p.Pool().Get(b)
			b[0].Append(100)
			_ = b[0].RequestChecksum(90, 8)
			b[0].Trim(20)
			p.TxQueue(0).Burst(b)
		}, func(q QueueStats) uint64 { return q.Tx.OffloadDrops }},
		{"two pollers of a receive queue", "from one goroutine", func(p *Port) {
			q := p.RxQueue(0)
			q.gate.Enter()
			q.Burst(make([]*mbuf.Buf, 1))
			q.gate.Leave()
		}, func(q QueueStats) uint64 { return q.Rx.Concurrent }},
		{"two pollers of a transmit queue", "from one goroutine", func(p *Port) {
			q := p.TxQueue(0)
			q.gate.Enter()
			q.Burst(nil)
			q.gate.Leave()
		}, func(q QueueStats) uint64 { return q.Tx.Concurrent }},
	}
	for _, refused := range []virtio.Features{{}, virtio.FeatureSet(virtio.RingPacked)} {
		for _, c := range cases {
			t.Run(c.name+" without "+refused.String(), func(t *testing.T) {
				var text bytes.Buffer
				cfg := Config{Refuse: refused, MTU: 1500, Logger: slog.New(slog.NewTextHandler(&text, nil))}
				p, err := openPort(newFunction(t, pcifn.Config{}), cfg)
				if err != nil {
					t.Fatal(err)
				}
				c.do(p)
				c.do(p)
				if n := c.count(p.Stats().Queues[0]); n != 2 {
					t.Errorf("counted %d times", n)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				if n := strings.Count(text.String(), "misuse"); n != 1 || !strings.Contains(text.String(), c.remedy) {
					t.Errorf("logged %d times:\n%s", n, &text)
				}
			})
		}
	}
}

// TestNoMisuseDoesNotAllocate: the look at the counters is nothing that a program
// which avoids garbage would notice.
func TestNoMisuseDoesNotAllocate(t *testing.T) {
	p, err := openPort(newFunction(t, pcifn.Config{}), Config{})
	if err != nil {
		t.Fatal(err)
	}
	p.supervisor.stop() // what it does each second is done here
	if n := testing.AllocsPerRun(100, p.device.reportMisuse); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestPlatformFeatures: ORDER_PLATFORM is accepted where Go's barriers are enough.
func TestPlatformFeatures(t *testing.T) {
	for arch, want := range map[string]bool{"amd64": true, "arm64": false, "riscv64": false} {
		list := featuresOn(arch)
		at := slices.IndexFunc(list, func(s FeatureStatus) bool { return s.Feature == virtio.OrderPlatform })
		if got := list[at].Acceptance; (got == ByDefault) != want {
			t.Errorf("%s: ORDER_PLATFORM is accepted %v", arch, got)
		}
	}
}
