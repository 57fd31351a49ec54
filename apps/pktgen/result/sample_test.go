package result

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// sampleReport is a report with all parts, as a run through an emulated device would leave
// it. Its figures come from formulas and a fixed seed.
func sampleReport() *Report {
	rng := rand.New(rand.NewPCG(1, 2))
	start := time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)
	r := &Report{
		Title: "l2fwd between two emulated functions",
		Identity: Identity{
			Tool: "pktgen", Version: "v1.2.3", Commit: "0123456789abcdef0123456789abcdef01234567",
			GoVersion: "go1.26.0", Platform: "linux/amd64", GOMAXPROCS: 4, GOGC: "100", GOMEMLIMIT: "off",
			CommandLine:  []string{"pktgen", "--scenario", "bidirectional.yaml", "--search", "csit-ndr,csit-pdr", "emu:cable=a", "emu:cable=b"},
			ScenarioName: "bidirectional.yaml", Start: start, End: start.Add(47 * time.Minute),
		},
		Disclosure: sampleDisclosure(),
	}
	r.Identity.SetScenario("bidirectional.yaml", []byte(r.Disclosure.Traffic.Scenario))
	for _, n := range []int{60, 252, 508, 1514} {
		capacity := 1 / (70e-9 + float64(n)*0.11e-9)
		for repetition := 1; repetition <= 2; repetition++ {
			r.Searches = append(r.Searches, sampleSearch(rng, n, repetition, capacity))
		}
		r.LatencyAtLoad = append(r.LatencyAtLoad, sampleLoads(rng, n, capacity))
		r.Disclosure.Limits.Loopback = append(r.Disclosure.Limits.Loopback, LoopbackMaximum{
			Size: FixedSize(n), Rate: NewRate(21e6/(1+float64(n)/2500), float64(n)), Method: "cable, 5 s",
		})
	}
	for _, n := range []int{60, 508, 1514} {
		r.LossCurves = append(r.LossCurves, sampleLossCurve(n))
		r.BackToBack = append(r.BackToBack, NewBackToBack(FixedSize(n),
			mlrsearch.BackToBackConfig{MaxFrameRate: 14.88e6, Throughput: 10e6},
			mlrsearch.BackToBackResult{Bursts: []int64{812, 790, 845, 801}, ImpliedBufferTime: 54570, CorrectedBufferTime: 17900,
				Frames: mlrsearch.Summary{Count: 4, Min: 790, Mean: 812, Max: 845, StdDev: 23.8}}))
		r.MRR = append(r.MRR, sampleMRR(n, 12.9e6, 13.1e6, 12.7e6, 13.0e6))
	}
	r.Trials = []Trial{sampleTrial(rng, start)}
	r.Conclude()
	return r
}

// sampleMRR is a measurement of the maximum receive rate with the given outcomes.
func sampleMRR(n int, received ...float64) MRR {
	r := mlrsearch.ReceiveRateResult{Rate: mlrsearch.Summary{Min: slices.Min(received), Max: slices.Max(received)}}
	for _, pps := range received {
		r.Trials = append(r.Trials, mlrsearch.TrialResult{Load: pps})
	}
	return NewMRR(FixedSize(n), mlrsearch.ReceiveRateConfig{Load: 14.88e6, Duration: time.Second}, r)
}

func sampleDisclosure() Disclosure {
	device := func(name, port string) Device {
		return Device{
			Port: port, Name: name, Backend: "cable", Mode: "emulated", Emulated: true, PCIID: "1af4:1041",
			Address: "0000:00:03.0", FeatureMask: "0x1500000020",
			Features: []string{"VIRTIO_NET_F_MAC", "VIRTIO_NET_F_STATUS", "VIRTIO_F_VERSION_1", "VIRTIO_F_RING_PACKED"},
			Ring:     "packed", QueuePairs: 1, RxQueueSize: 256, TxQueueSize: 256, Mergeable: true, InOrder: true,
			Indirect: true, Path: "packed in-order, header in the headroom", MTU: 1500, MAC: "02:00:00:00:00:01",
			NUMANode: -1, PageSize: 2 << 20, PollerCPUs: "1", Burst: 32,
		}
	}
	goals := []Goal{sampleGoal("ndr", 0), sampleGoal("pdr", 0.005)}
	return Disclosure{
		Topology: Topology{Label: "pvp", Description: "port 0 -> l2fwd -> port 1", Bidirectional: true, DUT: "l2fwd v1.2.3"},
		Host: Host{
			CPUModel: "Example CPU @ 2.10GHz", CPUs: "0-3", Governor: "performance", SMT: "off", IsolCPUs: "1-3",
			NoHzFull: "1-3", CPUSet: "0-3", Kernel: "6.1.0-41-amd64", KernelLine: "console=ttyS0 isolcpus=1-3 nohz_full=1-3",
			Hypervisor: "none", Clocksource: "tsc", Memory: 32 << 30,
			NUMANodes:   []NUMANode{{ID: 0, CPUs: "0-3", Memory: 32 << 30}},
			Hugepages:   []Hugepages{{Node: 0, Size: 2 << 20, Total: 1024, Free: 512}},
			Mitigations: []Mitigation{{"retbleed", "Not affected"}, {"spectre_v2", "Mitigation: Retpolines"}},
		},
		Devices: []Device{device("0", "emu:cable=a"), device("1", "emu:cable=b")},
		Traffic: Traffic{
			Streams: []TrafficStream{
				{Name: "load", TxPort: "0", Packet: "Ethernet/IPv4/UDP", Size: FixedSize(60), Flows: 1000,
					Fields: "ipv4.dst +1 of 1000", Rate: "100%", Pattern: "continuous", Quantum: 32, Tracked: true},
				{Name: "probe", TxPort: "0", Packet: "Ethernet/IPv4/UDP", Size: FixedSize(60), Flows: 1,
					Rate: "1kpps", Pattern: "continuous", Quantum: 1, Tracked: true, Latency: true},
			},
			Scenario: "streams:\n  - name: load\n    rate: 100%\n  - name: probe\n    rate: 1kpps\n    latency: true\n",
			LineRate: 10e9,
		},
		Search: &SearchMethod{
			Preset: "csit-ndr, csit-pdr", Goals: goals, Repetitions: 2, Scope: "aggregate of 2 interfaces", ScopeFactor: 2,
			WidthOf: "the upper bound", EffectiveDuration: "the intended duration", WaitAfter: 100e6, Settle: 100e6,
			ShortFails: true,
		},
		Latency: LatencyMethod{
			Transmit: "when the packet was due, before it is given to the device",
			Receive:  "once a burst, after the receive queue returned it", Clock: "CLOCK_MONOTONIC", ProbePPS: 1000,
			Digits: 3, Jitter: "mean difference of neighbouring packets (RFC 3550)",
			Bias: &Latency{Samples: 5000, Min: 610, P50: 1240, P90: 1800, P99: 3100, P999: 5200, P9999: 9000, Max: 9700,
				Mean: 1330, StdDev: 420, Jitter: 260},
		},
	}
}

func sampleGoal(name string, loss float64) Goal {
	return Goal{Name: name, FinalTrialDuration: 1e9, DurationSum: 21e9, LossRatio: loss, ExceedRatio: 0.5, Width: 0.005,
		InitialTrialDuration: 1e9}
}

func sampleSearch(rng *rand.Rand, n, repetition int, capacity float64) Search {
	noisy := capacity * (1 + 0.02*rng.NormFloat64())
	rate := func(pps float64) Rate { return NewRate(pps, float64(n)) }
	s := Search{Size: FixedSize(n), Repetition: repetition, MinLoad: rate(9001), MaxLoad: rate(14.88e6), Elapsed: 95e9}
	for g, loss := range []float64{0, 0.005} {
		lower := noisy * (1 + 0.06*float64(g))
		bound := func(pps float64, ratios ...float64) *Bound {
			return &Bound{Load: rate(pps), Trials: 21, DurationSum: 21e9, LossRatios: ratios}
		}
		s.Goals = append(s.Goals, GoalResult{
			Goal: sampleGoal([]string{"ndr", "pdr"}[g], loss), LowerBound: bound(lower, loss, 0, loss/2),
			UpperBound: bound(lower*1.004, 2*loss+0.001), ConditionalThroughput: rate(lower * (1 - loss)),
		})
	}
	for i := range 9 {
		load := noisy * (0.9 + 0.025*float64(i))
		lost := max(0, load-noisy)
		s.Trials = append(s.Trials, SearchTrial{Load: rate(load), Duration: 1e9, EffectiveDuration: 1e9, WarmUp: i == 0,
			Sent: uint64(load), Lost: uint64(lost), LossRatio: LossRatio(uint64(load), uint64(lost))})
	}
	return s
}

// sampleLatency is log-normal around a median, with a long tail.
func sampleLatency(rng *rand.Rand, samples int, median float64) Latency {
	values := make([]float64, samples)
	for i := range values {
		values[i] = median * math.Exp(0.35*math.Abs(rng.NormFloat64()))
		if rng.Float64() < 0.002 {
			values[i] *= 4 + 10*rng.Float64()
		}
	}
	slices.Sort(values)
	l := Latency{Samples: uint64(samples), Min: int64(values[0]), Max: int64(values[samples-1])}
	at := func(percent float64) int64 { return int64(values[int(percent/100*float64(samples-1))]) }
	l.P50, l.P90, l.P99, l.P999, l.P9999 = at(50), at(90), at(99), at(99.9), at(99.99)
	l.Mean, l.StdDev = meanStdDev(values)
	l.Jitter = l.StdDev * 0.8
	for step := 0; ; step++ {
		percent := 100 * (1 - math.Pow(10, -float64(step)/8))
		if 1-percent/100 < 1/float64(samples) {
			return l
		}
		l.Curve = append(l.Curve, Quantile{percent, at(percent)})
	}
}

func sampleLoads(rng *rand.Rand, n int, capacity float64) LatencyAtLoad {
	l := LatencyAtLoad{Size: FixedSize(n), Reference: "lower bound of goal pdr", ReferenceRate: NewRate(capacity, float64(n))}
	for _, percent := range []float64{10, 50, 90} {
		rate := NewRate(capacity*percent/100, float64(n))
		median := 1400 / (1.08 - percent/100) * (1 + float64(n)/3000)
		l.Points = append(l.Points, LoadPoint{Percent: percent, Intended: rate, Achieved: rate, Duration: 10e9,
			Latency: sampleLatency(rng, 10000, median)})
	}
	return l
}

func sampleLossCurve(n int) LossCurve {
	c := LossCurve{Size: FixedSize(n), MaxLoad: NewRate(14.88e6, float64(n))}
	for percent := 100.0; percent >= 10; percent -= 10 {
		offered := 14.88e6 * percent / 100
		received := min(offered, 9.5e6-float64(n)*1500)
		sent, lost := uint64(offered), uint64(offered-received)
		c.Points = append(c.Points, LossPoint{Percent: percent, Offered: NewRate(offered, float64(n)),
			Received: NewRate(received, float64(n)), Duration: 1e9, Sent: sent, Lost: lost, LossRatio: LossRatio(sent, lost)})
	}
	return c
}

func sampleTrial(rng *rand.Rand, start time.Time) Trial {
	probe := sampleLatency(rng, 10000, 2600)
	back := sampleLatency(rng, 10000, 3300)
	t := Trial{
		Name: "soak at 8 Mpps", Start: start.Add(40 * time.Minute), Size: FixedSize(60),
		Intended: NewRate(8e6, 60), Achieved: NewRate(7.999e6, 60), Received: NewRate(7.998e6, 60),
		Duration: 10e9, EffectiveDuration: 10.1e9, Quantum: 32, Sent: 79990000, Unsent: 10000, Lost: 20000,
		LossRatio: LossRatio(80000000, 20000),
		Ports: []Port{
			{Name: "0", TxPackets: 39995000, TxBytes: 39995000 * 60, TxUnsent: 5000, RxPackets: 39990000, RxBytes: 39990000 * 60},
			{Name: "1", TxPackets: 39995000, TxBytes: 39995000 * 60, TxUnsent: 5000, RxPackets: 39990000, RxBytes: 39990000 * 60, RxUnknown: 3},
		},
		Streams: []Stream{
			{ID: 1, Name: "load", TxPort: "0", RxPort: "1", Tracked: true, TxPackets: 39985000, TxBytes: 39985000 * 60,
				TxUnsent: 5000, RxPackets: 39980000, RxBytes: 39980000 * 60, Lost: 10000,
				LossRatio: LossRatio(39990000, 10000), Reordered: 7, Duplicates: 2},
			{ID: 2, Name: "probe", TxPort: "0", RxPort: "1", Tracked: true, TxPackets: 10000, TxBytes: 600000,
				RxPackets: 10000, RxBytes: 600000, Latency: &probe},
			{ID: 3, Name: "probe back", TxPort: "1", RxPort: "0", Tracked: true, TxPackets: 10000, TxBytes: 600000,
				RxPackets: 10000, RxBytes: 600000, Latency: &back},
		},
		Pollers: []Poller{{Name: "tx 0", CPU: 1, Polls: 2500000, EmptyPolls: 900, BusyRatio: 0.71, CyclesPerPacket: 81.2, NsPerPacket: 38.6},
			{Name: "rx 1", CPU: -1, Polls: 3100000, EmptyPolls: 640000, BusyRatio: 0.42}},
		GC: GC{Cycles: 2, PauseMax: 84000, PauseTotal: 121000},
		Criteria: []Criterion{
			{Name: "max-loss", Limit: 0.001, Measured: 0.00025, Unit: "ratio", Passed: true},
			{Name: "max-p99", Limit: 5000, Measured: float64(probe.P99), Unit: "ns", Passed: probe.P99 <= 5000},
		},
	}
	for i := range 20 {
		sent := 8e6 * (1 + 0.004*rng.NormFloat64())
		received := sent - 1000
		if i == 13 {
			received *= 0.93
		}
		t.Intervals = append(t.Intervals, Interval{Start: int64(i) * 500e6, Duration: 500e6, TxPPS: sent, RxPPS: received,
			LatencyP50: int64(2600 + 150*rng.NormFloat64()), LatencyP99: int64(6800 + 700*rng.Float64()),
			LatencyMax: int64(12000 + 9000*rng.Float64())})
	}
	return t
}
