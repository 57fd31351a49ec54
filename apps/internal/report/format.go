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
	return fmt.Sprintf("%.*f %s%s", fraction(v, prefix == ""), v, prefix, unit)
}

// inPPS returns a load in packets a second. There is none below 0, and none that is no
// number.
func inPPS(load float64) string {
	if !(load > 0) {
		load = 0
	}
	return inUnits(uint64(math.Round(min(load, math.MaxInt64))), "pps")
}

// inTime returns a time with three significant digits: "4.12 µs".
func inTime(d time.Duration) string {
	v, unit := float64(max(d, 0)), "ns"
	for _, u := range []string{"µs", "ms", "s"} {
		if v < 999.5 {
			break
		}
		v, unit = v/1000, u
	}
	return fmt.Sprintf("%.*f %s", fraction(v, unit == "ns"), v, unit)
}

// fraction returns how many digits of the fraction of v are significant, of three in all.
func fraction(v float64, whole bool) int {
	switch {
	case whole || v >= 99.95:
		return 0
	case v >= 9.995:
		return 1
	}
	return 2
}

// percent returns a share with three significant digits, or fewer where it is small: a
// share that is not 0 does not look like 0.
func percent(share float64) string {
	v := 100 * share
	switch {
	case math.IsNaN(v) || v <= 0:
		return "0 %"
	case v < 0.0001:
		return "<0.0001 %"
	case v < 0.1:
		return fmt.Sprintf("%.4f %%", v)
	}
	return fmt.Sprintf("%.*f %%", fraction(v, false), v)
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
