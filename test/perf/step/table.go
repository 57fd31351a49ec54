package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// print writes a table for each size of frames, and what there is to know about them.
func (b *bench) print(out io.Writer, res *results) {
	other := "DPDK"
	if b.other != "" {
		other = "the other"
	}
	fmt.Fprintf(out, "Measured on %s: cycles of the time-stamp counter, of %.0f MHz, for a packet: ours / %s, "+
		"medians of %d rounds of %d pairs of runs, and the ratio, which above 1 means that ours is cheaper.\n",
		time.Now().Format("2006-01-02"), res.mhz, other, b.rounds, b.pairs)
	met, missed := 0, 0
	for k, frame := range b.frames {
		fmt.Fprintf(out, "\n| frames of %d bytes | work |", frame)
		for _, size := range b.sizes {
			fmt.Fprintf(out, " burst %d |", size)
		}
		fmt.Fprintf(out, "\n| --- | --- |%s\n", strings.Repeat(" ---: |", len(b.sizes)))
		for i, r := range b.rows {
			for _, work := range r.works(k == 0) {
				fmt.Fprintf(out, "| %s | %s |", res.name(r, i), work)
				for _, size := range b.sizes {
					text, verdict := b.cell(res, cell{i, k, key{work, size}})
					fmt.Fprintf(out, " %s |", text)
					met, missed = met+verdict[0], missed+verdict[1]
				}
				fmt.Fprintln(out)
			}
		}
	}
	if b.other == "" {
		fmt.Fprintf(out, "\nOf %d bars %d were met, and %d were missed, which are marked.\n", met+missed, met, missed)
	}
	b.printRounds(out, res)
	fmt.Fprintf(out, "\nPackets, all of which arrived in order and unchanged: ours %d, %s %d. Paths:\n\n",
		res.packets[0], other, res.packets[1])
	for i, r := range b.rows {
		fmt.Fprintf(out, "- %s: ours %s; %s %s\n", r.name, short(res.paths[i][0]), other, short(res.paths[i][1]))
	}
}

// short leaves away why a path is not another one.
func short(path string) string {
	parts := strings.SplitN(path, "; ", 3)
	return strings.Join(parts[:min(2, len(parts))], "; ")
}

// name says where DPDK has no vectorized path on this machine.
func (r *results) name(row row, i int) string {
	if row.vectorized && !r.vectorized(row, i) && r.paths[i][1] != r.paths[i][0] {
		return strings.Replace(row.name, "DPDK vectorized", "DPDK not vectorized here", 1)
	}
	return row.name
}

// vectorized reports whether DPDK used a vectorized path.
func (r *results) vectorized(row row, i int) bool {
	return row.vectorized && strings.Contains(r.paths[i][1], "vectorized")
}

// cell returns the text of a cell, and one in [met, missed] if it has a bar.
func (b *bench) cell(res *results, at cell) (text string, verdict [2]int) {
	ratio := res.ratio(at)
	if ratio == 0 {
		return "-", verdict
	}
	text = fmt.Sprintf("%.1f / %.1f %.2f", res.cycles(at, 0), res.cycles(at, 1), ratio)
	r := b.rows[at.row]
	bar := r.bar(at.work, at.size, res.vectorized(r, at.row))
	switch {
	case b.other != "" || bar == 0:
	case math.Round(100*ratio)/100 >= bar: // as it is shown
		verdict[0] = 1
	default:
		verdict[1] = 1
		text += fmt.Sprintf(" **missed %.1f**", bar)
	}
	return text, verdict
}

// agreement is how far two rounds may be apart.
const agreement = 0.05

// printRounds says how far the rounds agree.
func (b *bench) printRounds(out io.Writer, res *results) {
	if b.rounds < 2 {
		return
	}
	cells, worst, where := 0, 0.0, cell{}
	apart := map[string]int{}
	for i, r := range b.rows {
		for k := range b.frames {
			for _, work := range r.works(k == 0) {
				for _, size := range b.sizes {
					at := cell{i, k, key{work, size}}
					d := res.disagreement(at)
					cells++
					if d > agreement {
						apart[fmt.Sprintf("%s at burst %d", work, size)]++
					}
					if d > worst {
						worst, where = d, at
					}
				}
			}
		}
	}
	kinds, others := []string{}, 0
	for kind, n := range apart {
		kinds, others = append(kinds, fmt.Sprintf("%s (%d)", kind, n)), others+n
	}
	slices.Sort(kinds)
	fmt.Fprintf(out, "\nThe ratios of the %d rounds agree within %.0f %% in %d of %d cells", b.rounds, 100*agreement,
		cells-others, cells)
	if others > 0 {
		fmt.Fprintf(out, ", not in %s", strings.Join(kinds, ", "))
	}
	if worst > 0 {
		fmt.Fprintf(out, "; they are furthest apart, %.0f %%, in %s, %s, burst %d, %d bytes", 100*worst,
			b.rows[where.row].name, where.work, where.size, b.frames[where.frame])
	}
	fmt.Fprintln(out, ".")
}
