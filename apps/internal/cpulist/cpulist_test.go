package cpulist

import (
	"errors"
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string][]int{
		"":        nil,
		"1":       {1},
		"1,0":     {1, 0},
		"0,2-4,1": {0, 2, 3, 4, 1},
		"3-3":     {3},
		"1023":    {1023},
	} {
		got, err := Parse(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, value := range map[string]string{
		",": "", "a": "a", "-1": "-1", "1,": "", "0-": "0-", "1024": "1024", "2-1": "2-1",
		"0,0": "0", "1-3,2": "2", "0 1": "0 1", "0-70000": "0-70000",
	} {
		got, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) || e.List != text || e.Value != value {
			t.Errorf("%q: got %v, %v; want an *Error about %q", text, got, err, value)
		}
	}
}
