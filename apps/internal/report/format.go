package report

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// perSecond returns how much a counter gained in a second, on average.
func perSecond(gained uint64, d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	return uint64(math.Round(float64(gained) / d.Seconds()))
}

// inUnits returns a rate with three significant digits: "4.12 Mpps".
func inUnits(rate uint64, unit string) string {
	v, prefix := float64(rate), ""
	for _, p := range []string{"k", "M", "G", "T"} {
		if v < 999.5 {
			break
		}
		v, prefix = v/1000, p
	}
	digits := 2
	switch {
	case prefix == "" || v >= 99.95:
		digits = 0
	case v >= 9.995:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s%s", digits, v, prefix, unit)
}

// Share returns part as a percentage of whole.
func Share(part, whole uint64) string {
	if whole == 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.0f %%", 100*float64(part)/float64(whole))
}

// seconds returns a time in seconds, without a fraction.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// chart returns values as a row of bars, of which the largest has full height.
func chart(values []uint64) string {
	const bars = "▁▂▃▄▅▆▇█"
	steps := []rune(bars)
	var most uint64
	for _, v := range values {
		most = max(most, v)
	}
	var b strings.Builder
	for _, v := range values {
		step := 0
		if most > 0 {
			step = int(float64(v) / float64(most) * float64(len(steps)-1))
		}
		b.WriteRune(steps[step])
	}
	return b.String()
}
