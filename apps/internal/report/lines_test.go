package report

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// TestLines: each line has the counters of one moment and the rates since the line before,
// which are not below 0 where a device drops later what it had taken.
func TestLines(t *testing.T) {
	r, stats := testReport(time.Now())
	sent := uint64(1000)
	r.Ports[0].Stats = func() driver.Stats {
		n := *stats[0]
		n.TxPackets = sent // 1000, 999, 1001, 998, ...
		sent = 2000 - sent
		if sent >= 1000 {
			sent++
		}
		n.TxDropped = 2000 - n.TxPackets
		return n
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, out := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Lines(ctx, time.Millisecond, out)
		_ = out.Close()
	}()
	lines := bufio.NewScanner(in)
	var last Object
	for n := 0; lines.Scan(); n++ {
		var o Object
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		p := o.Ports[0]
		if p.TxPackets+p.TxDropped != 2000 || o.Total.TxPackets != p.TxPackets || o.Period <= 0 {
			t.Errorf("line %d: %s", n, lines.Text())
		}
		if n > 0 {
			if want := perSecond(gained(p.TxPackets, last.Ports[0].TxPackets), time.Duration(1e9*o.Period)); p.TxPPS > 2*want {
				t.Errorf("line %d: %d pps, want %d: %d packets after %d", n, p.TxPPS, want, p.TxPackets, last.Ports[0].TxPackets)
			}
		}
		if last = o; n == 10 {
			cancel()
		}
	}
	<-done
}
