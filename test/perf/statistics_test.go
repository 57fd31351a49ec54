package main

import (
	"math"
	"slices"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1}, spread{2.5, 1, 4}},
		{[]float64{9, 1, 2}, spread{2, 1, 9}},
		{[]float64{5, 3, 1, 100}, spread{4, 1, 100}},
	} {
		before := slices.Clone(c.values)
		if got := spreadOf(c.values); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.values, got, c.want)
		}
		if !slices.Equal(before, c.values) {
			t.Errorf("%v became %v: pairs have lost their order", before, c.values)
		}
	}
	if !math.IsNaN(spreadOf(nil).Median) {
		t.Error("nothing has a median")
	}
}

// TestRatios checks that the median of ratios is not the ratio of medians.
func TestRatios(t *testing.T) {
	mine, theirs := []float64{10, 2, 9}, []float64{5, 2, 3}
	got := ratios(mine, theirs)
	if !slices.Equal(got, []float64{2, 1, 3}) {
		t.Errorf("%v", got)
	}
	if m := spreadOf(got).Median; m != 2 {
		t.Errorf("median %v, want 2", m)
	}
	if n := len(ratios(mine, theirs[:2])); n != 2 {
		t.Errorf("%d ratios of an incomplete pair, want 2", n)
	}
}

// TestBars checks the least ratios that the project asks of itself.
func TestBars(t *testing.T) {
	best := func(size int) row { return row{Qualified: true, Size: size} }
	same := func(i int) row { return row{Size: 64, Ours: paths()[i], DPDK: paths()[i]} }
	for _, c := range []struct {
		heat int
		work work
		row  row
		want float64
	}{
		{1, receive, best(64), 1.05}, {2, receive, best(64), 1.50},
		{1, transmit, best(64), 1.30}, {2, transmit, best(64), 2.00},
		{1, forward, best(64), 1.05}, {2, forward, best(64), 1.30},
		{1, receive, same(0), 1.10}, {2, forward, same(0), 1.50},
		{1, receive, best(1518), 1}, {2, transmit, best(1518), 1},
		{1, receive, best(512), 0}, {2, receive, same(1), 0}, {1, transmit, same(4), 0},
	} {
		if got := bar(c.heat, c.work, c.row); got != c.want {
			t.Errorf("heat %d, %s, %+v: %v, want %v", c.heat, c.work, c.row, got, c.want)
		}
	}
	if paths()[0].Name != "split, mergeable" || paths()[0].DPDK != "" {
		t.Errorf("the first path is not what users get without options: %+v", paths()[0])
	}
}
