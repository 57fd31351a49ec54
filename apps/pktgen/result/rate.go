package result

import (
	"math"
	"strconv"
)

// Bytes that a frame takes on the wire beside those that the device sees.
const (
	fcsLen      = 4
	preambleLen = 8
	gapLen      = 12
)

// Rate is a rate of packets and what it takes of a link. Layer 2 counts the frame with
// its FCS, layer 1 also preamble and inter-frame gap.
type Rate struct {
	PPS   float64 `json:"pps"`
	L2BPS float64 `json:"l2_bps"`
	L1BPS float64 `json:"l1_bps"`
}

// NewRate returns the rate of pps packets a second whose mean length without FCS is
// meanLen bytes.
func NewRate(pps, meanLen float64) Rate {
	return Rate{
		PPS:   pps,
		L2BPS: pps * 8 * (meanLen + fcsLen),
		L1BPS: pps * 8 * (meanLen + fcsLen + preambleLen + gapLen),
	}
}

// Size says how long the frames of a measurement are, in bytes without FCS. Name is how
// reports are compared by size: the length of a fixed size, else the name of a mix.
type Size struct {
	Name string  `json:"name"`
	Mean float64 `json:"mean"`
	Min  int     `json:"min"`
	Max  int     `json:"max"`
}

// FixedSize returns the Size of frames of n bytes without FCS.
func FixedSize(n int) Size {
	return Size{Name: strconv.Itoa(n), Mean: float64(n), Min: n, Max: n}
}

// String names the size with and without FCS: "60 bytes (64 with FCS)".
func (s Size) String() string {
	mean := math.Round(s.Mean*10) / 10
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	if s.Min == s.Max && s.Name == strconv.Itoa(s.Min) {
		return s.Name + " bytes (" + text(mean+fcsLen) + " with FCS)"
	}
	return s.Name + ", mean " + text(mean) + " bytes (" + text(mean+fcsLen) + " with FCS)"
}

// LossRatio returns the part of sent packets that is lost; 0 if none was sent.
func LossRatio(sent, lost uint64) float64 {
	if sent == 0 {
		return 0
	}
	return float64(lost) / float64(sent)
}
