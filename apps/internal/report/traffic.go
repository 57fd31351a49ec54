package report

import "time"

// Traffic is what a command shows that generates and measures, beside its ports. A
// function that is nil has no page. The functions are called once a period from a
// goroutine that polls nothing; what they return is not changed afterwards.
type Traffic struct {
	// Streams has the counters of each stream, always in the same order.
	Streams func() []StreamRow
	// Latencies has the streams whose latency is measured.
	Latencies func() []Latency
	// Progress says how a search, or another series of trials, gets on.
	Progress func() Progress
	// Sending says what is sent now. Any goroutine may call it.
	Sending func() Sending
	Actions Actions
}

// StreamRow is one stream. Its counters may begin again at 0, as those of a new trial do.
type StreamRow struct {
	Name  string
	Route string // the ports that it leaves and enters by: "0 -> 1"
	Rate  string // intended: "1 Mpps"

	TxPackets, TxBytes uint64
	// Tracked is set if the receiver tells the packets of the stream from others. The
	// counters below are only then shown.
	Tracked            bool
	RxPackets, RxBytes uint64
	Lost               uint64
	Reordered          uint64
	Duplicates         uint64
	Corrupt            uint64
}

// Latency is how long the packets of a stream took. Without packets, the times are not
// shown.
type Latency struct {
	Name    string
	Packets uint64
	Min, P50, P90, P99, P999, P9999, Max,
	Mean, StdDev, Jitter time.Duration
	// Buckets is the distribution, from the shortest time to the longest.
	Buckets []Bucket
}

// Bucket is the part of a distribution that took at least From and at most To.
type Bucket struct {
	From, To time.Duration
	Packets  uint64
}

// Progress is how far a series of trials is.
type Progress struct {
	What string  // "64 bytes, 1 of 7"
	Done float64 // share of the whole, 0 to 1
	// Left is an estimate, below 0 if there is none.
	Left time.Duration
	// Current is the trial that is in progress, with Number 0 if none is.
	Current CurrentTrial
	Goals   []Goal
	// Trials are those that have ended, the oldest first. They are only added to.
	Trials []Trial
}

// CurrentTrial is a trial that is in progress.
type CurrentTrial struct {
	Number            int     // from 1
	Load              float64 // intended, packets a second, 0 if that is not known
	Duration, Elapsed time.Duration
}

// Goal is what a search looks for, and between which loads it is by now. Loads are packets
// a second, 0 if none is known.
type Goal struct {
	Name         string
	Lower, Upper float64
	// Conditional is the conditional throughput at the lower bound.
	Conditional float64
	State       string // in a few words: "found", "narrowing", "loses at every load"
}

// Trial is one that has ended.
type Trial struct {
	Number   int
	What     string // of several sizes, which one: "64 bytes"
	Load     float64
	Duration time.Duration
	Loss     float64 // share of what was to be sent, 0 to 1
	Outcome  string  // in a few words: "below ndr"
}

// Sending is what a generator does now.
type Sending struct {
	On   bool
	Rate string // intended: "1 Mpps"
}

// Actions are what keys do. One that is nil has no key. One is called at a time, from a
// goroutine that polls nothing; packets and the screen go on until it returns. What it
// returns as an error is shown.
type Actions struct {
	Start, Stop func() error
	// Step makes the rate higher by n steps, or lower if n is below 0.
	Step func(n int) error
	// SetRate sets the rate that the user has typed, or says why that is none.
	SetRate func(text string) error
	// RateHint says how a rate is written: "like 1Mpps or 10Gbps".
	RateHint string
}
