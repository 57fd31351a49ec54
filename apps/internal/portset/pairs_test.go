package portset

import (
	"slices"
	"testing"
)

func TestPairs(t *testing.T) {
	for _, want := range [][]int{{}, {0}, {1, 0}, {1, 0, 2}, {1, 0, 3, 2}, {1, 0, 3, 2, 4}} {
		if got := Pairs(len(want)); !slices.Equal(got, want) {
			t.Errorf("%d ports: got %v, want %v", len(want), got, want)
		}
	}
}
