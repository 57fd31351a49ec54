package pace

import (
	"fmt"
	"math"
	"strconv"
)

// Unit is what a rate counts.
type Unit int

// Units of rates.
const (
	PPS     Unit = iota // packets a second
	L1BPS               // bits a second of frames with FCS, preamble and gap
	L2BPS               // bits a second of frames with FCS
	Percent             // of the line rate
	Max                 // as fast as possible; has no value
)

// Bytes on the wire beside those of the frame, which is counted without its FCS.
const (
	l2Overhead = 4          // FCS
	l1Overhead = 4 + 8 + 12 // FCS, preamble, inter-frame gap
)

// Bounds of rates in packets a second. Between them a Pacer is exact to a part in a million
// at least.
const (
	MaxPPS = 1e10
	MinPPS = 1e-3
)

// Rate is how fast to send. The zero value is no rate: it is 0 packets a second.
type Rate struct {
	Value float64
	Unit  Unit
}

// PPS returns the packets a second for frames of a mean length in bytes, without FCS. lineRate
// is what percentages are of and what no rate may exceed, in bit/s on layer 1; 0 if none
// was stated. Max is +Inf. A failure is an [*Error].
func (r Rate) PPS(meanLen, lineRate float64) (float64, error) {
	if r.Unit == Max {
		return math.Inf(1), nil
	}
	if !(r.Value > 0) {
		return 0, r.fail(ErrZero, "nothing would be sent", "give a rate above 0, or max")
	}
	l1Bits := 8 * (meanLen + l1Overhead)
	pps := r.Value
	switch r.Unit {
	case L1BPS:
		pps = r.Value / l1Bits
	case L2BPS:
		pps = r.Value / (8 * (meanLen + l2Overhead))
	case Percent:
		if lineRate == 0 {
			return 0, r.fail(ErrNoLineRate, "no line rate was stated, and none is assumed",
				"state what the link carries, like 10Gbps")
		}
		if r.Value > 100 {
			return 0, r.fail(ErrTooHigh, "more than the line carries", "give up to 100%")
		}
		pps = lineRate * r.Value / 100 / l1Bits
	}
	return pps, r.check(pps, meanLen, lineRate)
}

// check returns the error of a rate that is out of bounds.
func (r Rate) check(pps, meanLen, lineRate float64) error {
	bits := pps * 8 * (meanLen + l1Overhead)
	switch {
	case pps < MinPPS:
		return r.fail(ErrTooLow, fmt.Sprintf("%.3g packets a second are less than one in %v s", pps, 1/MinPPS),
			"give a higher rate")
	case pps > MaxPPS:
		return r.fail(ErrTooHigh, fmt.Sprintf("%.3g packets a second are more than %.0g", pps, MaxPPS),
			"give a lower rate, or max")
	case lineRate > 0 && bits > lineRate*(1+1e-9):
		return r.fail(ErrTooHigh, fmt.Sprintf("frames of %.4g bytes would take %s of a line of %s",
			meanLen, Rate{bits, L1BPS}, Rate{lineRate, L1BPS}), "give a lower rate, or another line rate")
	}
	return nil
}

func (r Rate) fail(kind error, reason, remedy string) error {
	return &Error{Op: "rate", Value: r.String(), Reason: reason, Remedy: remedy, Err: kind}
}

// Scale returns the rate times factor; Max stays what it is.
func (r Rate) Scale(factor float64) Rate {
	r.Value *= factor
	return r
}

// String returns the rate as ParseRate reads it: "1.5Mpps", "10Gbps", "9.5GbpsL2", "50%", "max".
func (r Rate) String() string {
	switch r.Unit {
	case Max:
		return "max"
	case Percent:
		return strconv.FormatFloat(r.Value, 'g', -1, 64) + "%"
	}
	value, prefix := r.Value, ""
	for _, p := range []struct {
		factor float64
		prefix string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(value) >= p.factor {
			value, prefix = value/p.factor, p.prefix
			break
		}
	}
	return strconv.FormatFloat(value, 'g', 6, 64) + prefix + unitNames[r.Unit]
}

var unitNames = [...]string{PPS: "pps", L1BPS: "bps", L2BPS: "bpsL2", Percent: "%", Max: "max"}
