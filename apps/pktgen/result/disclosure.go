package result

// Disclosure is what must stand beside a figure: without it the figure cannot be judged
// or repeated.
type Disclosure struct {
	Topology Topology      `json:"topology"`
	Host     Host          `json:"host"`
	Devices  []Device      `json:"devices,omitempty"`
	Traffic  Traffic       `json:"traffic"`
	Search   *SearchMethod `json:"search,omitempty"`
	Latency  LatencyMethod `json:"latency"`
	Limits   Limits        `json:"limits"`
}

// Topology says what was between the ports.
type Topology struct {
	// Label is "loopback", "cable", "vm-to-vm", "pvp", "pv", "pod-to-pod", "cloud" or
	// what the user calls it.
	Label         string `json:"label"`
	Description   string `json:"description,omitempty"`
	Bidirectional bool   `json:"bidirectional"`
	// DUT names the device or program under test and its version.
	DUT string `json:"dut,omitempty"`
}

// Device is a port that pktgen opened and what was negotiated with its device.
type Device struct {
	Port    string `json:"port"` // as on the command line
	Name    string `json:"name"` // as the trials call it
	Backend string `json:"backend"`
	PCIID   string `json:"pci_id,omitempty"` // "1af4:1041"
	Address string `json:"address,omitempty"`
	// Mode is "vfio type1", "vfio no-iommu", "vhost-user", "vhost-vdpa" or "emulated".
	Mode string `json:"mode"`
	// Emulated reports whether the device is software of this process.
	Emulated bool `json:"emulated"`

	FeatureMask string   `json:"feature_mask"` // negotiated: "0x130007c23"
	Features    []string `json:"features,omitempty"`
	Ring        string   `json:"ring"` // "split" or "packed"
	QueuePairs  int      `json:"queue_pairs"`
	RxQueueSize int      `json:"rx_queue_size"`
	TxQueueSize int      `json:"tx_queue_size"`
	Mergeable   bool     `json:"mergeable_rx_buffers"`
	InOrder     bool     `json:"in_order"`
	Indirect    bool     `json:"indirect"`
	EventIdx    bool     `json:"event_idx"`
	Path        string   `json:"path"` // the RX and TX path that the driver chose, in words

	MTU       int    `json:"mtu"`
	MAC       string `json:"mac"`
	LinkSpeed int64  `json:"link_speed_bps"` // as the device says; 0 if it does not
	NUMANode  int    `json:"numa_node"`      // -1 if unknown
	// MemoryNode is the node of the packet buffers, PollerCPUs the CPUs that poll.
	MemoryNode int    `json:"memory_node"`
	PageSize   int64  `json:"page_size_bytes"` // of the packet buffers
	PollerCPUs string `json:"poller_cpus"`
	Burst      int    `json:"burst"`
}

// Traffic is what was sent.
type Traffic struct {
	Streams []TrafficStream `json:"streams,omitempty"`
	// Scenario is the text of the scenario file, if there was one.
	Scenario string `json:"scenario,omitempty"`
	// LineRate is what percentages are of, as the user stated it; 0 if not stated.
	LineRate int64 `json:"line_rate_bps,omitempty"`
	// IMIX defines the mix of sizes, if there is one.
	IMIX string `json:"imix,omitempty"`
}

// TrafficStream describes one stream in words.
type TrafficStream struct {
	Name     string `json:"name"`
	TxPort   string `json:"tx_port"`
	Packet   string `json:"packet"` // its layers: "Ethernet/IPv4/UDP"
	Size     Size   `json:"size"`
	Flows    int64  `json:"flows"` // combinations of varying fields; 0 if unknown
	Fields   string `json:"fields,omitempty"`
	Rate     string `json:"rate"` // as given
	Pattern  string `json:"pattern"`
	Quantum  int    `json:"quantum_packets"` // sent together at most at that rate
	Latency  bool   `json:"latency"`
	Tracked  bool   `json:"tracked"`
	Checksum string `json:"checksums,omitempty"`
}

// SearchMethod says how searches were done.
type SearchMethod struct {
	Preset string `json:"preset,omitempty"`
	// Deviations say in what the search differs from the preset.
	Deviations  []string `json:"deviations,omitempty"`
	Goals       []Goal   `json:"goals,omitempty"`
	Repetitions int      `json:"repetitions"`
	// Scope says what a load is: "per interface", "aggregate of 2 interfaces"; a load
	// of the report divided by ScopeFactor is the load of one interface.
	Scope       string  `json:"scope"`
	ScopeFactor float64 `json:"scope_factor"`
	WidthOf     string  `json:"width_of"` // what the goal width is a part of
	// EffectiveDuration says how it is computed.
	EffectiveDuration string `json:"effective_duration,omitempty"`

	WaitBefore int64 `json:"wait_before_ns"` // between learning frames and the trial
	WaitAfter  int64 `json:"wait_after_ns"`  // for the last packets, at most
	Settle     int64 `json:"settle_ns"`      // until the next trial
	Learning   bool  `json:"learning_frames"`
	// ShortFails reports whether an offered load short of the intended one fails a trial.
	ShortFails bool `json:"short_rate_fails"`
}

// LatencyMethod says how latencies were measured. All is empty if they were not.
type LatencyMethod struct {
	Transmit string  `json:"transmit_timestamp,omitempty"` // where and when it is taken
	Receive  string  `json:"receive_timestamp,omitempty"`
	Clock    string  `json:"clock,omitempty"`
	ProbePPS float64 `json:"probe_pps,omitempty"` // of each latency stream
	// Digits is the number of significant digits that the histogram keeps.
	Digits int    `json:"histogram_digits,omitempty"`
	Jitter string `json:"jitter,omitempty"` // its definition
	// Bias is the latency over a cable without a device under test, by the same loop.
	// It is not subtracted from anything.
	Bias *Latency `json:"bias,omitempty"`
}

// Limits are those of the generator itself.
type Limits struct {
	// Loopback is what the generator sent and received itself over a cable on this
	// host, by size. Empty if it was not measured.
	Loopback []LoopbackMaximum `json:"loopback,omitempty"`
}

// LoopbackMaximum is the generator's own maximum.
type LoopbackMaximum struct {
	Size Size `json:"size"`
	Rate Rate `json:"rate"`
	// Method says how it was measured.
	Method string `json:"method"`
}
