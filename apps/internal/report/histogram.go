package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// tail is the share of the slowest packets that a histogram shows as one line, so that a
// few of them do not take the room of all others.
const tail = 0.01

// series are the numbers that begin the lines of a histogram, within a power of ten: the
// finest is used that has room.
var series = [][]float64{
	{1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8},
	{1, 1.6, 2.5, 4, 6.3},
	{1, 2, 5},
	{1},
}

// bin is a line of a histogram.
type bin struct {
	from    time.Duration
	packets uint64
}

// bins returns the distribution in at most n bins, n at least 2. The last one has all
// that took longer.
func (l *Latency) bins(n int) []bin {
	var total, sum uint64
	for _, b := range l.Buckets {
		total += b.Packets
	}
	if total == 0 {
		return nil
	}
	low, high := time.Duration(-1), time.Duration(0)
	rest := uint64(float64(total) * tail)
	for _, b := range l.Buckets {
		if b.Packets == 0 {
			continue
		}
		if low < 0 {
			low = b.middle()
		}
		if sum < total-rest {
			high = b.middle()
		}
		sum += b.Packets
	}
	edges := edgesBetween(low, high, n-1)
	list := make([]bin, len(edges))
	for i := range edges {
		list[i].from = edges[i]
	}
	for _, b := range l.Buckets {
		i := len(list) - 1
		for i > 0 && b.middle() < list[i].from {
			i--
		}
		list[i].packets += b.Packets
	}
	return list
}

// middle is the time that stands for a bucket.
func (b Bucket) middle() time.Duration { return b.From + (b.To-b.From)/2 }

// edgesBetween returns at most n edges of the finest series, of which the first is not
// above low and the next behind the last is above high, and that next one.
func edgesBetween(low, high time.Duration, n int) []time.Duration {
	low, high = max(low, 1), max(high, 1)
	for _, steps := range series {
		if list := edges(low, high, steps, 1); len(list) <= n+1 {
			return list
		}
	}
	for decades := 2; ; decades++ {
		if list := edges(low, high, []float64{1}, decades); len(list) <= n+1 || decades > 20 {
			return list
		}
	}
}

// edges returns the edges of a series from that below low to that above high, over so
// many powers of ten at a time.
func edges(low, high time.Duration, steps []float64, decades int) []time.Duration {
	var list []time.Duration
	for e := 0; e < 19; e += decades {
		for _, s := range steps {
			edge := time.Duration(math.Round(s * math.Pow10(e)))
			if len(list) > 0 && edge <= list[len(list)-1] {
				continue // 1.25 ns
			}
			if edge <= low {
				list = list[:0]
			}
			list = append(list, edge)
			if edge > high {
				return list
			}
		}
	}
	return list
}

// histogram returns the distribution as at most n lines of a width. The last of them, with
// a "+", may have what took longer as well.
func (l *Latency) histogram(n, width int) []string {
	bins := l.bins(n)
	var most, total uint64
	for _, b := range bins {
		most, total = max(most, b.packets), total+b.packets
	}
	const label, shareWidth = 7, 8
	room := width - label - 1 - len(gap) - shareWidth
	var lines []string
	for i, b := range bins {
		more := " "
		if i == len(bins)-1 {
			if b.packets == 0 {
				break
			}
			more = "+"
		}
		text := pad(inTime(b.from), label, true) + more
		if room >= 4 {
			text += pad(bars(float64(b.packets)/float64(most), room), room, false)
		}
		text += gap + pad(hundredths(b.packets, total), shareWidth, true)
		lines = append(lines, ansi.Truncate(text, max(width, 0), "…"))
	}
	return lines
}

// hundredths returns part as a percentage of whole, with two digits behind the point so
// that several align. A part that is not 0 does not look like 0.
func hundredths(part, whole uint64) string {
	v := 100 * float64(part) / float64(whole)
	if part > 0 && v < 0.005 {
		return "<0.01 %"
	}
	return fmt.Sprintf("%.2f %%", v)
}

// bars returns a share as a bar, in eighths of a character. One that is not 0 is seen.
func bars(share float64, width int) string {
	eighths := []rune(" ▏▎▍▌▋▊▉█")
	n := int(math.Round(share * float64(8*width)))
	if n == 0 && share > 0 {
		n = 1
	}
	text := strings.Repeat("█", n/8)
	if n%8 > 0 {
		text += string(eighths[n%8])
	}
	return text
}
