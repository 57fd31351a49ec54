package report

import (
	"fmt"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// history is how many past rates the chart of a port shows.
const history = 24

// sampler takes the counters of a report again and again. It belongs to one goroutine.
type sampler struct {
	report   *Report
	last     []counts
	streams  []StreamRow // the last
	lastTime time.Time
	past     [][]uint64 // per port, packets a second both ways
}

// sample is what a screen shows: counters as they are at a moment, and rates since the
// sample before.
type sample struct {
	at      string // for how long packets have flowed
	elapsed string // ... and will
	pollers string // how busy they are
	ports   []portSample
	total   portSample

	sending   *Sending
	streams   []streamSample
	latencies []Latency
	progress  *Progress
}

// portSample is one port in a sample, or all of them.
type portSample struct {
	counts
	name, about                string // "port 0", and what there is to say about it
	rxPPS, rxBPS, txPPS, txBPS uint64
	past                       []uint64
	queues                     []queueSample // where there are several
}

// queueSample is a queue pair in a sample.
type queueSample struct {
	driver.QueueStats
	rxPPS, txPPS uint64
}

// streamSample is a stream in a sample.
type streamSample struct {
	StreamRow
	txPPS, txBPS, rxPPS, rxBPS uint64
}

func newSampler(r *Report) *sampler {
	return &sampler{report: r, last: r.sample(), lastTime: r.Start, past: make([][]uint64, len(r.Ports))}
}

// take returns a sample of the moment.
func (s *sampler) take(now time.Time) sample {
	since := now.Sub(s.lastTime)
	all := s.report.sample()
	v := sample{at: seconds(now.Sub(s.report.Start)), elapsed: s.elapsed(now), total: rates(sum(all), sum(s.last), since)}
	if s.report.Pollers != nil {
		v.pollers = clean(s.report.Pollers())
	}
	v.total.name = fmt.Sprintf("all %d ports", len(all))
	for i := range s.report.Ports {
		p := rates(all[i], s.last[i], since)
		p.name, p.about = s.report.Ports[i].words()
		s.past[i] = append(s.past[i], p.rxPPS+p.txPPS)
		s.past[i] = s.past[i][max(len(s.past[i])-history, 0):]
		p.past = append(p.past, s.past[i]...)
		p.queues = queueRates(all[i].Queues, s.last[i].Queues, since)
		v.ports = append(v.ports, p)
	}
	s.takeTraffic(&v, since)
	s.last, s.lastTime = all, now
	return v
}

// takeTraffic adds what is known of the traffic to a sample.
func (s *sampler) takeTraffic(v *sample, since time.Duration) {
	t := &s.report.Traffic
	if t.Sending != nil {
		now := t.Sending()
		v.sending = &now
	}
	if t.Streams != nil {
		rows := t.Streams()
		v.streams = streamRates(rows, s.streams, since)
		s.streams = rows
	}
	if t.Latencies != nil {
		v.latencies = append([]Latency{}, t.Latencies()...)
	}
	v.progress = s.progress()
}

// progress returns how far the trials are, nil if there are none.
func (s *sampler) progress() *Progress {
	if s.report.Traffic.Progress == nil {
		return nil
	}
	now := s.report.Traffic.Progress()
	return &now
}

// queueRates returns the queue pairs of a port, or nil if it has one.
func queueRates(now, last []driver.QueueStats, since time.Duration) []queueSample {
	if len(now) < 2 {
		return nil
	}
	list := make([]queueSample, len(now))
	for i, q := range now {
		var before driver.QueueStats
		if i < len(last) {
			before = last[i]
		}
		list[i] = queueSample{QueueStats: q,
			rxPPS: perSecond(gained(q.Rx.Packets, before.Rx.Packets), since),
			txPPS: perSecond(gained(q.Tx.Packets, before.Tx.Packets), since)}
	}
	return list
}

func streamRates(now, last []StreamRow, since time.Duration) []streamSample {
	list := make([]streamSample, len(now))
	for i, r := range now {
		var before StreamRow
		if i < len(last) {
			before = last[i]
		}
		list[i] = streamSample{StreamRow: r,
			txPPS: perSecond(gained(r.TxPackets, before.TxPackets), since),
			txBPS: perSecond(8*gained(r.TxBytes, before.TxBytes), since),
			rxPPS: perSecond(gained(r.RxPackets, before.RxPackets), since),
			rxBPS: perSecond(8*gained(r.RxBytes, before.RxBytes), since)}
	}
	return list
}

func rates(n, last counts, since time.Duration) portSample {
	return portSample{
		counts: n,
		rxPPS:  perSecond(gained(n.RxPackets, last.RxPackets), since),
		rxBPS:  perSecond(8*gained(n.RxBytes, last.RxBytes), since),
		txPPS:  perSecond(gained(n.TxPackets, last.TxPackets), since),
		txBPS:  perSecond(8*gained(n.TxBytes, last.TxBytes), since),
	}
}

// gained returns by how much a counter has grown. One of what was sent shrinks if the
// device reports later that it has dropped what it took, and all do when a trial begins.
func gained(n, last uint64) uint64 {
	if n < last {
		return 0
	}
	return n - last
}

// title returns the first line of what is shown of a port.
func (p *portSample) title() string {
	if p.about == "" {
		return p.name
	}
	return p.name + gap + p.about
}

// words returns which port it is, and what is done with its packets and how its link is.
func (p *Port) words() (name, about string) {
	return fmt.Sprintf("port %d", p.Number), fmt.Sprintf("%s %s  %s", p.Name, p.Role, p.State())
}

// elapsed says for how long packets have flowed, and will.
func (s *sampler) elapsed(now time.Time) string {
	text := seconds(now.Sub(s.report.Start))
	if s.report.Planned > 0 {
		text += " of " + seconds(s.report.Planned)
	}
	return text
}

// head returns what the first line says beside the name of the command.
func (v *sample) head() string {
	text := gap + v.elapsed
	if v.sending != nil {
		text += gap + v.sending.words()
	}
	if v.progress != nil {
		text += gap + v.progress.words()
	}
	if v.pollers != "" {
		text += gap + v.pollers
	}
	return text
}

// words says what is sent.
func (s Sending) words() string {
	if !s.On {
		return "stopped"
	}
	return "sending " + clean(s.Rate)
}
