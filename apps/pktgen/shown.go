package main

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
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
	rates := b.Rates()
	for i, s := range b.Streams() {
		rows = append(rows, report.StreamRow{
			Name: s.Name, Route: number(s.TxPort) + " -> " + number(s.RxPort), Rate: shownRate(rates[i]),
			TxPackets: s.TxPackets, TxBytes: s.TxBytes, Tracked: s.Tracked, RxPackets: s.RxPackets, RxBytes: s.RxBytes,
			Lost: s.Lost, Reordered: s.Reordered, Duplicates: s.Duplicates,
			Corrupt: s.Corrupt.Checksum + s.Corrupt.Length + s.Corrupt.Payload,
		})
	}
	return rows
}

// number returns the number of a port by its name.
func number(name string) string { return strings.TrimPrefix(name, portName) }

// shownRate returns packets a second as the screen has room for it.
func shownRate(pps float64) string {
	switch {
	case math.IsInf(pps, 1):
		return pace.Rate{Unit: pace.Max}.String()
	case pps <= 0:
		return pace.Rate{Unit: pace.PPS}.String()
	}
	digits := math.Pow(10, math.Floor(math.Log10(pps))-3)
	return pace.Rate{Value: math.Round(pps/digits) * digits, Unit: pace.PPS}.String()
}

// latencies returns the streams whose latency is measured.
func (m *measurement) latencies() []report.Latency {
	b, _ := m.rig.current()
	if b == nil {
		return nil
	}
	var list []report.Latency
	for _, l := range b.Latencies() {
		list = append(list, shownLatency(l.Stream, l.Latency))
	}
	return list
}

func shownLatency(name string, l *meter.Latency) report.Latency {
	part := func(p float64) time.Duration { return time.Duration(l.Percentile(p)) }
	shown := report.Latency{
		Name: name, Packets: l.Samples(), Min: time.Duration(l.Min()), P50: part(50), P90: part(90), P99: part(99),
		P999: part(99.9), P9999: part(99.99), Max: time.Duration(l.Max()), Mean: time.Duration(l.Mean()),
		StdDev: time.Duration(l.StdDev()), Jitter: time.Duration(l.Jitter()),
	}
	for _, b := range l.Histogram().Distribution() {
		if b.Count > 0 {
			shown.Buckets = append(shown.Buckets, report.Bucket{
				From: time.Duration(b.From), To: time.Duration(b.To), Packets: uint64(b.Count)})
		}
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
