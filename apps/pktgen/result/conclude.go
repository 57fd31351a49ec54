package result

import (
	"fmt"
	"slices"
	"strings"
)

// generatorBoundRatio is the part of the generator's own maximum from which on a figure
// may be the generator's instead of the device's.
const generatorBoundRatio = 0.95

// Conclude draws the conclusions that a report states itself: whether it passed, which
// figures are bound by the generator, and the notes. It can be called again after changes.
func (r *Report) Conclude() {
	r.Passed, r.Notes = true, nil
	for i := range r.Trials {
		t := &r.Trials[i]
		t.Passed = !slices.ContainsFunc(t.Criteria, func(c Criterion) bool { return !c.Passed })
		r.Passed = r.Passed && t.Passed
	}
	if r.Interrupted {
		r.note(Procedure, "interrupted before all was measured")
	}
	r.noteEmulated()
	r.noteGenerator()
	r.noteTrials()
	r.noteSearches()
	if m := r.Disclosure.Search; m != nil {
		for _, text := range m.Deviations {
			r.note(Procedure, "the search differs from the preset %s: %s", m.Preset, text)
		}
	}
	for _, text := range r.rfc2544Deviations() {
		r.note(RFC2544, "%s", text)
	}
}

// note adds a note once.
func (r *Report) note(kind NoteKind, format string, args ...any) {
	n := Note{kind, fmt.Sprintf(format, args...)}
	if !slices.Contains(r.Notes, n) {
		r.Notes = append(r.Notes, n)
	}
}

func (r *Report) noteEmulated() {
	var names []string
	for _, d := range r.Disclosure.Devices {
		if d.Emulated {
			names = append(names, d.Name)
		}
	}
	if len(names) > 0 {
		r.note(EmulatedDevice, "%s: software devices of this process, which share its CPUs; "+
			"the figures are for orientation only", strings.Join(names, ", "))
	}
}

// loopback returns the generator's own maximum with frames of a size; nil if unknown.
func (r *Report) loopback(size Size) *LoopbackMaximum {
	list := r.Disclosure.Limits.Loopback
	if i := slices.IndexFunc(list, func(l LoopbackMaximum) bool { return l.Size.Name == size.Name }); i >= 0 {
		return &list[i]
	}
	return nil
}

// generatorBound reports whether pps is too near the generator's own maximum.
func (r *Report) generatorBound(size Size, pps float64) bool {
	l := r.loopback(size)
	return l != nil && l.Rate.PPS > 0 && pps >= generatorBoundRatio*l.Rate.PPS
}

func (r *Report) noteGenerator() {
	unmeasured := false
	bound := func(what string, size Size, pps float64) bool {
		unmeasured = unmeasured || r.loopback(size) == nil
		if !r.generatorBound(size, pps) {
			return false
		}
		own := r.loopback(size).Rate.PPS
		r.note(GeneratorBound, "%s at %s: %s is %.0f %% of the %s that the generator reaches over a "+
			"cable on this host; the device may do more", what, size, PPSText(pps), 100*pps/own, PPSText(own))
		return true
	}
	for i := range r.Searches {
		s := &r.Searches[i]
		s.GeneratorBound = false
		for _, g := range s.Goals {
			if g.LowerBound != nil && bound("goal "+g.Goal.Name, s.Size, g.LowerBound.Load.PPS) {
				s.GeneratorBound = true
			}
		}
	}
	for i := range r.MRR {
		m := &r.MRR[i]
		m.GeneratorBound = bound("maximum receive rate", m.Size, m.Max)
	}
	for _, t := range r.Trials {
		if r.generatorBound(t.Size, t.Received.PPS) {
			bound(t.Name, t.Size, t.Received.PPS)
		}
	}
	if unmeasured {
		r.note(Procedure, "the generator's own maximum over a cable was not measured for all sizes; "+
			"a figure may be the generator's")
	}
}

func (r *Report) noteTrials() {
	for _, t := range r.Trials {
		if t.Unsent > 0 {
			r.note(ShortRate, "%s: %s packets (%s) were due and not sent; they count as lost",
				t.Name, countText(t.Unsent), ratioText(LossRatio(t.Sent+t.Unsent, t.Unsent)))
		}
		for _, p := range t.Ports {
			if p.Resets+p.Disconnects > 0 {
				r.note(Procedure, "%s: the device of %s was reset or went away (resets: %d, disconnects: %d), which costs packets",
					t.Name, p.Name, p.Resets, p.Disconnects)
			}
		}
		if due := t.Sent + t.Unsent; due == 0 && t.Intended.PPS > 0 {
			r.note(ShortRate, "%s: nothing was sent", t.Name)
		}
	}
}

func (r *Report) noteSearches() {
	for _, s := range r.Searches {
		for _, g := range s.Goals {
			switch {
			case g.Irregular != "":
				r.note(Irregular, "goal %s at %s: %s", g.Goal.Name, s.Size, g.Irregular)
			case g.LowerBound == nil:
				r.note(Irregular, "goal %s at %s: no lower bound was found", g.Goal.Name, s.Size)
			}
		}
	}
}
