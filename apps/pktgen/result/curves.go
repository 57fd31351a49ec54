package result

// LossCurve is the loss of one size of frames by offered load (RFC 2544, 26.3).
type LossCurve struct {
	Size    Size        `json:"size"`
	MaxLoad Rate        `json:"max_load"` // what 100 % is
	Points  []LossPoint `json:"points,omitempty"`
	// Complete reports whether the two lowest loads lost nothing, where RFC 2544 ends.
	Complete bool `json:"complete"`
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
	// AtMax counts the repetitions in which the longest burst of the test passed, BelowMin
	// those in which the shortest one failed; their burst is 0.
	AtMax    int `json:"at_max"`
	BelowMin int `json:"below_min"`
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
