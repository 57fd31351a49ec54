package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestLimit checks that both sides exchange packets in both directions, on rings of one
// descriptor, of a size that is no power of two, and of the usual one, and the
// port gets all its buffers back.
func TestLimit(t *testing.T) {
	if os.Geteuid() != 0 && os.Getenv("CI") == "" { // in CI it fails instead
		t.Skip("needs root, for hugepages")
	}
	for _, ring := range []int{1, 100, 256} {
		b := &bench{pairs: 1, duration: 100 * time.Millisecond, ring: ring, burst: 32, driverCPU: 1,
			deviceCPU: 0, cc: "gcc"}
		var out strings.Builder
		if err := b.run(t.Context(), &out); err != nil {
			t.Fatalf("ring of %d: %v", ring, err)
		}
		for _, direction := range directions() {
			if !regexp.MustCompile(`(?m)^\| ` + direction +
				` \| \d+ \(.*\) \| \d+ \(.*\) \| \d+\.\d\d \(.*\) \| 0\.40 (met|\*\*missed\*\*) \|$`).MatchString(out.String()) {
				t.Errorf("ring of %d: no line for %s:\n%s", ring, direction, out.String())
			}
		}
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{3: {3}, 2: {9, 1, 2}, 2.5: {4, 1}} {
		if got := median(values); got != want {
			t.Errorf("%v: %v, want %v", values, got, want)
		}
	}
}

func TestCompileFails(t *testing.T) {
	if _, err := compile(t.Context(), "/bin/false", t.TempDir()); err == nil ||
		!strings.Contains(err.Error(), "/bin/false") {
		t.Errorf("%v", err)
	}
}
