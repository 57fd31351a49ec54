package pace

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// rateText is a number, a prefix and a unit. Prefixes of either case are taken: no rate is
// in thousandths.
var rateText = regexp.MustCompile(`(?i)^([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?) *([kmgt]?)(pps|p/s|bps|bit/s|%)[ _]?(l1|l2)?$`)

var prefixes = map[string]float64{"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}

// ParseRate reads a rate: packets a second "1000pps", "100kpps", "1Mpps"; bits a second on
// layer 1 "10Gbps", or on layer 2 "9.5GbpsL2"; "50%" of a line rate; or "max". p/s and
// bit/s may be written instead of pps and bps. A failure is an [*Error].
func ParseRate(text string) (Rate, error) {
	if strings.EqualFold(text, "max") {
		return Rate{Unit: Max}, nil
	}
	fail := func(kind error, reason, remedy string) (Rate, error) {
		return Rate{}, &Error{Op: "rate", Value: text, Reason: reason, Remedy: remedy, Err: kind}
	}
	const write = "write it like 100kpps, 10Gbps, 9.5GbpsL2, 50% or max"
	m := rateText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			if v < 0 {
				return fail(ErrSyntax, "negative", write)
			}
			return fail(ErrSyntax, "has no unit", write)
		}
		return fail(ErrSyntax, "not a rate", write)
	}
	r, ok := rateOf(strings.ToLower(m[2]), strings.ToLower(m[3]), strings.ToLower(m[4]))
	if !ok {
		return fail(ErrSyntax, "not a rate", write)
	}
	value, err := strconv.ParseFloat(m[1], 64)
	r.Value *= value
	switch {
	case err != nil || math.IsInf(r.Value, 0):
		return fail(ErrTooHigh, "more than can be counted", "give a lower rate, or max")
	case r.Value == 0:
		return fail(ErrZero, "nothing would be sent", "give a rate above 0, or max")
	case r.Unit == Percent && r.Value > 100:
		return fail(ErrTooHigh, "more than the line carries", "give up to 100%")
	case r.Unit == PPS && r.Value > MaxPPS:
		return fail(ErrTooHigh, fmt.Sprintf("more than %.0g packets a second", MaxPPS), "give a lower rate, or max")
	}
	return r, nil
}

// rateOf returns one of a unit with a prefix, and whether there is such a unit.
func rateOf(prefix, unit, layer string) (Rate, bool) {
	r := Rate{Value: prefixes[prefix]}
	switch unit {
	case "pps", "p/s":
		r.Unit = PPS
		return r, layer == ""
	case "%":
		r.Unit = Percent
		return r, layer == "" && prefix == ""
	}
	r.Unit = L1BPS
	if layer == "l2" {
		r.Unit = L2BPS
	}
	return r, true
}

// ParseLineRate reads what a link carries, as "10Gbps", and returns bit/s on layer 1. A
// failure is an [*Error].
func ParseLineRate(text string) (float64, error) {
	r, err := ParseRate(text)
	if err == nil && r.Unit == L1BPS {
		return r.Value, nil
	}
	return 0, &Error{Op: "line rate", Value: text, Reason: "not a number of bits a second",
		Remedy: "write what the link carries on layer 1, like 10Gbps", Err: ErrSyntax}
}

// MarshalText implements [encoding.TextMarshaler].
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler] with ParseRate.
func (r *Rate) UnmarshalText(text []byte) error {
	parsed, err := ParseRate(string(text))
	if err == nil {
		*r = parsed
	}
	return err
}
