package mlrsearch

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrNoPreset is returned for the name of a preset that does not exist.
var ErrNoPreset = errors.New("no such preset")

// A Preset is a procedure that has a name in the field, as data: the goals of a search,
// or, if it has none, a measurement of the receive rate.
type Preset struct {
	Name        string
	Description string
	Goals       []Goal
	ReceiveRate ReceiveRateConfig // where Goals is empty; its load is left open
	// WarmUp and MaxSearchTime are those of the search.
	WarmUp, MaxSearchTime time.Duration
	// Waits are those of each trial, which the Measurer keeps.
	Waits Waits
}

// Waits are the pauses of a trial in RFC 2544, section 23.
type Waits struct {
	Learning time.Duration // after the learning frames
	Residual time.Duration // after the last frame was sent, for those on their way
	Settle   time.Duration // before the next trial
}

// rfc2544Waits returns those of the RFC.
func rfc2544Waits() Waits {
	return Waits{Learning: 2 * time.Second, Residual: 2 * time.Second, Settle: 5 * time.Second}
}

// csitWait is what CSIT's tool chain takes between two trials, which CSIT counts as all
// waits together.
const csitWait = 500 * time.Millisecond

// presetWidth is the goal width of all presets. CSIT states it; the RFCs leave it open.
const presetWidth = 0.005

// Presets returns all presets.
func Presets() []Preset {
	return []Preset{
		{
			Name:        "rfc2544",
			Description: "RFC 2544 throughput: trials of 60 s, no loss at all",
			Goals:       []Goal{longGoal("throughput", 0, time.Minute)},
			WarmUp:      time.Second, MaxSearchTime: 2 * time.Hour, Waits: rfc2544Waits(),
		}, {
			Name:        "tst009",
			Description: "ETSI GS NFV-TST 009 binary search with loss verification: as rfc2544, a lossy trial is repeated once",
			Goals:       []Goal{longGoal("throughput", 0.5, 2*time.Minute)},
			WarmUp:      time.Second, MaxSearchTime: 2 * time.Hour, Waits: rfc2544Waits(),
		}, {
			Name:        "csit-ndr",
			Description: "FD.io CSIT non-drop rate: 21 s of trials of 1 s, half of them without loss",
			Goals:       []Goal{csitGoal("NDR", 0)},
			WarmUp:      time.Second, MaxSearchTime: 20 * time.Minute, Waits: Waits{Residual: csitWait},
		}, {
			Name:        "csit-pdr",
			Description: "FD.io CSIT partial drop rate: as csit-ndr, with up to 0.5 % loss",
			Goals:       []Goal{csitGoal("PDR", 0.005)},
			WarmUp:      time.Second, MaxSearchTime: 20 * time.Minute, Waits: Waits{Residual: csitWait},
		}, {
			Name:        "mrr",
			Description: "FD.io CSIT maximum receive rate: 10 trials of 1 s at the maximum load, whatever is lost",
			ReceiveRate: ReceiveRateConfig{Trials: 10, Duration: time.Second},
			Waits:       Waits{Residual: csitWait},
		},
	}
}

func longGoal(name string, exceed float64, sum time.Duration) Goal {
	return Goal{
		Name: name, ExceedRatio: exceed, Width: presetWidth,
		InitialTrialDuration: time.Second, FinalTrialDuration: time.Minute, DurationSum: sum,
	}
}

func csitGoal(name string, loss float64) Goal {
	return Goal{
		Name: name, LossRatio: loss, ExceedRatio: 0.5, Width: presetWidth,
		InitialTrialDuration: time.Second, FinalTrialDuration: time.Second, DurationSum: 21 * time.Second,
	}
}

// PresetByName returns the preset of that name.
func PresetByName(name string) (Preset, error) {
	var names []string
	for _, p := range Presets() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Preset{}, fmt.Errorf("%w: %q; there are %s", ErrNoPreset, name, strings.Join(names, ", "))
}

// Config returns the controller input for a search between two loads. It is of no use for
// a preset without goals.
func (p Preset) Config(minLoad, maxLoad float64) Config {
	return Config{
		Goals: p.Goals, MinLoad: minLoad, MaxLoad: maxLoad,
		WarmUp: p.WarmUp, MaxSearchTime: p.MaxSearchTime,
	}
}

// TrialDuration returns the duration of the preset's full-length trials.
func (p Preset) TrialDuration() time.Duration {
	if len(p.Goals) == 0 {
		return p.ReceiveRate.Duration
	}
	return p.Goals[0].FinalTrialDuration
}

// WithTrialDuration returns the preset with full-length trials of the given duration and
// all other times changed in proportion.
func (p Preset) WithTrialDuration(d time.Duration) Preset {
	return p.Scaled(float64(d) / float64(p.TrialDuration()))
}

// Scaled returns the preset with all times multiplied. The number of trials at a load
// stays as it is, but not what they say: shorter trials meet rare losses more rarely.
func (p Preset) Scaled(factor float64) Preset {
	scale := func(d *time.Duration) {
		if *d > 0 {
			*d = max(1, time.Duration(float64(*d)*factor+0.5))
		}
	}
	p.Goals = append([]Goal(nil), p.Goals...)
	for i := range p.Goals {
		g := &p.Goals[i]
		trials := float64(g.DurationSum) / float64(g.FinalTrialDuration)
		scale(&g.InitialTrialDuration)
		scale(&g.FinalTrialDuration)
		g.DurationSum = time.Duration(trials*float64(g.FinalTrialDuration) + 0.5)
	}
	for _, d := range []*time.Duration{
		&p.ReceiveRate.Duration, &p.WarmUp, &p.MaxSearchTime,
		&p.Waits.Learning, &p.Waits.Residual, &p.Waits.Settle,
	} {
		scale(d)
	}
	return p
}

// Deviations says in what the preset differs from the one of its name, a sentence each;
// nil if in nothing. A report must state them.
func (p Preset) Deviations() []string {
	original, err := PresetByName(p.Name)
	if err != nil {
		return []string{fmt.Sprintf("%q is no preset", p.Name)}
	}
	var list differences
	list.add("number of goals", len(p.Goals), len(original.Goals))
	for i := range min(len(p.Goals), len(original.Goals)) {
		is, was := p.Goals[i], original.Goals[i]
		list.add("goal loss ratio", is.LossRatio, was.LossRatio)
		list.add("goal exceed ratio", is.ExceedRatio, was.ExceedRatio)
		list.add("goal initial trial duration", is.InitialTrialDuration, was.InitialTrialDuration)
		list.add("goal final trial duration", is.FinalTrialDuration, was.FinalTrialDuration)
		list.add("goal duration sum", is.DurationSum, was.DurationSum)
		list.add("goal width", is.Width, was.Width)
	}
	list.add("number of trials", p.ReceiveRate.Trials, original.ReceiveRate.Trials)
	list.add("trial duration", p.ReceiveRate.Duration, original.ReceiveRate.Duration)
	list.add("warm-up", p.WarmUp, original.WarmUp)
	list.add("search time limit", p.MaxSearchTime, original.MaxSearchTime)
	list.addWaits(p.Waits, original.Waits)
	return list
}

// Deviations says in what the waits differ from those of RFC 2544, a sentence each; nil if
// in nothing. A report must state them, for presets too.
func (w Waits) Deviations() []string {
	var list differences
	list.addWaits(w, rfc2544Waits())
	return list
}

// differences are sentences.
type differences []string

func (l *differences) add(what string, is, was any) {
	if is != was {
		*l = append(*l, fmt.Sprintf("%s is %v instead of %v", what, is, was))
	}
}

func (l *differences) addWaits(is, was Waits) {
	l.add("wait after learning frames", is.Learning, was.Learning)
	l.add("wait for residual frames", is.Residual, was.Residual)
	l.add("wait between trials", is.Settle, was.Settle)
}
