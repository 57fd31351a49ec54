package result

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// page is the report as the template shows it.
type page struct {
	Title, Sub string
	Outcome    string // "passed", "failed"; empty without criteria
	Notes      []Note
	Deviations []string // from RFC 2544
	Tiles      []tile
	Sections   []section
	Disclosure []table
	Scenario   string
	Schema     string
}

// tile is a figure in large type.
type tile struct{ Label, Value, Note string }

// section is a part of the page with a heading. Its parts are sections of a lower level.
type section struct {
	ID, Title, Intro string
	Figures          []figure
	Tables           []table
	Parts            []section
}

// newPage lays out a report.
func newPage(r *Report) (*page, error) {
	id := r.Identity
	p := &page{
		Title:      r.Title,
		Sub:        fmt.Sprintf("%s %s · %s", id.Tool, id.Version, id.Start.UTC().Format("2006-01-02 15:04:05 MST")),
		Tiles:      tiles(r),
		Disclosure: disclosureTables(r),
		Scenario:   r.Disclosure.Traffic.Scenario,
		Schema:     Schema,
	}
	if p.Title == "" {
		p.Title = "Measurement"
	}
	if took := id.End.Sub(id.Start); took > 0 {
		p.Sub += " · took " + tookText(took)
	}
	if r.Disclosure.Topology.Label != "" {
		p.Sub += " · " + r.Disclosure.Topology.Label
	}
	p.Outcome = outcome(r)
	for _, n := range r.Notes {
		if n.Kind == RFC2544 {
			p.Deviations = append(p.Deviations, n.Text)
		} else {
			p.Notes = append(p.Notes, n)
		}
	}
	for _, build := range []func(*Report) (section, error){
		throughputSection, lossSection, loadSection, burstSection, mrrSection, trialsSection,
	} {
		s, err := build(r)
		if err != nil {
			return nil, err
		}
		if s.ID != "" {
			p.Sections = append(p.Sections, s)
		}
	}
	return p, nil
}

// tookText returns how long a run took, in the two units that matter.
func tookText(d time.Duration) string {
	switch {
	case d >= time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	case d >= time.Minute:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return nsText(float64(d))
}

// outcome is empty if no pass criterion was given.
func outcome(r *Report) string {
	for _, t := range r.Trials {
		if len(t.Criteria) > 0 {
			return passedText(r.Passed)
		}
	}
	return ""
}

func throughputSection(r *Report) (section, error) {
	if len(r.Searches) == 0 {
		return section{}, nil
	}
	figures, err := throughputFigures(r.Searches)
	s := section{ID: "throughput", Title: "Throughput", Figures: figures, Tables: []table{goalTable(r.Searches)}}
	if m := r.Disclosure.Search; m != nil {
		s.Intro = "Loads are " + m.Scope + ". Conditional throughput is RFC 9971's: with short trials or an exceed " +
			"ratio above 0 it is not RFC 2544's throughput."
	}
	for _, t := range []table{repetitionTable(r.Searches), searchTrialsTable(r.Searches)} {
		if len(t.Rows) > 0 {
			s.Tables = append(s.Tables, t)
		}
	}
	return s, err
}

func lossSection(r *Report) (section, error) {
	if len(r.LossCurves) == 0 {
		return section{}, nil
	}
	f, err := lossFigure(r.LossCurves)
	return section{ID: "frame-loss", Title: "Frame loss", Figures: []figure{f}, Tables: []table{lossTable(r.LossCurves)}}, err
}

func loadSection(r *Report) (section, error) {
	if len(r.LatencyAtLoad) == 0 {
		return section{}, nil
	}
	f, err := loadFigure(r.LatencyAtLoad)
	if err != nil {
		return section{}, err
	}
	s := section{ID: "latency", Title: "Latency under load", Tables: []table{loadTable(r.LatencyAtLoad)}}
	s.Figures = append(s.Figures, f)
	for i, l := range r.LatencyAtLoad {
		var list []namedLatency
		for _, pt := range l.Points {
			if pt.Latency.Samples > 0 {
				list = append(list, namedLatency{loadName(pt), pt.Latency})
			}
		}
		if len(list) == 0 {
			continue
		}
		f, err := percentileFigure(fmt.Sprintf("latency-curve-%d", i+1), "Percentiles, "+l.Size.String(), list)
		if err != nil {
			return section{}, err
		}
		s.Figures = append(s.Figures, f)
	}
	return s, nil
}

func burstSection(r *Report) (section, error) {
	if len(r.BackToBack) == 0 {
		return section{}, nil
	}
	return section{ID: "back-to-back", Title: "Back-to-back frames", Tables: []table{backToBackTable(r.BackToBack)}}, nil
}

func mrrSection(r *Report) (section, error) {
	if len(r.MRR) == 0 {
		return section{}, nil
	}
	return section{ID: "mrr", Title: "Maximum receive rate", Tables: []table{mrrTable(r.MRR)}}, nil
}

func trialsSection(r *Report) (section, error) {
	if len(r.Trials) == 0 {
		return section{}, nil
	}
	s := section{ID: "trials", Title: "Trials"}
	for i, t := range r.Trials {
		part, err := trialSection(i, t)
		if err != nil {
			return section{}, err
		}
		s.Parts = append(s.Parts, part)
	}
	return s, nil
}

// trialSection lays out the i-th trial.
func trialSection(i int, t Trial) (section, error) {
	s := section{ID: trialID(i, "part"), Title: t.Name, Intro: trialIntro(t)}
	if s.Title == "" {
		s.Title = "Trial " + strconv.Itoa(i+1)
	}
	if len(t.Intervals) > 0 {
		f, err := rateFigure(trialID(i, "rate"), t)
		if err != nil {
			return section{}, err
		}
		s.Figures = append(s.Figures, f)
	}
	var list []namedLatency
	for _, stream := range t.Streams {
		if l := stream.Latency; l != nil && l.Samples > 0 {
			list = append(list, namedLatency{stream.Name, *l})
		}
	}
	if len(list) > 0 {
		f, err := percentileFigure(trialID(i, "latency"), "Latency percentiles", list)
		if err != nil {
			return section{}, err
		}
		s.Figures = append(s.Figures, f)
	}
	if hasLatency(t.Intervals) {
		f, err := latencyTimeFigure(trialID(i, "latency-time"), t)
		if err != nil {
			return section{}, err
		}
		s.Figures = append(s.Figures, f)
	}
	s.Tables = trialTables(t)
	return s, nil
}

// trialTables returns the tables that have rows.
func trialTables(t Trial) []table {
	list := []table{
		criteriaTable(t.Criteria), summaryTable(t), portsTable(t.Ports), streamsTable(t.Streams),
		streamLatencyTable(t.Streams), pollersTable(t.Pollers), intervalsTable(t.Intervals),
	}
	return slices.DeleteFunc(list, func(t table) bool { return len(t.Rows) == 0 })
}

func hasLatency(list []Interval) bool {
	for _, i := range list {
		if i.LatencyMax > 0 {
			return true
		}
	}
	return false
}

// trialIntro says in a sentence what came of a trial.
func trialIntro(t Trial) string {
	text := fmt.Sprintf("%s for %s (effective %s): %s sent, %s lost (%s)", t.Size, durationText(t.Duration),
		durationText(t.EffectiveDuration), countText(t.Sent), countText(t.Lost), ratioText(t.LossRatio))
	if t.Unsent > 0 {
		text += fmt.Sprintf(", of which %s were due and not sent", countText(t.Unsent))
	}
	if t.Quantum > 0 {
		text += fmt.Sprintf("; at most %d packets sent at once", t.Quantum)
	}
	return text + fmt.Sprintf("; garbage collections %d, longest pause %s.", t.GC.Cycles, nsText(float64(t.GC.PauseMax)))
}
