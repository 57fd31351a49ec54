package main

import (
	"context"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/generator"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

const (
	// longestBurst is for how long the longest burst takes, as RFC 2544 asks for.
	longestBurst = 2 * time.Second
	// burstSpare is what the trial of a burst has in addition to the time that the burst takes.
	burstSpare = 50 * time.Millisecond
)

// backToBack searches for the longest burst without loss.
func (s *searcher) backToBack(ctx context.Context) error {
	if s.plan.search.bursts == 0 {
		return nil
	}
	s.progress.stage("back-to-back frames", 0)
	c := mlrsearch.BackToBackConfig{
		MinFrames: 1, MaxFrames: int64(s.max * longestBurst.Seconds()), Repetitions: s.plan.search.bursts, Verify: true,
		Resolution: max(1, int64(s.max*longestBurst.Seconds()/1000)), MaxFrameRate: s.max, Throughput: s.found,
		Progress: s.progress.bursts,
	}
	r, err := mlrsearch.MeasureBackToBack(ctx, c, s)
	if len(r.Bursts) > 0 {
		s.report.BackToBack = append(s.report.BackToBack, result.NewBackToBack(s.size, c, r))
	}
	return err
}

// MeasureBurst implements [mlrsearch.BurstMeasurer]. The frames are dealt out to the ports
// that send.
func (s *searcher) MeasureBurst(ctx context.Context, frames int64) (int64, error) {
	var list []*traffic.Stream
	for _, stream := range s.streams(s.sizes) {
		if !stream.Latency {
			list = append(list, stream)
		}
	}
	for i, stream := range list {
		n := frames / int64(len(list))
		if int64(i) < frames%int64(len(list)) {
			n++
		}
		stream.Pattern = traffic.Pattern{Kind: "burst", Packets: uint64(n)}
	}
	if frames < int64(len(list)) {
		list = list[:frames]
	}
	if err := s.rig.change(list, pace.Rate{Unit: pace.Max}, true); err != nil {
		return 0, err
	}
	b, _ := s.rig.current()
	d := time.Duration(1.2*float64(frames)/s.max*float64(time.Second)) + burstSpare
	t, err := b.Trial(ctx, generator.Run{Duration: d, Tolerance: 1})
	if err != nil {
		return 0, err
	}
	return int64(t.Sent+t.Unsent) - int64(t.Lost), nil
}
