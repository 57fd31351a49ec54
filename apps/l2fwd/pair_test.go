package main

import (
	"errors"
	"slices"
	"testing"
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
		var e *portmapError
		if !errors.As(err, &e) || e.text != text {
			t.Errorf("%q: got %v, %v; want a *portmapError", text, got, err)
		} else if e.value != value {
			t.Errorf("%q: the error is about %q, want %q", text, e.value, value)
		}
	}
}
