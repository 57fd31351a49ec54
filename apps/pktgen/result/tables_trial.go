package result

import "strconv"

func passedText(passed bool) string {
	if passed {
		return "passed"
	}
	return "failed"
}

// summaryTable is a trial in short.
func summaryTable(t Trial) table {
	return table{
		Caption: "Rates",
		Text:    1,
		Head:    []string{"", "Packets per second", "L1", "L2"},
		Rows: [][]string{
			{"Intended", pps(t.Intended.PPS), bpsText(t.Intended.L1BPS), bpsText(t.Intended.L2BPS)},
			{"Achieved", pps(t.Achieved.PPS), bpsText(t.Achieved.L1BPS), bpsText(t.Achieved.L2BPS)},
			{"Received", pps(t.Received.PPS), bpsText(t.Received.L1BPS), bpsText(t.Received.L2BPS)},
		},
	}
}

func portsTable(ports []Port) table {
	t := table{
		Caption: "Ports",
		Text:    1,
		Head: []string{"Port", "TX-packets", "TX-bytes", "Unsent", "RX-packets", "RX-bytes", "RX-errors", "RX-nombuf",
			"Unknown"},
	}
	for _, p := range ports {
		t.Rows = append(t.Rows, append([]string{p.Name}, counts(p.TxPackets, p.TxBytes, p.TxUnsent, p.RxPackets,
			p.RxBytes, p.RxErrors, p.RxNoMbuf, p.RxUnknown)...))
	}
	return t
}

func streamsTable(streams []Stream) table {
	t := table{
		Caption: "Streams",
		Text:    2,
		Head: []string{"Stream", "Ports", "Sent", "Unsent", "Received", "Lost", "Loss ratio", "Reordered",
			"Duplicates", "Late", "Stale", "Bad checksum", "Bad length", "Bad payload"},
	}
	for _, s := range streams {
		row := []string{s.Name, s.TxPort + " → " + s.RxPort}
		row = append(row, counts(s.TxPackets, s.TxUnsent, s.RxPackets, s.Lost)...)
		row = append(row, ratioText(s.LossRatio))
		if !s.Tracked {
			row = append(row, "not tracked", "not tracked", "not tracked", "not tracked")
		} else {
			row = append(row, counts(s.Reordered, s.Duplicates, s.Late, s.Stale)...)
		}
		t.Rows = append(t.Rows, append(row, counts(s.Corrupt.Checksum, s.Corrupt.Length, s.Corrupt.Payload)...))
	}
	return t
}

func streamLatencyTable(streams []Stream) table {
	t := table{Caption: "Latency", Text: 1, Head: append([]string{"Stream"}, latencyHead()...)}
	for _, s := range streams {
		if s.Latency != nil {
			t.Rows = append(t.Rows, append([]string{s.Name}, latencyCells(*s.Latency)...))
		}
	}
	return t
}

func intervalsTable(list []Interval) table {
	t := table{
		Caption: "Intervals",
		Closed:  true,
		Head:    []string{"Start", "Duration", "Sent, pps", "Received, pps", "p50", "p99", "Max"},
	}
	for _, i := range list {
		t.Rows = append(t.Rows, []string{nsText(float64(i.Start)), nsText(float64(i.Duration)), pps(i.TxPPS),
			pps(i.RxPPS), nsText(float64(i.LatencyP50)), nsText(float64(i.LatencyP99)), nsText(float64(i.LatencyMax))})
	}
	return t
}

func pollersTable(list []Poller) table {
	t := table{
		Caption: "Pollers",
		Text:    2,
		Head:    []string{"Poller", "CPU", "Polls", "Empty polls", "Busy", "Cycles/packet", "ns/packet"},
	}
	measured := func(v float64) string {
		if v == 0 {
			return "not measured"
		}
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	for _, p := range list {
		cpu := strconv.Itoa(p.CPU)
		if p.CPU < 0 {
			cpu = "not pinned"
		}
		t.Rows = append(t.Rows, []string{p.Name, cpu, countText(p.Polls), countText(p.EmptyPolls),
			ratioText(p.BusyRatio), measured(p.CyclesPerPacket), measured(p.NsPerPacket)})
	}
	return t
}

func criteriaTable(list []Criterion) table {
	t := table{
		Caption: "Pass criteria",
		Text:    2,
		Head:    []string{"Criterion", "Outcome", "Measured", "Limit"},
	}
	for _, c := range list {
		t.Rows = append(t.Rows, []string{c.Name, passedText(c.Passed), inUnit(c.Measured, c.Unit), inUnit(c.Limit, c.Unit)})
	}
	return t
}

// inUnit returns a value of a criterion.
func inUnit(v float64, unit string) string {
	switch unit {
	case "ratio":
		return ratioText(v)
	case "ns":
		return nsText(v)
	case "pps":
		return pps(v) + " pps"
	}
	return strconv.FormatFloat(v, 'g', -1, 64) + " " + unit
}

func counts(list ...uint64) []string {
	cells := make([]string, 0, len(list))
	for _, n := range list {
		cells = append(cells, countText(n))
	}
	return cells
}
