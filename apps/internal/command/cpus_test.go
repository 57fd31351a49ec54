package command

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string][]int{
		"":        nil,
		"1":       {1},
		"1,0":     {1, 0},
		"0,2-4,1": {0, 2, 3, 4, 1},
		"3-3":     {3},
		"1023":    {1023},
	} {
		got, err := ParseCPUs(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestParseCPUsRefuses(t *testing.T) {
	for text, part := range map[string]string{
		",": "", "a": "a", "-1": "-1", "1,": "", "0-": "0-", "1024": "1024", "2-1": "2-1",
		"0,0": "0", "1-3,2": "2", "0 1": "0 1", "0-70000": "0-70000",
	} {
		got, err := ParseCPUs(text)
		var e *UsageError
		if !errors.As(err, &e) || e.Option != "cpus" || e.Value != text ||
			!strings.HasPrefix(e.Reason, strconv.Quote(part)+" ") {
			t.Errorf("%q: got %v, %v; want a *UsageError about %q", text, got, err, part)
		}
	}
}
