package result

// Latency sums up one-way times from when a packet was due to be sent until it was
// received, in nanoseconds.
type Latency struct {
	Samples uint64  `json:"samples"`
	Min     int64   `json:"min_ns"`
	P50     int64   `json:"p50_ns"`
	P90     int64   `json:"p90_ns"`
	P99     int64   `json:"p99_ns"`
	P999    int64   `json:"p99_9_ns"`
	P9999   int64   `json:"p99_99_ns"`
	Max     int64   `json:"max_ns"`
	Mean    float64 `json:"mean_ns"`
	StdDev  float64 `json:"stddev_ns"`
	// Jitter is what LatencyMethod.Jitter defines.
	Jitter float64 `json:"jitter_ns"`
	// Curve holds percentiles in ascending order, for plots.
	Curve []Quantile `json:"curve,omitempty"`
}

// Quantile is a latency that the given percent of the packets did not exceed.
type Quantile struct {
	Percentile float64 `json:"percentile"` // 0 to 100
	Value      int64   `json:"value_ns"`
}

// LatencyAtLoad is the latency at parts of a rate that a search found.
type LatencyAtLoad struct {
	Size Size `json:"size"`
	// Reference says which rate 100 % is: "lower bound of goal ndr".
	Reference     string      `json:"reference"`
	ReferenceRate Rate        `json:"reference_rate"`
	Points        []LoadPoint `json:"points,omitempty"`
}

// LoadPoint is the latency at one load.
type LoadPoint struct {
	Percent   float64 `json:"percent"` // of the reference rate
	Intended  Rate    `json:"intended"`
	Achieved  Rate    `json:"achieved"`
	Duration  int64   `json:"duration_ns"`
	LossRatio float64 `json:"loss_ratio"`
	// Latency is of all latency streams together.
	Latency Latency `json:"latency"`
}
