package result

import (
	"encoding/csv"
	"io"
	"strconv"
)

// csvHead names the columns of WriteCSV. Columns are added at the end only.
func csvHead() []string {
	return []string{
		"record",     // what the row is, see WriteCSV
		"name",       // of the trial, the goal or the reference rate
		"stream",     // of records that are one stream's
		"size",       // name of the frame size: bytes without FCS
		"size_mean",  // bytes without FCS
		"repetition", // of a search, from 1
		"percent",    // of the reference or maximum load
		"intended_pps", "achieved_pps", "received_pps", "received_l2_bps", "received_l1_bps",
		"lower_bound_pps", "upper_bound_pps", "conditional_throughput_pps",
		"duration_ns",
		"sent", "unsent", "received", "lost", "loss_ratio",
		"reordered", "duplicates", "late", "corrupt_checksum", "corrupt_length", "corrupt_payload",
		"latency_samples", "latency_min_ns", "latency_p50_ns", "latency_p90_ns", "latency_p99_ns",
		"latency_p99_9_ns", "latency_p99_99_ns", "latency_max_ns", "latency_mean_ns", "latency_stddev_ns",
		"latency_jitter_ns",
		"burst_mean_packets", "burst_min_packets", "burst_max_packets", "buffer_time_ns", "corrected_buffer_time_ns",
		"passed", // true or false, for trials
		"remark", // why a search is irregular, generator-bound
		"stale",  // packets of an earlier trial
	}
}

// WriteCSV writes the figures of a report as one table (RFC 4180) whose columns have names
// in the first row. The first column says what a row is: "trial", "stream" (of the trial
// above it), "search" (a goal of a search), "loss" (a point of a loss curve), "latency" (at
// a part of a rate), "burst" (back-to-back) or "mrr" (a trial of the maximum receive rate).
// Cells that a record has no value for are empty. Columns keep their order; new ones are
// added at the end.
func WriteCSV(w io.Writer, r *Report) error {
	c := csvTable{w: csv.NewWriter(w), index: map[string]int{}}
	head := csvHead()
	for i, name := range head {
		c.index[name] = i
	}
	if err := c.w.Write(head); err != nil {
		return err
	}
	for _, t := range r.Trials {
		c.trial(t)
	}
	c.searches(r.Searches)
	c.curves(r)
	for _, m := range r.MRR {
		for _, received := range m.Trials {
			remark := ""
			if m.GeneratorBound {
				remark = string(GeneratorBound)
			}
			rate := NewRate(received, m.Size.Mean)
			c.row("mrr", cells{"remark": remark, "duration_ns": m.Duration}, m.Size.cells(), m.Offered.as("intended_pps"),
				rate.received())
		}
	}
	c.w.Flush()
	return c.w.Error()
}

// cells are the values of a row by the names of their columns.
type cells map[string]any

// csvTable writes rows. Errors are csv.Writer's, which keeps the first.
type csvTable struct {
	w     *csv.Writer
	index map[string]int
}

func (c csvTable) row(record string, parts ...cells) {
	row := make([]string, len(c.index))
	row[0] = record
	for _, part := range parts {
		for name, value := range part {
			row[c.index[name]] = csvText(value)
		}
	}
	_ = c.w.Write(row)
}

// csvText returns a value in the shortest form that reads back as the same.
func csvText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func (s Size) cells() cells           { return cells{"size": s.Name, "size_mean": s.Mean} }
func (r Rate) as(column string) cells { return cells{column: r.PPS} }
func (r Rate) received() cells {
	return cells{"received_pps": r.PPS, "received_l2_bps": r.L2BPS, "received_l1_bps": r.L1BPS}
}

func (l *Latency) cells() cells {
	if l == nil {
		return nil
	}
	return cells{
		"latency_samples": l.Samples, "latency_min_ns": l.Min, "latency_p50_ns": l.P50, "latency_p90_ns": l.P90,
		"latency_p99_ns": l.P99, "latency_p99_9_ns": l.P999, "latency_p99_99_ns": l.P9999, "latency_max_ns": l.Max,
		"latency_mean_ns": l.Mean, "latency_stddev_ns": l.StdDev, "latency_jitter_ns": l.Jitter,
	}
}

func (c csvTable) trial(t Trial) {
	received := uint64(0)
	if due := t.Sent + t.Unsent; due > t.Lost {
		received = due - t.Lost
	}
	c.row("trial", cells{
		"name": t.Name, "duration_ns": t.Duration, "sent": t.Sent, "unsent": t.Unsent, "received": received,
		"lost": t.Lost, "loss_ratio": t.LossRatio, "passed": t.Passed,
	}, t.Size.cells(), t.Intended.as("intended_pps"), t.Achieved.as("achieved_pps"), t.Received.received())
	for _, s := range t.Streams {
		parts := []cells{{
			"name": t.Name, "stream": s.Name, "duration_ns": t.Duration, "sent": s.TxPackets, "unsent": s.TxUnsent,
			"received": s.RxPackets, "lost": s.Lost, "loss_ratio": s.LossRatio, "corrupt_checksum": s.Corrupt.Checksum,
			"corrupt_length": s.Corrupt.Length, "corrupt_payload": s.Corrupt.Payload,
		}, s.Latency.cells()}
		if s.Tracked {
			parts = append(parts, cells{"reordered": s.Reordered, "duplicates": s.Duplicates, "late": s.Late, "stale": s.Stale})
		}
		c.row("stream", parts...)
	}
}

func (c csvTable) searches(searches []Search) {
	for _, s := range searches {
		for _, g := range s.Goals {
			parts := []cells{s.Size.cells(), g.ConditionalThroughput.as("conditional_throughput_pps"),
				{"name": g.Goal.Name, "repetition": s.Repetition, "remark": searchRemark(s, g)}}
			if g.LowerBound != nil {
				parts = append(parts, g.LowerBound.Load.as("lower_bound_pps"))
			}
			if g.UpperBound != nil {
				parts = append(parts, g.UpperBound.Load.as("upper_bound_pps"))
			}
			c.row("search", parts...)
		}
	}
}

// curves writes loss curves, latencies at loads and bursts.
func (c csvTable) curves(r *Report) {
	for _, curve := range r.LossCurves {
		for _, p := range curve.Points {
			c.row("loss", curve.Size.cells(), p.Offered.as("intended_pps"), p.Received.received(), cells{
				"percent": p.Percent, "duration_ns": p.Duration, "sent": p.Sent, "lost": p.Lost, "loss_ratio": p.LossRatio,
			})
		}
	}
	for _, l := range r.LatencyAtLoad {
		for _, p := range l.Points {
			c.row("latency", l.Size.cells(), p.Intended.as("intended_pps"), p.Achieved.as("achieved_pps"), cells{
				"name": l.Reference, "percent": p.Percent, "duration_ns": p.Duration, "loss_ratio": p.LossRatio,
			}, p.Latency.cells())
		}
	}
	for _, b := range r.BackToBack {
		c.row("burst", b.Size.cells(), b.SendRate.as("intended_pps"), cells{
			"burst_mean_packets": b.Mean, "burst_min_packets": b.Min, "burst_max_packets": b.Max,
			"buffer_time_ns": b.BufferTime, "corrected_buffer_time_ns": b.CorrectedBufferTime,
		})
	}
}
