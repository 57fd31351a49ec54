package report

import (
	"context"
	"io"
	"time"
)

// Lines writes an object a line every period until ctx ends, for scripts that watch.
// Counters are since the start, rates are averages over the time since the line before,
// which the object gives. It belongs to one goroutine.
func (r *Report) Lines(ctx context.Context, period time.Duration, out io.Writer) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	last, lastTime := r.object(0, r.sample()), r.Start
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		o := r.object(now.Sub(r.Start), r.sample())
		since := now.Sub(lastTime)
		o.Period = since.Round(time.Microsecond).Seconds()
		for i := range o.Ports {
			o.Ports[i].rates(last.Ports[i].Totals, since)
		}
		o.Total.rates(last.Total, since)
		// Packets keep flowing if the line cannot be written. The object at the end is
		// an error then.
		_ = o.writeJSON(out)
		last, lastTime = o, now
	}
}

// rates sets the rates of counters to those since an earlier moment.
func (t *Totals) rates(before Totals, since time.Duration) {
	t.RxPPS = perSecond(gained(t.RxPackets, before.RxPackets), since)
	t.TxPPS = perSecond(gained(t.TxPackets, before.TxPackets), since)
}
