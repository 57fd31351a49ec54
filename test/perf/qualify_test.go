package main

import (
	"io"
	"math"
	"slices"
	"testing"
)

// fakeMachine is one whose CPUs are in the fast mode in some spans of time, and
// otherwise slow, which is a quarter of all rates. A run takes a second.
type fakeMachine struct {
	fast  [][2]float64
	speed map[string]float64 // of paths in the slow mode; 1 if not named
	now   float64
	most  map[side]map[string]float64 // the fastest run of each path
}

func (m *fakeMachine) run(s side, p path) (result, error) {
	begin, end := m.now, m.now+1
	m.now = end
	speed := m.speed[p.Name]
	if speed == 0 {
		speed = 1
	}
	fast := 0.0 // so much of the run
	for _, f := range m.fast {
		fast += max(0, min(end, f[1])-max(begin, f[0]))
	}
	r := result{Mpps: speed * (1 + 3*fast), Trips: []float64{m.trip(begin), m.trip(end)}}
	if m.most[s] == nil {
		m.most[s] = map[string]float64{}
	}
	m.most[s][p.Name] = max(m.most[s][p.Name], r.Mpps)
	return r, nil
}

func (m *fakeMachine) trip(at float64) float64 {
	if slices.ContainsFunc(m.fast, func(f [2]float64) bool { return f[0] <= at && at < f[1] }) {
		return 56
	}
	return 320
}

// fastest is the path of a side with the fastest run.
func (m *fakeMachine) fastest(s side) string {
	best := ""
	for name, mpps := range m.most[s] {
		if mpps > m.most[s][best] {
			best = name
		}
	}
	return best
}

// round is how many runs the paths of both sides take without a change of mode:
// a reference for every two of the others.
func round() int {
	n := 0
	for _, s := range []side{ours, dpdk} {
		others := len(s.challengers())
		n += others + (others+1)/2
	}
	return n
}

// spans are fast modes of a length, one from each of the given times.
func spans(length float64, from ...float64) [][2]float64 {
	var s [][2]float64
	for _, f := range from {
		s = append(s, [2]float64{f, f + length})
	}
	return s
}

// TestQualify checks that whenever the CPUs change their mode, the best paths are those
// that are a little faster than the others in either mode, though others have
// run in the fast mode and they have not.
func TestQualify(t *testing.T) {
	speed := map[string]float64{"packed, in-order": 1.05, "split": 1.02, "split, vectorized": 1.08,
		"packed": 0.7}
	all := float64(3 * round())
	fooled := 0
	check := func(name string, fast [][2]float64) {
		t.Helper()
		m := &fakeMachine{fast: fast, speed: speed, most: map[side]map[string]float64{}}
		l := &lab{options: options{Rounds: 3, Retries: 2}, progress: io.Discard}
		q := newQualification(2, receive, 64)
		if err := l.compareAll(&q, m.run); err != nil {
			t.Fatal(err)
		}
		if mine, theirs := q.best(ours).Name, q.best(dpdk).Name; mine != "packed, in-order" ||
			theirs != "split, vectorized" {
			t.Errorf("%s, fast %v: best paths %s / %s, with %+v", name, fast, mine, theirs, q)
		}
		if m.fastest(ours) != "packed, in-order" || m.fastest(dpdk) != "split, vectorized" {
			fooled++
		}
	}
	check("slow", nil)
	check("fast", spans(math.Inf(1), 0))
	for at := 0.0; at < all; at++ {
		check("a change between runs", spans(math.Inf(1), at))
		check("a change during a run", spans(math.Inf(1), at+0.4))
		check("one fast run", spans(1, at))
		check("a fast mode within one run, which no round trip shows", spans(0.8, at+0.1))
		check("some fast runs, now and again", spans(13, at, at+29, at+61))
	}
	if fooled < int(all) {
		t.Errorf("the fastest run shows the best path in all but %d cases, so that these prove little", fooled)
	}
}

// TestQualifyStandstill checks that what stands still is not the best, and a reference
// that does so leaves others without a rate, not with an endless one.
func TestQualifyStandstill(t *testing.T) {
	l := &lab{options: options{Rounds: 2}, progress: io.Discard}
	q := newQualification(1, transmit, 64)
	err := l.compareAll(&q, func(s side, p path) (result, error) {
		if s == ours && p.Name == reference().Name || p.Name == "packed" {
			return result{}, nil
		}
		return result{Mpps: 5}, nil
	})
	if err != nil || q.best(ours).Name != reference().Name ||
		q.best(dpdk).Name != reference().Name {
		t.Errorf("best paths %s / %s, %v", q.best(ours).Name, q.best(dpdk).Name, err)
	}
	if len(q.Ours) != 0 || !slices.Equal(q.DPDK["packed"], []float64{0, 0}) || q.Stalls[ours] == 0 {
		t.Errorf("%+v", q)
	}
}
