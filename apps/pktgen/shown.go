package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// rateStep is by how much a key changes the rate.
const rateStep = 1.1

// shown is what the screen shows of a measurement, and what its keys do.
func (m *measurement) shown() report.Traffic {
	if m.plan.search.wanted() {
		return report.Traffic{Streams: m.rows, Progress: m.progress.shown}
	}
	return report.Traffic{
		Streams: m.rows, Latencies: m.latencies, Sending: m.sending,
		Actions: report.Actions{Start: m.live.Start, Stop: m.live.Stop, Step: m.step, SetRate: m.setRate,
			RateHint: "of each port, like 1Mpps or 10Gbps"},
	}
}

// rows returns the streams of the trial.
func (m *measurement) rows() []report.StreamRow {
	b, _ := m.rig.current()
	if b == nil {
		return nil
	}
	var rows []report.StreamRow
	for _, s := range b.Streams() {
		rows = append(rows, report.StreamRow{
			Name: s.Name, Route: s.TxPort + " -> " + s.RxPort,
			TxPackets: s.TxPackets, TxBytes: s.TxBytes, Tracked: s.Tracked, RxPackets: s.RxPackets, RxBytes: s.RxBytes,
			Lost: s.Lost, Reordered: s.Reordered, Duplicates: s.Duplicates,
			Corrupt: s.Corrupt.Checksum + s.Corrupt.Length + s.Corrupt.Payload,
		})
	}
	return rows
}

// latencies returns the streams whose latency is measured.
func (m *measurement) latencies() []report.Latency {
	b, _ := m.rig.current()
	if b == nil {
		return nil
	}
	var list []report.Latency
	for _, s := range b.Streams() {
		if s.Latency != nil {
			list = append(list, shownLatency(s.Name, s.Latency))
		}
	}
	return list
}

func shownLatency(name string, l *result.Latency) report.Latency {
	ns := func(v int64) time.Duration { return time.Duration(v) }
	shown := report.Latency{
		Name: name, Packets: l.Samples, Min: ns(l.Min), P50: ns(l.P50), P90: ns(l.P90), P99: ns(l.P99),
		P999: ns(l.P999), P9999: ns(l.P9999), Max: ns(l.Max), Mean: time.Duration(l.Mean),
		StdDev: time.Duration(l.StdDev), Jitter: time.Duration(l.Jitter),
	}
	last, below := l.Min, 0.0
	for _, q := range l.Curve {
		n := uint64(math.Round((q.Percentile - below) / 100 * float64(l.Samples)))
		if n > 0 {
			shown.Buckets = append(shown.Buckets, report.Bucket{From: ns(last), To: ns(q.Value), Packets: n})
		}
		last, below = q.Value, q.Percentile
	}
	return shown
}

func (m *measurement) sending() report.Sending {
	return report.Sending{On: m.live.sending(), Rate: m.plan.rate.Scale(m.live.scale()).String()}
}

// step changes the rate by n steps.
func (m *measurement) step(n int) error {
	return m.scale(m.live.scale() * math.Pow(rateStep, float64(n)))
}

// setRate sets the rate of each port, as --rate does.
func (m *measurement) setRate(text string) error {
	rate, err := pace.ParseRate(text)
	if err != nil {
		return err
	}
	now, err := m.plan.rate.PPS(m.meanLen(), m.plan.lineRate)
	if err != nil {
		return err
	}
	pps, err := rate.PPS(m.meanLen(), m.plan.lineRate)
	if err != nil {
		return err
	}
	if math.IsInf(pps, 1) {
		return errors.New("max: the rate is max only from the start; use --rate max")
	}
	return m.scale(pps / now)
}

// meanLen returns the mean length of the first stream's packets.
func (m *measurement) meanLen() float64 {
	b, _ := m.rig.current()
	if b == nil {
		return 0
	}
	return b.MeanLen(0)
}

// scale changes the rates of all streams but those whose latency is measured.
func (m *measurement) scale(factor float64) error {
	b, _ := m.rig.current()
	if b == nil {
		return errors.New("nothing is sent yet")
	}
	if !b.Bounded() {
		return fmt.Errorf("rate %s cannot be changed; start with another --rate", m.plan.rate)
	}
	return m.live.setScale(factor, b.SetScale)
}
