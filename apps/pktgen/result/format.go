package result

import (
	"math"
	"strconv"
	"strings"
)

// scaled returns v with an SI prefix and about three significant digits: "1.49 M".
func scaled(v float64) string {
	prefixes := []string{"", "k", "M", "G", "T"}
	i := 0
	for math.Abs(v) >= 999.5 && i < len(prefixes)-1 {
		v /= 1000
		i++
	}
	digits := 0
	switch abs := math.Abs(v); {
	case abs < 9.995:
		digits = 2
	case abs < 99.95:
		digits = 1
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " " + prefixes[i]
}

// PPSText returns a rate in packets a second for people: "1.49 Mpps".
func PPSText(v float64) string { return scaled(v) + "pps" }
func bpsText(v float64) string { return scaled(v) + "bit/s" }

// nsText returns a duration in the unit that suits it: "12.3 µs".
func nsText(ns float64) string {
	units := []struct {
		name string
		in   float64
	}{{"ns", 1}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}}
	unit := units[0]
	for _, u := range units[1:] {
		if math.Abs(ns) >= 0.9995*u.in {
			unit = u
		}
	}
	return strings.TrimSpace(scaled(ns/unit.in)) + " " + unit.name
}

func durationText(ns int64) string { return nsText(float64(ns)) }

// ratioText returns a ratio as a percentage, with as many digits as it takes to see it.
func ratioText(v float64) string {
	switch percent := v * 100; {
	case percent == 0:
		return "0 %"
	case math.Abs(percent) < 0.001:
		return strconv.FormatFloat(percent, 'e', 1, 64) + " %"
	default:
		return strconv.FormatFloat(percent, 'g', 3, 64) + " %"
	}
}

// countText returns a count in groups of three digits.
func countText(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
