package result

import (
	"slices"
	"time"
)

// LossCurve is the loss of one size of frames by offered load (RFC 2544, 26.3).
type LossCurve struct {
	Size    Size        `json:"size"`
	MaxLoad Rate        `json:"max_load"` // what 100 % is
	Points  []LossPoint `json:"points,omitempty"`
}

// LossPoint is a trial at one load.
type LossPoint struct {
	Percent   float64 `json:"percent"` // of the maximum load
	Offered   Rate    `json:"offered"`
	Received  Rate    `json:"received"`
	Duration  int64   `json:"duration_ns"`
	Sent      uint64  `json:"sent"`
	Lost      uint64  `json:"lost"`
	LossRatio float64 `json:"loss_ratio"`
}

// BackToBack is the longest burst without loss of one size of frames (RFC 9004).
type BackToBack struct {
	Size     Size `json:"size"`
	SendRate Rate `json:"send_rate"`
	// ForwardingRate is the throughput that the buffer times are computed with.
	ForwardingRate Rate    `json:"forwarding_rate"`
	Bursts         []int64 `json:"bursts_packets,omitempty"` // one a repetition
	Mean           float64 `json:"mean_packets"`
	Min            int64   `json:"min_packets"`
	Max            int64   `json:"max_packets"`
	StdDev         float64 `json:"stddev_packets"`
	// BufferTime is what the implied buffer holds, CorrectedBufferTime that without
	// what is forwarded during the burst.
	BufferTime          int64 `json:"buffer_time_ns"`
	CorrectedBufferTime int64 `json:"corrected_buffer_time_ns"`
}

// MRR is the maximum receive rate: what is received at the highest load, loss ignored,
// in trials that are repeated.
type MRR struct {
	Size     Size      `json:"size"`
	Offered  Rate      `json:"offered"`
	Duration int64     `json:"duration_ns"`            // of each trial
	Trials   []float64 `json:"received_pps,omitempty"` // one a trial
	// Min, Median and Max are those of the trials, in packets per second.
	Min    float64 `json:"min_pps"`
	Median float64 `json:"median_pps"`
	Max    float64 `json:"max_pps"`
	// GeneratorBound is set by Conclude, as in Search.
	GeneratorBound bool `json:"generator_bound,omitempty"`
}

// NewMRR sums up trials at the same load: received is the packets per second of each.
func NewMRR(size Size, offered Rate, duration time.Duration, received []float64) MRR {
	m := MRR{Size: size, Offered: offered, Duration: int64(duration), Trials: received}
	if len(received) > 0 {
		m.Min, m.Median, m.Max = slices.Min(received), median(received), slices.Max(received)
	}
	return m
}

// NewBackToBack sums up searches for the longest burst. sendPPS is the rate within a burst,
// forwardingPPS the throughput, without which there is no corrected buffer time. The implied
// buffer time is how long the mean burst lasts at the send rate; what is forwarded meanwhile
// was not in the buffer (RFC 9004, section 6.4).
func NewBackToBack(size Size, sendPPS, forwardingPPS float64, bursts []int64) BackToBack {
	b := BackToBack{
		Size: size, SendRate: NewRate(sendPPS, size.Mean), ForwardingRate: NewRate(forwardingPPS, size.Mean),
		Bursts: bursts,
	}
	if len(bursts) == 0 || sendPPS <= 0 {
		return b
	}
	values := make([]float64, len(bursts))
	for i, n := range bursts {
		values[i] = float64(n)
	}
	b.Mean, b.StdDev = meanStdDev(values)
	b.Min, b.Max = slices.Min(bursts), slices.Max(bursts)
	implied := b.Mean / sendPPS * 1e9
	b.BufferTime = int64(implied)
	b.CorrectedBufferTime = int64(max(0, implied-implied*forwardingPPS/sendPPS))
	return b
}
