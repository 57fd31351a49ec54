package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// raceLab is a lab that keeps its progress to itself.
func raceLab(pairs int) *lab {
	return &lab{options: options{Pairs: pairs, Records: true, Retries: 2}, progress: io.Discard}
}

// TestPairs checks that rows of a size are raced in turn, a pair each, and that the
// driver that runs first changes from round to round.
func TestPairs(t *testing.T) {
	p := paths()
	list := []outcome{
		{Heat: 2, Work: receive, row: row{Size: 64, Ours: p[0], DPDK: p[0]}},
		{Heat: 2, Work: receive, row: row{Size: 64, Ours: p[1], DPDK: p[3], Qualified: true}},
	}
	var order []string
	err := raceLab(2).pairs(list, func(s side, j job) (result, error) {
		order = append(order, s.String()+" "+j.path.Name)
		return result{Mpps: float64(len(order)), Trips: []float64{60, 60}}, nil
	})
	want := []string{
		"virtio-pmd split, mergeable", "DPDK split, mergeable", "virtio-pmd split", "DPDK packed",
		"DPDK split, mergeable", "virtio-pmd split, mergeable", "DPDK packed", "virtio-pmd split",
	}
	if err != nil || !slices.Equal(order, want) {
		t.Fatalf("%v: %q, want %q", err, order, want)
	}
	if o := list[1]; !slices.Equal(o.OurMpps, []float64{3, 8}) ||
		!slices.Equal(o.DPDKMpps, []float64{4, 7}) || len(o.Trips) != 8 {
		t.Errorf("%+v", o)
	}
	broken := errors.New("broken")
	runs := 0
	err = raceLab(2).pairs(list, func(side, job) (result, error) {
		if runs++; runs > 2 {
			return result{}, broken
		}
		return result{Mpps: 9, Trips: []float64{60, 60}}, nil
	})
	if !errors.Is(err, broken) || len(list[0].OurMpps) != 3 || len(list[1].OurMpps) != 2 {
		t.Errorf("%v: what was measured before is %+v", err, list)
	}
}

// TestBySize checks that rows of a size stay together and in their order.
func TestBySize(t *testing.T) {
	p := paths()
	rows := []row{{Size: 64, Ours: p[0]}, {Size: 64, Ours: p[1]}, {Size: 64, Qualified: true},
		{Size: 512}, {Size: 64, Ours: p[2]}}
	groups := bySize(rows)
	if len(groups) != 2 || len(groups[0]) != 4 || groups[0][3].Ours != p[2] ||
		len(groups[1]) != 1 || groups[1][0].Size != 512 {
		t.Errorf("%+v", groups)
	}
}

// TestBest checks that a row is called best only if the table shows no higher rate of
// either driver in a row of the same heat, work and size.
func TestBest(t *testing.T) {
	p := paths()
	chosen := outcome{Heat: 1, Work: receive, OurMpps: []float64{19, 20, 21},
		DPDKMpps: []float64{15},
		row:      row{Qualified: true, Size: 64, Ours: p[1], DPDK: p[2]}}
	other := func(heat int, w work, size int, mine, theirs float64) outcome {
		return outcome{Heat: heat, Work: w, row: row{Size: size, Ours: p[0], DPDK: p[0]},
			OurMpps: []float64{mine}, DPDKMpps: []float64{theirs}}
	}
	for name, c := range map[string]struct {
		other outcome
		want  string
	}{
		"slower":                 {other(1, receive, 64, 19, 14), "best"},
		"the same as shown":      {other(1, receive, 64, 20.04, 15.04), "best"},
		"ours is faster":         {other(1, receive, 64, 20.06, 14), "qualified"},
		"DPDK's is faster":       {other(1, receive, 64, 19, 15.1), "qualified"},
		"faster at another size": {other(1, receive, 512, 40, 40), "best"},
		"faster in another heat": {other(2, receive, 64, 40, 40), "best"},
		"faster with other work": {other(1, forward, 64, 40, 40), "best"},
		"nothing was measured":   {outcome{Heat: 1, Work: receive, row: row{Size: 64}}, "best"},
		"faster and then slower": {outcome{Heat: 1, Work: receive, row: row{Size: 64},
			OurMpps: []float64{40, 1, 1}, DPDKMpps: []float64{1}}, "best"},
		"slower, then faster now": {outcome{Heat: 1, Work: receive, row: row{Size: 64},
			OurMpps: []float64{1, 30, 30}, DPDKMpps: []float64{1}}, "qualified"},
	} {
		rows := []outcome{c.other, chosen}
		var b strings.Builder
		chosen.line(&b, rows)
		if want := "| RX | " + c.want +
			": split / packed, mergeable | 64 |"; !strings.HasPrefix(b.String(), want) {
			t.Errorf("%s: %s, want %s", name, b.String(), want)
		}
	}
	if none := (outcome{Heat: 1, Work: receive}); none.best([]outcome{none}) {
		t.Error("a row without a run is the best")
	}
}
