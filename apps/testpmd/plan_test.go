package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

func TestParseSegments(t *testing.T) {
	for text, want := range map[string][]int{
		"64": {64}, "42": {42}, "2048": {2048}, "64,1": {64, 1}, "2000,2000,2000": {2000, 2000, 2000},
	} {
		got, err := parseSegments(text)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %v, %v; want %v", text, got, err, want)
		}
	}
	for text, why := range map[string]string{
		"": "not a length", "x": "not a length", "-64": "not a length", "64,": "not a length", "64,0": "not a length", "0x40": "not a length",
		"99999999999999999999": "not a length", "41": "shorter than the headers", "41,100": "shorter than the headers",
		"2049": "longer than a buffer", "64,5000": "longer than a buffer",
		strings.Repeat("64,", maxSegments) + "64":   "65 segments",
		strings.Repeat("2000,", 40) + "2000":        "82000 bytes in all",
		"1" + strings.Repeat("0", 400) + ",64,64,1": "not a length",
	} {
		_, err := parseSegments(text)
		var usage *command.UsageError
		if !errors.As(err, &usage) || usage.Value != text || !strings.Contains(usage.Reason, why) || usage.Remedy == "" {
			t.Errorf("%q: %v, want a *UsageError with %q", text, err, why)
		}
	}
}

func TestCheckFlowGen(t *testing.T) {
	for _, segments := range [][]int{{46}, {64}, {2048}} {
		if err := checkFlowGen(segments); err != nil {
			t.Errorf("%v: %v", segments, err)
		}
	}
	for _, segments := range [][]int{{45}, {64, 64}} {
		var usage *command.UsageError
		if err := checkFlowGen(segments); !errors.As(err, &usage) {
			t.Errorf("%v: %v, want a *UsageError", segments, err)
		}
	}
}
