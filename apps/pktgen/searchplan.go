package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
)

// defaultTrial is how long a trial of a loss curve or at a load is, if nothing says it.
const defaultTrial = time.Second

// minResidual is how long a trial waits for frames on their way at least, however short it
// is: the delay of a device does not shrink with the trial.
const minResidual = 100 * time.Millisecond

// searchPlan is what is searched for.
type searchPlan struct {
	presets          []mlrsearch.Preset
	minRate, maxRate pace.Rate // of each port; no maxRate means what the ports send
	hasMax           bool
	trial            time.Duration // 0: that of the presets
	repeat           int
	waits            mlrsearch.Waits // of each trial: the longest of all presets
	latency, curve   bool
	bursts           int // searches for the longest burst
}

// wanted reports whether anything is searched for, in place of trials at a rate.
func (s *searchPlan) wanted() bool { return len(s.presets) > 0 || s.curve || s.bursts > 0 }

// goals returns the goals of all presets that search.
func (s *searchPlan) goals() []mlrsearch.Goal {
	var goals []mlrsearch.Goal
	for _, p := range s.presets {
		goals = append(goals, p.Goals...)
	}
	return goals
}

// searchOptions mean nothing without a search.
var searchOptions = []string{"max-rate", "min-rate", "trial-duration", "repeat", "latency-at-load"}

func (p *plan) readSearch(c *cli.Context) error {
	s := &p.search
	s.repeat, s.latency = c.Int("repeat"), c.Bool("latency-at-load")
	s.curve, s.bursts = c.Bool("loss-curve"), c.Int("back-to-back")
	if s.repeat < 1 {
		return &command.UsageError{Option: "repeat", Value: strconv.Itoa(s.repeat), Reason: "not above 0", Remedy: "10 is what FD.io CSIT does"}
	}
	if s.bursts < 0 {
		return &command.UsageError{Option: "back-to-back", Value: strconv.Itoa(s.bursts), Reason: "negative", Remedy: "RFC 2544 asks for 50"}
	}
	if err := s.readTimes(c); err != nil {
		return err
	}
	if !s.wanted() {
		if len(p.sizes) > 1 && p.options.Duration == 0 && !c.Bool("dry-run") {
			return &command.UsageError{Option: "sizes", Value: c.String("sizes"), Reason: "the first size would be sent until Ctrl-C",
				Remedy: "give each of them a --duration"}
		}
		return unused(c, searchOptions, "there is no --search", "say what is to be searched for")
	}
	if err := p.checkSearch(c); err != nil {
		return err
	}
	if err := s.readRates(c); err != nil {
		return err
	}
	return p.checkRange()
}

// checkSearch refuses options that a search would not heed.
func (p *plan) checkSearch(c *cli.Context) error {
	s := &p.search
	goals := len(s.goals()) > 0
	refusals := []struct {
		when           bool
		options        []string
		reason, remedy string
	}{
		{true, []string{"rate", "pattern", "duration"}, "a search chooses it", "use --max-rate and --trial-duration"},
		{true, []string{"max-loss", "max-p99"}, "it is for trials at --rate, and a search has goals",
			"leave it out, or measure at the rate that was found"},
		{!goals, []string{"latency-at-load"}, "there is no search that finds a rate", "add --search csit-ndr"},
		{!goals, []string{"repeat"}, "there is no search that finds a rate", "add --search csit-ndr, or leave it out"},
		{!s.latency, []string{"latency"}, "a search measures no latency", "add --latency-at-load"},
		{s.latency && !p.hasLatency(), []string{"latency-at-load"}, "no stream has its latency measured",
			"give --latency a rate, or a stream of the scenario latency: true"},
		{p.traffic.scenario != nil, []string{"back-to-back"}, "the streams of a scenario have patterns of their own",
			"describe the packets by options"},
	}
	for _, r := range refusals {
		if !r.when {
			continue
		}
		if err := unused(c, r.options, r.reason, r.remedy); err != nil {
			return err
		}
	}
	return nil
}

// unused returns an error for the first of the options that was given.
func unused(c *cli.Context, options []string, reason, remedy string) error {
	for _, name := range options {
		if c.IsSet(name) {
			value := fmt.Sprint(c.Value(name))
			if list, ok := c.Value(name).(cli.StringSlice); ok {
				value = strings.Join(list.Value(), ", ")
			}
			return &command.UsageError{Option: name, Value: value, Reason: reason, Remedy: remedy}
		}
	}
	return nil
}

// readTimes reads the presets and how long their trials are.
func (s *searchPlan) readTimes(c *cli.Context) error {
	if text := c.String("trial-duration"); text != "" {
		d, err := command.ParseTime(text)
		if err != nil || d < time.Millisecond {
			return &command.UsageError{Option: "trial-duration", Value: text, Reason: "not a time of 1 ms or more",
				Remedy: "write it like 1s or 60s"}
		}
		s.trial = d
	}
	if c.String("search") == "" {
		return nil
	}
	for name := range strings.SplitSeq(strings.ToLower(c.String("search")), ",") {
		preset, err := mlrsearch.PresetByName(strings.TrimSpace(name))
		if err != nil {
			return &command.UsageError{Option: "search", Value: c.String("search"), Reason: fmt.Sprintf("there is no preset %q", name),
				Remedy: "use " + presetNames(), Err: err}
		}
		if slices.ContainsFunc(s.presets, func(p mlrsearch.Preset) bool { return p.Name == preset.Name }) {
			return &command.UsageError{Option: "search", Value: c.String("search"), Reason: fmt.Sprintf("%s is in it twice", preset.Name),
				Remedy: "use --repeat to search several times"}
		}
		if s.trial > 0 {
			preset = preset.WithTrialDuration(s.trial)
		}
		s.presets = append(s.presets, preset)
		s.waits.Learning = max(s.waits.Learning, preset.Waits.Learning)
		s.waits.Residual = max(s.waits.Residual, preset.Waits.Residual, minResidual)
		s.waits.Settle = max(s.waits.Settle, preset.Waits.Settle)
	}
	return nil
}

func presetNames() string {
	var names []string
	for _, p := range mlrsearch.Presets() {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}

func (s *searchPlan) readRates(c *cli.Context) error {
	var err error
	if s.minRate, err = pace.ParseRate(c.String("min-rate")); err != nil {
		return wrong("min-rate", c.String("min-rate"), err)
	}
	if text := c.String("max-rate"); text != "" {
		s.hasMax = true
		if s.maxRate, err = pace.ParseRate(text); err != nil {
			return wrong("max-rate", text, err)
		}
	}
	s.hasMax = s.hasMax && s.maxRate.Unit != pace.Max
	if s.hasMax && s.minRate.Unit == s.maxRate.Unit && s.minRate.Value >= s.maxRate.Value {
		return &command.UsageError{Option: "min-rate", Value: c.String("min-rate"), Reason: "not below --max-rate", Remedy: "use a lower one"}
	}
	if s.minRate.Unit == pace.Max {
		return &command.UsageError{Option: "min-rate", Value: "max", Reason: "there would be nothing to search", Remedy: "1kpps is the default"}
	}
	return nil
}

// trialDuration is how long trials are that belong to no preset.
func (s *searchPlan) trialDuration() time.Duration {
	switch {
	case s.trial > 0:
		return s.trial
	case len(s.presets) > 0:
		return s.presets[0].TrialDuration()
	}
	return defaultTrial
}
