package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/mlrsearch"
)

// progress is how far searches are. Any goroutine may use it.
type progress struct {
	mu        sync.Mutex
	now       report.Progress
	begun     time.Time // the trial that runs
	index, of int       // the size, and how many there are
	sizeName  string
	stageName string
	since     time.Time        // when the first size was begun
	goals     []mlrsearch.Goal // by which trials are judged
}

// size says with which size is measured from here on.
func (p *progress) size(i, of int, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		p.since = time.Now()
	}
	p.index, p.of, p.sizeName, p.stageName = i, of, name, ""
	p.now.Goals = nil
	p.describe(0, -1)
}

// stage says what is done with the size. duration is that of the one trial that it is, 0
// if it is several, and goals are those that trials are judged by.
func (p *progress) stage(name string, duration time.Duration, goals ...mlrsearch.Goal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stageName, p.begun, p.goals = name, time.Now(), goals
	p.now.Current = report.CurrentTrial{}
	if duration > 0 {
		p.now.Current = report.CurrentTrial{Number: len(p.now.Trials) + 1, Duration: duration}
	}
	p.describe(0, -1)
}

// describe says what is done, which share of it is, and how much time is left, below 0 if
// that is not known.
func (p *progress) describe(done float64, left time.Duration) {
	p.now.What = p.sizeName + " bytes"
	if p.of > 1 {
		p.now.What += fmt.Sprintf(", %d of %d", p.index+1, p.of)
	}
	if p.stageName != "" {
		p.now.What += ": " + p.stageName
	}
	p.now.Done = (float64(p.index) + done) / float64(max(p.of, 1))
	p.now.Left = left
	if left >= 0 && p.of > 1 && p.index+1 < p.of {
		each := (time.Since(p.since) + left) / time.Duration(p.index+1)
		p.now.Left += each * time.Duration(p.of-p.index-1)
	}
}

// search takes the progress of a search.
func (p *progress) search(s mlrsearch.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = time.Now()
	p.now.Current = report.CurrentTrial{}
	if s.Duration > 0 {
		p.now.Current = report.CurrentTrial{Number: len(p.now.Trials) + 1, Load: s.Load, Duration: s.Duration}
	}
	if len(s.Goals) > 0 {
		p.now.Goals = nil
	}
	for _, g := range s.Goals {
		state := "narrowing"
		if g.Reached {
			state = "found"
		}
		p.now.Goals = append(p.now.Goals, report.Goal{Name: g.Name, Lower: g.Lower, Upper: g.Upper,
			Conditional: g.ConditionalThroughput, State: state})
	}
	p.describe(s.Done, s.Remaining)
}

// bursts takes the progress of a search for the longest burst.
func (p *progress) bursts(done float64, frames int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stageName = fmt.Sprintf("back-to-back frames, %d", frames)
	p.describe(done, -1)
}

// trial takes a trial that has ended.
func (p *progress) trial(load float64, d time.Duration, loss float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Trials = append(p.now.Trials, report.Trial{Number: len(p.now.Trials) + 1, What: p.sizeName + " bytes",
		Load: load, Duration: d, Loss: loss, Outcome: lossClass(p.goals, loss)})
}

// lossClass returns by which goals a trial has low loss, in the words of RFC 9971; the others
// see high loss.
func lossClass(goals []mlrsearch.Goal, loss float64) string {
	var low []string
	for _, g := range goals {
		if loss <= g.LossRatio {
			low = append(low, g.Name)
		}
	}
	switch len(low) {
	case 0:
		if len(goals) == 0 {
			return ""
		}
		return "high loss"
	case len(goals):
		return "low loss"
	}
	return strings.Join(low, ", ") + " low loss"
}

// shown returns what the screen shows.
func (p *progress) shown() report.Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now
	now.Trials, now.Goals = slices.Clip(now.Trials), slices.Clone(now.Goals)
	if now.Current.Number > 0 {
		now.Current.Elapsed = min(time.Since(p.begun), now.Current.Duration)
	}
	return now
}
