package result

// Search is one MLRsearch (RFC 9971) with one size of frames. A search that was repeated
// is several of them, with the same Size and other Repetitions.
type Search struct {
	Size       Size `json:"size"`
	Repetition int  `json:"repetition"` // from 1
	// MinLoad and MaxLoad are the loads between which the search looked.
	MinLoad Rate `json:"min_load"`
	MaxLoad Rate `json:"max_load"`

	Goals  []GoalResult  `json:"goals,omitempty"`
	Trials []SearchTrial `json:"trials,omitempty"` // in the order in which they ran
	// Elapsed is how long the search took, with all waits.
	Elapsed int64 `json:"elapsed_ns"`

	// GeneratorBound is set by Conclude: a figure of this search is at least 95 % of
	// what the generator reached over a cable on the same host.
	GeneratorBound bool `json:"generator_bound,omitempty"`
}

// Goal is a search goal in the words of RFC 9971.
type Goal struct {
	Name                 string  `json:"name"`
	FinalTrialDuration   int64   `json:"final_trial_duration_ns"`
	DurationSum          int64   `json:"duration_sum_ns"`
	LossRatio            float64 `json:"loss_ratio"`
	ExceedRatio          float64 `json:"exceed_ratio"`
	Width                float64 `json:"width"` // relative to the upper bound; 0 if not given
	InitialTrialDuration int64   `json:"initial_trial_duration_ns,omitempty"`
}

// GoalResult is what a search found for a goal. A bound that was not found is nil, and
// then Irregular says why.
type GoalResult struct {
	Goal       Goal   `json:"goal"`
	LowerBound *Bound `json:"relevant_lower_bound,omitempty"`
	UpperBound *Bound `json:"relevant_upper_bound,omitempty"`
	// ConditionalThroughput is RFC 9971's; zero without a lower bound.
	ConditionalThroughput Rate `json:"conditional_throughput"`
	// Irregular is empty for a regular result.
	Irregular string `json:"irregular,omitempty"`
	// LikelyLower and LikelyUpper are the interval that a search which ended early came
	// to, with fewer trials than the goal asks for. They are no bounds.
	LikelyLower Rate `json:"likely_lower,omitzero"`
	LikelyUpper Rate `json:"likely_upper,omitzero"`
	// LossInversion reports whether a load above the upper bound passes.
	LossInversion bool `json:"loss_inversion,omitempty"`
}

// Bound is a load that a search classified.
type Bound struct {
	Load Rate `json:"load"`
	// Trials is how many there were at this load, DurationSum their effective durations.
	Trials      int   `json:"trials"`
	DurationSum int64 `json:"duration_sum_ns"`
	// LossRatios are those of the trials at this load, in the order in which they ran.
	LossRatios []float64 `json:"loss_ratios,omitempty"`
}

// SearchTrial is one trial of a search.
type SearchTrial struct {
	Load              Rate    `json:"load"`
	Duration          int64   `json:"duration_ns"`
	EffectiveDuration int64   `json:"effective_duration_ns"`
	Sent              uint64  `json:"sent"`
	Unsent            uint64  `json:"unsent"`
	Lost              uint64  `json:"lost"`
	LossRatio         float64 `json:"loss_ratio"`
	// WarmUp marks the trial whose result no bound depends on.
	WarmUp bool `json:"warm_up,omitempty"`
}
