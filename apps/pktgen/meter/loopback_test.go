package meter_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// TestLoopback measures with one poller and with two, and short frames and long.
func TestLoopback(t *testing.T) {
	for _, l := range []meter.Loopback{
		{Duration: 100 * time.Millisecond, PPS: 5000},
		{Duration: 100 * time.Millisecond, PPS: 5000, Len: 1514, CPUs: []int{lcore.AnyCPU, lcore.AnyCPU}},
	} {
		got, err := l.Measure(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got.Samples() == 0 || got.Samples() > 500 || got.Min() <= 0 || got.Negative+got.TooLong > 0 {
			t.Errorf("%+v", got.Summary())
		}
		s := got.Summary()
		t.Logf("%d packets: min %d, median %d, 99 %%: %d, max %d ns", s.Samples, s.Min, s.P50, s.P99, s.Max)
	}
}

func TestLoopbackThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		loopback meter.Loopback
		want     string
	}{
		{meter.Loopback{PPS: -1}, "loopback: -1 packets a second"},
		{meter.Loopback{Duration: -1}, "not positive"},
		{meter.Loopback{Len: 40}, "60"},
		{meter.Loopback{Len: 1515}, "1514"},
		{meter.Loopback{CPUs: []int{1 << 20}}, "loopback: "},
	} {
		if _, err := c.loopback.Measure(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.loopback, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (meter.Loopback{}).Measure(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
}
