package generator

import (
	"context"
	"testing"
	"time"
)

func TestTrialOverACable(t *testing.T) {
	source, sink := &counter{length: 60}, &checker{}
	r := newRig(t, 1, []string{"emu:cable=a", "emu:cable=a"}, func(c *Config) {
		c.Ports[0].Streams = []Stream{{Name: "s", Source: source, PPS: 1e5}}
		c.Ports[1].Receiver = sink
	})
	r.start(t)
	got, err := r.Trial(context.Background(), Run{Duration: 300 * time.Millisecond, Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r.stop(t)
	t.Logf("%+v", got)
	if got.Sent+got.Unsent != 30000 || got.Lost != got.Unsent || sink.wrong > 0 {
		t.Errorf("sent %d, unsent %d, lost %d, %d wrong", got.Sent, got.Unsent, got.Lost, sink.wrong)
	}
}
