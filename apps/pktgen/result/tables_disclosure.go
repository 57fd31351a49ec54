package result

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// disclosureTables is section 2.4's block: what must stand beside a figure.
func disclosureTables(r *Report) []table {
	d := &r.Disclosure
	list := []table{
		pairs("Program", identityRows(r.Identity)),
		pairs("Topology", [][]string{
			{"Topology", d.Topology.Label}, {"Description", d.Topology.Description},
			{"Direction", direction(d.Topology)}, {"Under test", d.Topology.DUT},
		}),
		pairs("Host", hostRows(d.Host)),
	}
	for _, dev := range d.Devices {
		list = append(list, pairs("Device "+dev.Name, deviceRows(dev)))
	}
	list = append(list, trafficTable(d.Traffic))
	if d.Search != nil {
		list = append(list, pairs("Search", searchRows(*d.Search)), goalsTable(d.Search.Goals))
	}
	if d.Latency.Transmit != "" {
		list = append(list, pairs("Latency", latencyRows(d.Latency)))
	}
	if len(d.Limits.Loopback) > 0 {
		list = append(list, loopbackTable(d.Limits.Loopback))
	}
	return list
}

// pairs makes a table of names and values without the pairs that say nothing.
func pairs(caption string, rows [][]string) table {
	t := table{Caption: caption, Text: 2}
	for _, row := range rows {
		if row[1] != "" {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func direction(t Topology) string {
	if t.Bidirectional {
		return "bidirectional"
	}
	return "unidirectional"
}

func identityRows(id Identity) [][]string {
	return [][]string{
		{"Version", id.Tool + " " + id.Version},
		{"Commit", id.Commit},
		{"Go", fmt.Sprintf("%s %s, GOMAXPROCS %d, GOGC %s, GOMEMLIMIT %s",
			id.GoVersion, id.Platform, id.GOMAXPROCS, id.GOGC, id.GOMEMLIMIT)},
		{"Command line", strings.Join(id.CommandLine, " ")},
		{"Scenario", id.ScenarioName},
		{"Scenario SHA-256", id.ScenarioSHA256},
		{"Start", id.Start.UTC().Format(time.RFC3339)},
		{"End", id.End.UTC().Format(time.RFC3339)},
	}
}

func hostRows(h Host) [][]string {
	rows := [][]string{
		{"CPU", h.CPUModel}, {"CPUs online", h.CPUs}, {"Frequency governor", h.Governor}, {"SMT", h.SMT},
		{"isolcpus", h.IsolCPUs}, {"nohz_full", h.NoHzFull}, {"CPUs allowed", h.CPUSet},
		{"Kernel", h.Kernel}, {"Kernel command line", h.KernelLine}, {"Hypervisor", h.Hypervisor},
		{"Clock source", h.Clocksource}, {"Memory", bytesText(h.Memory)},
	}
	for _, n := range h.NUMANodes {
		rows = append(rows, []string{fmt.Sprintf("NUMA node %d", n.ID), "CPUs " + n.CPUs + ", " + bytesText(n.Memory)})
	}
	for _, p := range h.Hugepages {
		where := ""
		if p.Node >= 0 {
			where = fmt.Sprintf(" on node %d", p.Node)
		}
		rows = append(rows, []string{"Hugepages of " + bytesText(p.Size) + where,
			fmt.Sprintf("%d, %d free", p.Total, p.Free)})
	}
	for _, m := range h.Mitigations {
		rows = append(rows, []string{"Mitigation " + m.Name, m.State})
	}
	for _, name := range h.Unread {
		rows = append(rows, []string{name, Unknown})
	}
	return rows
}

func deviceRows(d Device) [][]string {
	mode := d.Mode
	if d.Emulated {
		mode += " (software of this process)"
	}
	return [][]string{
		{"Port", d.Port}, {"Backend", d.Backend}, {"Mode", mode}, {"PCI ID", d.PCIID}, {"Address", d.Address},
		{"Negotiated features", strings.TrimSpace(d.FeatureMask + " " + strings.Join(d.Features, " "))},
		{"Ring", fmt.Sprintf("%s, %d queue pairs, RX %d, TX %d descriptors",
			d.Ring, d.QueuePairs, d.RxQueueSize, d.TxQueueSize)},
		{"Options", fmt.Sprintf("mergeable RX buffers %s, in order %s, indirect %s, event index %s",
			onOff(d.Mergeable), onOff(d.InOrder), onOff(d.Indirect), onOff(d.EventIdx))},
		{"Path", d.Path}, {"MTU", strconv.Itoa(d.MTU)}, {"MAC", d.MAC}, {"Link speed", speedText(d.LinkSpeed)},
		{"NUMA", fmt.Sprintf("device on node %s, packet buffers on node %s in pages of %s",
			nodeText(d.NUMANode), nodeText(d.MemoryNode), bytesText(d.PageSize))},
		{"Pollers", "CPUs " + d.PollerCPUs}, {"Burst", strconv.Itoa(d.Burst)},
	}
}

func searchRows(m SearchMethod) [][]string {
	return [][]string{
		{"Preset", m.Preset}, {"Differs from the preset", strings.Join(m.Deviations, "; ")}, {"Repetitions", strconv.Itoa(m.Repetitions)},
		{"A load is", fmt.Sprintf("%s; divided by %g it is that of one interface", m.Scope, m.ScopeFactor)},
		{"Goal width is relative to", m.WidthOf}, {"Effective duration", m.EffectiveDuration},
		{"Waits", fmt.Sprintf("%s before a trial, %s for the last packets, %s until the next trial",
			durationText(m.WaitBefore), durationText(m.WaitAfter), durationText(m.Settle))},
		{"Learning frames", onOff(m.Learning)},
		{"A trial that sends less than intended", map[bool]string{true: "fails", false: "does not fail"}[m.ShortFails]},
	}
}

func latencyRows(m LatencyMethod) [][]string {
	rows := [][]string{
		{"Transmit timestamp", m.Transmit}, {"Receive timestamp", m.Receive}, {"Clock", m.Clock},
		{"Probes", PPSText(m.ProbePPS) + " in each latency stream"},
		{"Histogram", fmt.Sprintf("%d significant digits", m.Digits)}, {"Jitter", m.Jitter},
	}
	if b := m.Bias; b != nil {
		rows = append(rows, []string{"Bias over a cable, not subtracted",
			fmt.Sprintf("min %s, median %s, p99 %s, max %s (%s samples)", nsText(float64(b.Min)),
				nsText(float64(b.P50)), nsText(float64(b.P99)), nsText(float64(b.Max)), countText(b.Samples))})
	}
	return rows
}

func trafficTable(traffic Traffic) table {
	t := table{
		Caption: "Traffic",
		Text:    8,
		Head: []string{"Stream", "Port", "Packet", "Size", "Varying fields", "Rate", "Pattern", "Measured",
			"Flows", "Sent together"},
	}
	if traffic.LineRate > 0 {
		t.Caption += ", line rate stated: " + bpsText(float64(traffic.LineRate))
	}
	if traffic.IMIX != "" {
		t.Caption += ", mix of sizes: " + traffic.IMIX
	}
	for _, s := range traffic.Streams {
		measured := "port counters"
		switch {
		case s.Latency:
			measured = "sequence and latency"
		case s.Tracked:
			measured = "sequence"
		}
		flows := Unknown
		if s.Flows > 0 {
			flows = countText(uint64(s.Flows))
		}
		t.Rows = append(t.Rows, []string{s.Name, s.TxPort, s.Packet, s.Size.String(), s.Fields, s.Rate, s.Pattern,
			measured, flows, strconv.Itoa(s.Quantum)})
	}
	return t
}

func goalsTable(goals []Goal) table {
	t := table{
		Caption: "Search goals",
		Text:    1,
		Head:    []string{"Goal", "Final trial", "Duration sum", "Loss ratio", "Exceed ratio", "Width", "Initial trial"},
	}
	for _, g := range goals {
		t.Rows = append(t.Rows, []string{g.Name, durationText(g.FinalTrialDuration), durationText(g.DurationSum),
			ratioText(g.LossRatio), ratioText(g.ExceedRatio), ratioText(g.Width), durationText(g.InitialTrialDuration)})
	}
	return t
}

func loopbackTable(list []LoopbackMaximum) table {
	t := table{
		Caption: "The generator's own maximum on this host",
		Text:    2,
		Head:    []string{"Size", "Method", "Packets per second", "L1"},
	}
	for _, l := range list {
		t.Rows = append(t.Rows, []string{l.Size.String(), l.Method, pps(l.Rate.PPS), bpsText(l.Rate.L1BPS)})
	}
	return t
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

func nodeText(node int) string {
	if node < 0 {
		return Unknown
	}
	return strconv.Itoa(node)
}

func speedText(bps int64) string {
	if bps == 0 {
		return Unknown
	}
	return bpsText(float64(bps))
}

// bytesText returns a length in the largest binary unit that it is at least one of.
func bytesText(n int64) string {
	if n == 0 {
		return Unknown
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v /= 1024
		i++
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + " " + units[i]
}
