package result

import "time"

// Trial is one trial: a load that was offered for a time, and what came of it. Rates are
// those of all ports together.
type Trial struct {
	// Name says which trial it is and is what two reports are compared by.
	Name  string    `json:"name"`
	Start time.Time `json:"start,omitzero"`
	Size  Size      `json:"size"`

	Intended Rate `json:"intended"` // what was asked for
	Achieved Rate `json:"achieved"` // what was sent
	Received Rate `json:"received"`

	Duration int64 `json:"duration_ns"` // what was asked for
	// EffectiveDuration is how long sending took and what followed it: the wait for
	// the last packets.
	EffectiveDuration int64 `json:"effective_duration_ns"`
	// Quantum is how many packets at most are sent at once at this rate.
	Quantum int `json:"quantum_packets,omitempty"`
	// MeanBurst is how many packets a transmit queue was given at once on average, and
	// MaxLate how long after they were due packets were sent at most.
	MeanBurst float64 `json:"mean_burst_packets,omitempty"`
	MaxLate   int64   `json:"max_late_ns,omitempty"`

	Sent uint64 `json:"sent"`
	// Unsent is what was due by the end and not sent. It counts as lost.
	Unsent uint64 `json:"unsent"`
	// Lost is what was sent or due and not received.
	Lost      uint64  `json:"lost"`
	LossRatio float64 `json:"loss_ratio"` // lost / (sent + unsent)

	Ports     []Port     `json:"ports,omitempty"`
	Streams   []Stream   `json:"streams,omitempty"`
	Intervals []Interval `json:"intervals,omitempty"`
	Pollers   []Poller   `json:"pollers,omitempty"`
	GC        GC         `json:"gc"`
	// Examples are the first corrupt packet of each kind and port: what is wrong with it in
	// a line, and a hex dump of how it begins.
	Examples []string `json:"examples,omitempty"`

	Criteria []Criterion `json:"criteria,omitempty"`
	Passed   bool        `json:"passed"`
}

// Port counts what one port sent and received during a trial. What is received adds up:
// rx_packets are those of all streams, with the stale ones, and the unknown ones.
type Port struct {
	Name      string `json:"name"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxUnsent  uint64 `json:"tx_unsent"`
	// TxDropped counts those of tx_packets that the driver or the device dropped.
	TxDropped uint64 `json:"tx_dropped,omitempty"`
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxErrors  uint64 `json:"rx_errors"`
	RxNoMbuf  uint64 `json:"rx_nombuf"`
	// Resets counts how often the device was reset, and Disconnects how often it went away.
	Resets      uint64 `json:"resets,omitempty"`
	Disconnects uint64 `json:"disconnects,omitempty"`
	// RxUnknown counts packets that belong to no stream of the trial.
	RxUnknown uint64 `json:"rx_unknown"`
}

// Stream counts the packets of one stream.
type Stream struct {
	ID     uint16 `json:"id"` // as the packets carry it
	Name   string `json:"name"`
	TxPort string `json:"tx_port,omitempty"`
	RxPort string `json:"rx_port,omitempty"`
	// Tracked reports whether packets carry a sequence number: without one, what is
	// lost, reordered or duplicate is known by port only.
	Tracked bool `json:"tracked"`

	TxPackets  uint64  `json:"tx_packets"`
	TxBytes    uint64  `json:"tx_bytes"`
	TxUnsent   uint64  `json:"tx_unsent"`
	RxPackets  uint64  `json:"rx_packets"`
	RxBytes    uint64  `json:"rx_bytes"`
	Lost       uint64  `json:"lost"`
	LossRatio  float64 `json:"loss_ratio"`
	Reordered  uint64  `json:"reordered"`
	Duplicates uint64  `json:"duplicates"`
	// Late counts packets that came too late for the window of the meter to say
	// whether they are duplicates.
	Late uint64 `json:"late"`
	// Stale counts packets of an earlier trial. They are neither lost nor received in this one.
	Stale   uint64   `json:"stale"`
	Corrupt Corrupt  `json:"corrupt"`
	Latency *Latency `json:"latency,omitempty"`
}

// Corrupt counts packets that were received other than they were sent, by what was wrong.
type Corrupt struct {
	Checksum uint64 `json:"checksum"`
	Length   uint64 `json:"length"`
	Payload  uint64 `json:"payload"`
}

// Interval is what happened in a part of a trial.
type Interval struct {
	// Start is when the interval began, after the start of the trial.
	Start    int64   `json:"start_ns"`
	Duration int64   `json:"duration_ns"`
	TxPPS    float64 `json:"tx_pps"`
	RxPPS    float64 `json:"rx_pps"`
	// Latency of the packets received in the interval; 0 without latency streams.
	LatencyP50 int64 `json:"latency_p50_ns,omitempty"`
	LatencyP99 int64 `json:"latency_p99_ns,omitempty"`
	LatencyMax int64 `json:"latency_max_ns,omitempty"`
}

// Poller is what one polling goroutine cost.
type Poller struct {
	Name            string  `json:"name"`
	CPU             int     `json:"cpu"` // -1 if not pinned
	Polls           uint64  `json:"polls"`
	EmptyPolls      uint64  `json:"empty_polls"`
	BusyRatio       float64 `json:"busy_ratio"`
	CyclesPerPacket float64 `json:"cycles_per_packet,omitempty"` // 0 if not measured
	NsPerPacket     float64 `json:"ns_per_packet,omitempty"`
}

// GC is what the garbage collector did during a trial.
type GC struct {
	Cycles     uint64 `json:"cycles"`
	PauseMax   int64  `json:"pause_max_ns"`
	PauseTotal int64  `json:"pause_total_ns"`
}

// Criterion is a pass criterion, such as --max-loss, and how it came out.
type Criterion struct {
	Name     string  `json:"name"` // the flag without dashes: "max-loss", "max-p99"
	Limit    float64 `json:"limit"`
	Measured float64 `json:"measured"`
	Unit     string  `json:"unit"` // "ratio", "ns", "pps", "packets"
	Passed   bool    `json:"passed"`
}
