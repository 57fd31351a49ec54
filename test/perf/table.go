package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// outcomes are all that was measured, and how.
type outcomes struct {
	Date    time.Time `json:"date"`
	Machine string    `json:"machine"`
	Version string    `json:"version"` // of ours
	DPDK    string    `json:"dpdk"`
	Options options   `json:"options"`
	Rows    []outcome `json:"rows"`
	Long    []longRun `json:"long,omitempty"`
	// Qualified are how the paths of the rows of best paths were found.
	Qualified []qualification `json:"qualified,omitempty"`
	Extras    *extras         `json:"extras,omitempty"`
	Contests  []contest       `json:"contests,omitempty"` // of pktgen
}

// write writes the tables as Markdown.
func (o *outcomes) write(w io.Writer) error {
	var b strings.Builder
	o.writeMethod(&b)
	for _, h := range []struct {
		heat  int
		title string
	}{{1, "Heat 1: dpdk-testpmd with net_vhost as the back end"},
		{2, "Heat 2: vhostdev --raw, a back end that costs next to nothing"}} {
		o.heat(&b, h.heat, h.title)
	}
	if o.Extras != nil {
		o.Extras.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeMethod writes how rates were measured.
func (o *outcomes) writeMethod(b *strings.Builder) {
	fmt.Fprintf(b,
		"Measured on %s on %s, virtio-pmd %s against %s: indicative, as the cores are shared.\n",
		o.Date.Format("2006-01-02"), o.Machine, o.Version, o.DPDK)
	fmt.Fprintf(b,
		"Driver on CPU %d, back end on CPU %d, burst %d, rings of %d; %d alternating pairs of runs of %v after %v of warm-up; the back end's own counter is the meter for both.\n",
		o.Options.DriverCPU, o.Options.BackEndCPU, o.Options.Burst, o.Options.Ring, o.Options.Pairs,
		o.Options.Duration, o.Options.WarmUp)
	b.WriteString("Rates are medians of the runs, with the lowest and the highest. A ratio is the median of the ratios of pairs, that is of runs right after each other, and not the quotient of the medians beside it: the machine's load changes from minute to minute, and a pair is measured in the same one.\n")
}

func (o *outcomes) heat(b *strings.Builder, heat int, title string) {
	first := true
	var sum tally
	for _, r := range o.Rows {
		if r.Heat != heat {
			continue
		}
		if first {
			fmt.Fprintf(b, "\n**%s**\n\n", title)
			b.WriteString("| work | path | bytes | ours, Mpps | DPDK, Mpps | ratio | bar | round trip, ns | empty polls, ours / DPDK | cycles a packet, ours / DPDK |\n")
			b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
			first = false
		}
		r.line(b, o.Rows)
		sum = sum.plus(r.tally)
	}
	if first {
		return
	}
	var found tally // by qualifying
	for _, q := range o.Qualified {
		if q.Heat == heat {
			found = found.plus(q.tally)
		}
	}
	o.footnotes(b, sum, found)
	if heat == 2 {
		o.writeLong(b)
	}
}

// footnotes writes below a table what its rows do not show, of the pairs of runs
// and of those that found the best paths.
func (o *outcomes) footnotes(b *strings.Builder, pairs, found tally) {
	fmt.Fprintf(b,
		"\nRound trip: of a cache line between the two CPUs, the median of %v before and after each run.\n", probe)
	fmt.Fprintf(b,
		"A pair during which it changed by more than a factor of two is run again, at most %d times: %d were; %d pairs count although it changed each time.\n",
		o.Options.Retries, pairs.Again, pairs.Changed)
	if o.Options.Rounds > 0 {
		fmt.Fprintf(b,
			"Best: each driver's path with the highest median, over %d rounds of runs of %v at that size, of rates relative to a run of \"%s\" right before or after; where another row of that size shows a higher rate, the row is called qualified. Of these groups of runs %d were run again, and %d count although the round trip changed each time.\n",
			o.Options.Rounds, o.Options.Qualify, reference().Name, found.Again, found.Changed)
	}
	all := pairs.plus(found)
	fmt.Fprintf(b,
		"Runs that stood still, below %.1f Mpps, and were made again, at most twice: ours %d, DPDK's %d.\n", standstill, all.Stalls[ours], all.Stalls[dpdk])
	fmt.Fprintf(b, "Garbage collections of ours during %.0f s of measuring: %d.\n",
		all.Measured.Seconds(), all.Collections)
}

// line writes a row of the table. rows are those it is compared with.
func (o *outcome) line(b *strings.Builder, rows []outcome) {
	name := o.Ours.Name
	if o.Qualified {
		name = fmt.Sprintf("%s: %s / %s", o.rank(rows), o.Ours.Name, o.DPDK.Name)
	}
	fmt.Fprintf(b, "| %s | %s | %d | %s | %s | %s | %s | %s | %s | %s |\n", o.Work, name, o.Size,
		figures(spreadOf(o.OurMpps), 1), figures(spreadOf(o.DPDKMpps), 1),
		figures(spreadOf(ratios(o.OurMpps, o.DPDKMpps)), 2), o.verdict(), middle(o.Trips),
		both(percent(o.OurAccount.EmptyShare, o.Work), percent(o.DPDKAccount.EmptyShare, o.Work)),
		both(rounded(o.OurAccount.Cycles), rounded(o.DPDKAccount.Cycles)))
}

// rank is what a row of best paths is called.
func (o *outcome) rank(rows []outcome) string {
	if o.best(rows) {
		return "best"
	}
	return "qualified"
}

// verdict is the bar and whether it was reached.
func (o *outcome) verdict() string {
	least := bar(o.Heat, o.Work, o.row)
	if least == 0 {
		return ""
	}
	if spreadOf(ratios(o.OurMpps, o.DPDKMpps)).Median >= least {
		return fmt.Sprintf("%.2f met", least)
	}
	return fmt.Sprintf("**%.2f missed**", least)
}

// figures writes the median and, in brackets, least and most.
func figures(s spread, digits int) string {
	if math.IsNaN(s.Median) {
		return "-"
	}
	return fmt.Sprintf("%.*f (%.*f-%.*f)", digits, s.Median, digits, s.Min, digits, s.Max)
}

// middle writes the median.
func middle(values []float64) string {
	if len(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", spreadOf(values).Median)
}

func both(first, second string) string { return first + " / " + second }

func percent(share float64, w work) string {
	if w == transmit || share < 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f %%", 100*share)
}

func rounded(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}

// write writes the table of what is not packets a second.
func (e *extras) write(b *strings.Builder) {
	b.WriteString("\n**Start and memory**\n\n| | ours | DPDK | ours to DPDK | bar |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, line := range []struct {
		name   string
		values map[string][]float64
		bar    float64
	}{
		{"start to first packet, ms", e.Start, 0.5},
		{"resident memory, hugepages not counted, MiB", e.Resident, 0.5},
		{"resident memory of a run without hugepages, MiB", e.ResidentNoHuge, 0.5},
	} {
		mine, theirs := line.values[ours.String()], line.values[dpdk.String()]
		ratio := spreadOf(ratios(mine, theirs))
		verdict := fmt.Sprintf("%.2f met", line.bar)
		if !(ratio.Median <= line.bar) {
			verdict = fmt.Sprintf("**%.2f missed**", line.bar)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", line.name, figures(spreadOf(mine), 0),
			figures(spreadOf(theirs), 0), figures(ratio, 2), verdict)
	}
}
