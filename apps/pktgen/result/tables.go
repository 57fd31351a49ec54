package result

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// table is a table of the page. The first Text columns are words, the rest numbers.
type table struct {
	Caption string
	Head    []string
	Rows    [][]string
	Text    int
	Closed  bool // long ones are closed until the reader opens them
}

// pps returns a rate of packets with all its digits.
func pps(v float64) string { return countText(uint64(math.Round(max(v, 0)))) }

// longTable is how many rows a table beside a plot shows before the reader opens it.
const longTable = 24

// sizeHead is the head of the column that sizeCell fills.
const sizeHead = "Bytes (with FCS)"

// sizeCell returns a size without and with FCS, briefly.
func sizeCell(s Size) string {
	if s.Min == s.Max {
		return strconv.Itoa(s.Min) + " (" + withFCS(s) + ")"
	}
	return s.Name
}

// goalRow is what the repetitions of a search found for a goal.
type goalRow struct {
	size         Size
	goal         string
	lower, upper []float64 // pps of those that were found
	conditional  []Rate
	remarks      []string
	times        int
}

// goalRows sums up repetitions, in the order of their first search.
func goalRows(searches []Search) []*goalRow {
	var rows []*goalRow
	for _, s := range searches {
		for _, g := range s.Goals {
			i := slices.IndexFunc(rows, func(r *goalRow) bool { return r.size.Name == s.Size.Name && r.goal == g.Goal.Name })
			if i < 0 {
				i = len(rows)
				rows = append(rows, &goalRow{size: s.Size, goal: g.Goal.Name})
			}
			rows[i].add(s, g)
		}
	}
	return rows
}

func (r *goalRow) add(s Search, g GoalResult) {
	r.times++
	if g.LowerBound != nil {
		r.lower = append(r.lower, g.LowerBound.Load.PPS)
		r.conditional = append(r.conditional, g.ConditionalThroughput)
	}
	if g.UpperBound != nil {
		r.upper = append(r.upper, g.UpperBound.Load.PPS)
	}
	if remark := searchRemark(s, g); remark != "" && !slices.Contains(r.remarks, remark) {
		r.remarks = append(r.remarks, remark)
	}
}

// spread returns the lowest and the highest of some rates: "1,000 to 1,200".
func spread(values []float64) string {
	if len(values) == 0 {
		return "none"
	}
	low, high := pps(slices.Min(values)), pps(slices.Max(values))
	if low == high {
		return low
	}
	return low + " to " + high
}

// medianOf returns the median of a part of the rates; 0 without rates.
func medianOf(rates []Rate, part func(Rate) float64) float64 {
	values := make([]float64, len(rates))
	for i, r := range rates {
		values[i] = part(r)
	}
	if len(values) == 0 {
		return 0
	}
	return median(values)
}

// goalTable has a row for each size and goal, with the median of repeated searches.
func goalTable(searches []Search) table {
	t := table{
		Caption: "Bounds by size and goal (RFC 9971)",
		Text:    2,
		Head: []string{sizeHead, "Goal", "Lower bound, pps", "Upper bound, pps", "Conditional throughput, pps",
			"L2", "L1", "Repetitions", "Remarks"},
	}
	for _, r := range goalRows(searches) {
		t.Rows = append(t.Rows, []string{sizeCell(r.size), r.goal, spread(r.lower), spread(r.upper),
			pps(medianOf(r.conditional, func(r Rate) float64 { return r.PPS })),
			bpsText(medianOf(r.conditional, func(r Rate) float64 { return r.L2BPS })),
			bpsText(medianOf(r.conditional, func(r Rate) float64 { return r.L1BPS })),
			strconv.Itoa(r.times), strings.Join(r.remarks, "; ")})
	}
	return t
}

// repetitionTable has a row for each goal of each search.
func repetitionTable(searches []Search) table {
	t := table{
		Caption: "All searches",
		Text:    2,
		Closed:  true,
		Head: []string{sizeHead, "Goal", "Repetition", "Lower bound, pps", "Upper bound, pps",
			"Conditional throughput, pps", "Trials", "Time", "Remarks"},
	}
	for _, s := range searches {
		for _, g := range s.Goals {
			row := []string{sizeCell(s.Size), g.Goal.Name, strconv.Itoa(s.Repetition)}
			for _, b := range []*Bound{g.LowerBound, g.UpperBound} {
				if b == nil {
					row = append(row, "none")
				} else {
					row = append(row, pps(b.Load.PPS))
				}
			}
			t.Rows = append(t.Rows, append(row, pps(g.ConditionalThroughput.PPS), strconv.Itoa(len(s.Trials)),
				durationText(s.Elapsed), searchRemark(s, g)))
		}
	}
	return t
}

func searchRemark(s Search, g GoalResult) string {
	text := g.Irregular
	add := func(more string) {
		if text != "" {
			text += "; "
		}
		text += more
	}
	if g.LossInversion {
		add("a load above the upper bound passes")
	}
	if g.Irregular != "" && g.LikelyLower.PPS > 0 && g.LikelyUpper.PPS > 0 {
		add("likely between " + pps(g.LikelyLower.PPS) + " and " + pps(g.LikelyUpper.PPS) + " pps")
	}
	if s.GeneratorBound {
		add("generator-bound")
	}
	return text
}

// searchTrialsTable has the trials of all searches in their order.
func searchTrialsTable(searches []Search) table {
	t := table{
		Caption: "All trials of the searches",
		Text:    1,
		Head: []string{sizeHead, "Repetition", "Trial", "Load, pps", "Duration", "Sent", "Unsent", "Lost",
			"Loss ratio", "Remarks"},
		Closed: true,
	}
	for _, s := range searches {
		for i, trial := range s.Trials {
			remark := ""
			if trial.WarmUp {
				remark = "warm-up"
			}
			t.Rows = append(t.Rows, []string{sizeCell(s.Size), strconv.Itoa(s.Repetition), strconv.Itoa(i + 1),
				pps(trial.Load.PPS), durationText(trial.Duration), countText(trial.Sent), countText(trial.Unsent),
				countText(trial.Lost), ratioText(trial.LossRatio), remark})
		}
	}
	return t
}

func lossTable(curves []LossCurve) table {
	t := table{
		Caption: "Frame loss by load",
		Text:    1,
		Head:    []string{sizeHead, "Load", "Offered, pps", "Received, pps", "Sent", "Lost", "Loss ratio"},
	}
	for _, c := range curves {
		for _, p := range c.Points {
			t.Rows = append(t.Rows, []string{sizeCell(c.Size), strconv.FormatFloat(p.Percent, 'g', 4, 64) + " %",
				pps(p.Offered.PPS), pps(p.Received.PPS), countText(p.Sent), countText(p.Lost), ratioText(p.LossRatio)})
		}
	}
	t.Closed = len(t.Rows) > longTable
	return t
}

// latencyHead names the columns that latencyCells fills.
func latencyHead() []string {
	return []string{"Samples", "Min", "p50", "p90", "p99", "p99.9", "p99.99", "Max", "Mean", "Std. dev.", "Jitter"}
}

func latencyCells(l Latency) []string {
	cells := []string{countText(l.Samples)}
	for _, v := range []int64{l.Min, l.P50, l.P90, l.P99, l.P999, l.P9999, l.Max} {
		cells = append(cells, nsText(float64(v)))
	}
	return append(cells, nsText(l.Mean), nsText(l.StdDev), nsText(l.Jitter))
}

func loadTable(list []LatencyAtLoad) table {
	references := names(list, func(l LatencyAtLoad) string { return l.Reference })
	t := table{
		Caption: "Latency by size and load, in percent of: " + strings.Join(references, ", "),
		Text:    1,
		Head:    append([]string{sizeHead, "Load", "Achieved, pps", "Loss ratio"}, latencyHead()...),
	}
	for _, l := range list {
		for _, p := range l.Points {
			t.Rows = append(t.Rows, append([]string{sizeCell(l.Size), loadName(p),
				pps(p.Achieved.PPS), ratioText(p.LossRatio)}, latencyCells(p.Latency)...))
		}
	}
	t.Closed = len(t.Rows) > longTable
	return t
}

func backToBackTable(list []BackToBack) table {
	t := table{
		Caption: "Longest bursts without loss (RFC 9004)",
		Text:    1,
		Head: []string{sizeHead, "Repetitions", "Mean, packets", "Min", "Max", "Std. dev.", "Buffer time",
			"Corrected buffer time", "At the longest", "Below the shortest"},
	}
	for _, b := range list {
		t.Rows = append(t.Rows, []string{sizeCell(b.Size), strconv.Itoa(len(b.Bursts)),
			pps(b.Mean), pps(float64(b.Min)), pps(float64(b.Max)), pps(b.StdDev),
			nsText(float64(b.BufferTime)), nsText(float64(b.CorrectedBufferTime)), strconv.Itoa(b.AtMax), strconv.Itoa(b.BelowMin)})
	}
	return t
}

func mrrTable(list []MRR) table {
	t := table{
		Caption: "Receive rate at the highest load, loss ignored",
		Text:    1,
		Head:    []string{sizeHead, "Offered, pps", "Trials", "Min, pps", "Median, pps", "Max, pps", "Remarks"},
	}
	for _, m := range list {
		remark := ""
		if m.GeneratorBound {
			remark = "generator-bound"
		}
		t.Rows = append(t.Rows, []string{sizeCell(m.Size), pps(m.Offered.PPS), strconv.Itoa(len(m.Trials)),
			pps(m.Min), pps(m.Median), pps(m.Max), remark})
	}
	return t
}
