package main

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
)

func TestParsePortmap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []int
	}{
		{"(0,1)", []int{1, 0}},
		{"(1,0)", []int{1, 0}},
		{"(0,2)(1,3)", []int{2, 3, 0, 1}},
		{"(3,1)", []int{unused, 3, unused, 1}},
		{"(0,0)(1,2)", []int{0, 2, 1}},
	} {
		got, err := parsePortmap(c.text, len(c.want))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.text, got, err, c.want)
		}
	}
}

func TestParsePortmapRefuses(t *testing.T) {
	for text, value := range map[string]string{
		"":                         "",
		"0,1":                      "0,1",
		"(0,1":                     "(0,1",
		"(0)":                      "(0)",
		"(0,1,2)":                  "(0,1,2)",
		"(0, 1)":                   "(0, 1)",
		"(0,-1)":                   "(0,-1)",
		"(0,4)":                    "(0,4)",
		"(0,1)(1,2)":               "(1,2)",
		"(0,1)(2,2)(2,3)":          "(2,3)",
		"(0,99999999999999999999)": "(0,99999999999999999999)",
		"(0,1)x":                   "(0,1)x",
	} {
		got, err := parsePortmap(text, 4)
		var e *command.UsageError
		if !errors.As(err, &e) || e.Option != "portmap" || e.Value != text || e.Remedy == "" {
			t.Errorf("%q: got %v, %v; want a *command.UsageError", text, got, err)
		} else if value != text && !strings.Contains(e.Reason, strconv.Quote(value)) {
			t.Errorf("%q: %q is not about %q", text, e.Reason, value)
		}
	}
}
