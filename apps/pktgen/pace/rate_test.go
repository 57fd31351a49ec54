package pace

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"1000pps":      {1000, PPS},
		"100kpps":      {1e5, PPS},
		"1Mpps":        {1e6, PPS},
		"1.5 mpps":     {1.5e6, PPS},
		"14.88Mp/s":    {14.88e6, PPS},
		"1e6pps":       {1e6, PPS},
		".5pps":        {.5, PPS},
		"10Gbps":       {1e10, L1BPS},
		"10GbpsL1":     {1e10, L1BPS},
		"9.5GbpsL2":    {9.5e9, L2BPS},
		"9.5gbps_l2":   {9.5e9, L2BPS},
		"100Mbit/s":    {1e8, L1BPS},
		"100Mbit/s L2": {1e8, L2BPS},
		"1Tbps":        {1e12, L1BPS},
		"50%":          {50, Percent},
		"0.1 %":        {.1, Percent},
		"100%":         {100, Percent},
		"max":          {0, Max},
		"MAX":          {0, Max},
	} {
		got, err := ParseRate(text)
		if err != nil || math.Abs(got.Value-want.Value) > want.Value*1e-12 || got.Unit != want.Unit {
			t.Errorf("%q is %+v (%v), not %+v", text, got, err, want)
		}
	}
}

func TestParseRateRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"": ErrSyntax, "1000": ErrSyntax, "-5pps": ErrSyntax, "-5": ErrSyntax, "fast": ErrSyntax, "pps": ErrSyntax,
		"1Mppsx": ErrSyntax, "1XMpps": ErrSyntax, "1ppsL2": ErrSyntax, "1M%": ErrSyntax, "50%L1": ErrSyntax,
		"NaNpps": ErrSyntax, "Infpps": ErrSyntax, "0x10pps": ErrSyntax, "1.5.5Mpps": ErrSyntax, "1 000pps": ErrSyntax,
		"0pps": ErrZero, "0%": ErrZero, "0.0Gbps": ErrZero,
		"101%": ErrTooHigh, "1e400pps": ErrTooHigh, "100Gpps": ErrTooHigh, "1e308Tbps": ErrTooHigh,
	} {
		_, err := ParseRate(text)
		var typed *Error
		if !errors.Is(err, want) || !errors.As(err, &typed) || typed.Value != text || typed.Remedy == "" {
			t.Errorf("%q: %v, not %v", text, err, want)
		}
	}
}

// TestRateInPackets has the figures that RFC 2544 tables have.
func TestRateInPackets(t *testing.T) {
	for _, c := range []struct {
		text     string
		meanLen  float64
		lineRate float64
		want     float64
	}{
		{"10Gbps", 60, 0, 14880952.38},
		{"100%", 60, 1e10, 14880952.38},
		{"50%", 1514, 1e10, 406371.91},
		{"1Gbps", 1514, 0, 81274.38},
		{"1GbpsL2", 60, 0, 1953125},
		{"1Mpps", 9000, 0, 1e6},
		{"10Gbps", 60, 1e10, 14880952.38},
		{"max", 60, 1e10, math.Inf(1)},
	} {
		r, err := ParseRate(c.text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.PPS(c.meanLen, c.lineRate)
		if err != nil || !(got == c.want || math.Abs(got-c.want) < 0.01) {
			t.Errorf("%s of %v bytes is %v pps (%v), not %v", c.text, c.meanLen, got, err, c.want)
		}
	}
}

func TestRateInPacketsRefuses(t *testing.T) {
	for _, c := range []struct {
		rate     Rate
		lineRate float64
		want     error
	}{
		{Rate{50, Percent}, 0, ErrNoLineRate},
		{Rate{150, Percent}, 1e9, ErrTooHigh},
		{Rate{}, 0, ErrZero},
		{Rate{math.NaN(), PPS}, 0, ErrZero},
		{Rate{2e6, PPS}, 1e9, ErrTooHigh},
		{Rate{2e9, L1BPS}, 1e9, ErrTooHigh},
		{Rate{1e9, L2BPS}, 1e9, ErrTooHigh},
		{Rate{1e15, L1BPS}, 0, ErrTooHigh},
		{Rate{1e-9, Percent}, 1e6, ErrTooLow},
	} {
		_, err := c.rate.PPS(60, c.lineRate)
		var typed *Error
		if !errors.Is(err, c.want) || !errors.As(err, &typed) {
			t.Errorf("%v on a line of %v: %v, not %v", c.rate, c.lineRate, err, c.want)
		}
	}
}

func TestParseLineRate(t *testing.T) {
	if got, err := ParseLineRate("25Gbps"); got != 25e9 || err != nil {
		t.Errorf("25Gbps is %v, %v", got, err)
	}
	for _, text := range []string{"1Mpps", "50%", "max", "10GbpsL2", "0bps", "x"} {
		if _, err := ParseLineRate(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestRateTextProperty reads what String writes, also through JSON.
func TestRateTextProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rate{Unit: Unit(rapid.IntRange(int(PPS), int(Max)).Draw(t, "unit"))}
		switch r.Unit {
		case Percent:
			r.Value = rapid.Float64Range(0.001, 100).Draw(t, "value")
		case PPS, L1BPS, L2BPS:
			r.Value = rapid.Float64Range(0.001, 9e9).Draw(t, "value")
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got Rate
		if err := json.Unmarshal(text, &got); err != nil || got.Unit != r.Unit || math.Abs(got.Value-r.Value) > r.Value*1e-5 {
			t.Fatalf("%+v is written as %s and read as %+v: %v", r, text, got, err)
		}
	})
}

func TestScale(t *testing.T) {
	if got := (Rate{1e6, PPS}).Scale(0.5); got != (Rate{5e5, PPS}) {
		t.Error(got)
	}
	if got := (Rate{Unit: Max}).Scale(0.5); got.Unit != Max {
		t.Error(got)
	}
}
