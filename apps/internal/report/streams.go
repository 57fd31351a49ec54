package report

import "fmt"

// streams returns the page of the streams, with the sums of all first if there are
// several.
func (m *model) streams(height int) [][]string {
	rows := m.sample.streams
	if len(rows) > 1 {
		rows = append([]streamSample{sumStreams(rows)}, rows...)
	}
	t := table{name: "streams", columns: []column{
		{title: "stream"}, {"ports", true, 7}, {"rate", true, 6},
		{"Tx", true, 2}, {"Rx", true, 1}, {"lost", true, 0},
		{"reordered", true, 3}, {"duplicates", true, 4}, {"corrupt", true, 5},
		{"TX-packets", true, 8}, {"RX-packets", true, 8}, {"Tx-bps", true, 9}, {"Rx-bps", true, 9},
	}}
	if m.detail == compact {
		t.name, t.columns = "streams in short", t.columns[:6]
	}
	for _, s := range rows {
		t.add(s.cells()[:len(t.columns)]...)
	}
	return m.tableParts(&t, height)
}

// cells returns a stream as a row. What is not known is "-".
func (s *streamSample) cells() []cell {
	of := func(c cell) cell {
		if !s.Tracked {
			return text("-")
		}
		return c
	}
	return []cell{
		text(clean(s.Name)), text(clean(s.Route)), text(clean(s.Rate)),
		text(inUnits(s.txPPS, "pps")), of(text(inUnits(s.rxPPS, "pps"))), of(lossNumber(s.Lost)),
		of(lossNumber(s.Reordered)), of(lossNumber(s.Duplicates)), of(lossNumber(s.Corrupt)),
		number(s.TxPackets), of(number(s.RxPackets)),
		text(inUnits(s.txBPS, "bit/s")), of(text(inUnits(s.rxBPS, "bit/s"))),
	}
}

// sumStreams returns the sums of streams. Those of the receiver are of the streams that it
// tells from others.
func sumStreams(list []streamSample) streamSample {
	all := streamSample{StreamRow: StreamRow{Name: fmt.Sprintf("all %d", len(list))}}
	for _, s := range list {
		all.TxPackets += s.TxPackets
		all.txPPS += s.txPPS
		all.txBPS += s.txBPS
		if !s.Tracked {
			continue
		}
		all.Tracked = true
		all.RxPackets += s.RxPackets
		all.rxPPS += s.rxPPS
		all.rxBPS += s.rxBPS
		all.Lost += s.Lost
		all.Reordered += s.Reordered
		all.Duplicates += s.Duplicates
		all.Corrupt += s.Corrupt
	}
	return all
}
