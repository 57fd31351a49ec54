package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/portset"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/meter"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// disclose fills in what must stand beside the figures, as far as it is known when the
// ports are open.
func (m *measurement) disclose(set *portset.Set) {
	d := &m.report.Disclosure
	d.Host = result.CollectHost("/")
	d.Topology = m.plan.topology()
	m.report.Title = m.plan.title()
	for i, p := range set.Ports {
		d.Devices = append(d.Devices, m.plan.device(i, p, set))
	}
	if m.plan.latencyMeasured() {
		d.Latency.Transmit = "when a packet is found due, before it is written to the transmit queue"
		d.Latency.Receive = "when a burst has been taken from the receive queue"
		d.Latency.Clock = "CLOCK_MONOTONIC of this host, for both"
		d.Latency.ProbePPS, d.Latency.Digits = m.plan.traffic.latency, 3
		d.Latency.Jitter = meter.JitterMethod
	}
	if m.plan.search.wanted() {
		d.Search = m.plan.searchMethod()
	}
	if s := m.plan.traffic.scenario; s != nil {
		if text, err := os.ReadFile(m.plan.traffic.file); err == nil {
			d.Traffic.Scenario = string(text)
			m.report.Identity.SetScenario(m.plan.traffic.file, text)
		}
	}
	d.Traffic.LineRate = int64(m.plan.lineRate)
}

// title is what the report is about.
func (p *plan) title() string {
	what := "Trial"
	switch {
	case len(p.search.goals()) > 0:
		what = "Throughput"
	case p.search.curve:
		what = "Frame loss"
	case p.search.bursts > 0:
		what = "Back-to-back frames"
	case len(p.search.presets) > 0:
		what = "Receive rate"
	}
	if p.dut != "" {
		return what + " of " + p.dut
	}
	texts := make([]string, len(p.specs))
	for i, s := range p.specs {
		texts[i] = s.Text
	}
	return what + " with " + strings.Join(texts, " ")
}

// topology says what is between the ports, as far as their names tell.
func (p *plan) topology() result.Topology {
	t := result.Topology{Label: p.label, Description: fmt.Sprintf("%d ports", len(p.specs)), DUT: p.dut,
		Bidirectional: !p.oneWay && len(p.specs) > 1}
	if t.Label != "" {
		return t
	}
	t.Label = result.Unknown
	cables := true
	for _, s := range p.specs {
		cables = cables && s.Kind == devargs.Emu && s.Backend == "cable"
	}
	switch {
	case cables:
		t.Label = "cable"
	case len(p.specs) == 1:
		t.Label = "loopback"
	}
	return t
}

// device describes a port.
func (p *plan) device(i int, port *driver.Port, set *portset.Set) result.Device {
	spec, f := p.specs[i], port.Features()
	d := result.Device{
		Port: spec.Text, Name: fmt.Sprintf("port %d", i), Backend: spec.Device(), Mode: mode(spec), Emulated: spec.Kind == devargs.Emu,
		FeatureMask: mask(f), Features: f.Names(), Ring: "split", QueuePairs: port.Queues(),
		RxQueueSize: spec.RxRing(), TxQueueSize: spec.TxRing(), Mergeable: f.Has(virtio.NetMrgRxbuf),
		InOrder: f.Has(virtio.InOrder), Indirect: f.Has(virtio.RingIndirectDesc), EventIdx: f.Has(virtio.RingEventIdx),
		Path: port.Path().String(), MTU: port.MTU(), MAC: port.MAC().String(), LinkSpeed: int64(port.Link().Speed) * 1e6,
		NUMANode: -1, MemoryNode: -1, PollerCPUs: cpuList(p.options.CPUs), Burst: p.options.Burst,
		PageSize: int64(set.PageSize()),
	}
	if f.Has(virtio.RingPacked) {
		d.Ring = "packed"
	}
	if spec.Kind == devargs.PCI {
		d.Address, d.NUMANode = spec.Address.String(), spec.Node("/")
		d.MemoryNode = d.NUMANode
	}
	return d
}

// mode says how a port reaches its device.
func mode(spec devargs.Spec) string {
	switch {
	case spec.Kind == devargs.Emu:
		return "emulated"
	case spec.Kind == devargs.VhostUser:
		return "vhost-user"
	case spec.NoIOMMU:
		return "vfio no-iommu"
	}
	return "vfio type1"
}

func cpuList(cpus []int) string {
	if len(cpus) == 0 {
		return "any"
	}
	words := make([]string, len(cpus))
	for i, cpu := range cpus {
		words[i] = strconv.Itoa(cpu)
	}
	return strings.Join(words, ",")
}

// searchMethod says how searches are done.
func (p *plan) searchMethod() *result.SearchMethod {
	senders := len(p.specs)
	if p.oneWay {
		senders = (senders + 1) / 2
	}
	m := &result.SearchMethod{
		Repetitions: p.search.repeat, ScopeFactor: float64(senders), WidthOf: "the load of the upper bound",
		Scope:             fmt.Sprintf("aggregate of %d interfaces, which have the same load", senders),
		EffectiveDuration: "that which was asked for", WaitBefore: int64(p.search.waits.Learning),
		WaitAfter: int64(p.search.waits.Residual), Settle: int64(p.search.waits.Settle), Learning: p.search.waits.Learning > 0,
	}
	var names []string
	for _, preset := range p.search.presets {
		names = append(names, preset.Name)
		m.Deviations = append(m.Deviations, preset.Deviations()...)
		for _, g := range preset.Goals {
			m.Goals = append(m.Goals, result.NewGoal(g))
		}
	}
	m.Preset = strings.Join(names, ", ")
	return m
}

// discloseTraffic describes the streams that are sent with a size.
func (m *measurement) discloseTraffic(streams []*traffic.Stream, size result.Size) {
	t := &m.report.Disclosure.Traffic
	for _, s := range streams {
		d := result.TrafficStream{
			Name: s.Name, TxPort: m.rig.name(s.Port), Packet: packet(s), Size: size, Fields: fields(s), Rate: s.Rate,
			Pattern: s.Pattern.Kind, Latency: s.Latency, Tracked: s.Replay == nil && s.Track != traffic.TrackOff,
		}
		if d.Rate == "" {
			d.Rate = m.plan.rate.String()
		}
		if m.plan.search.wanted() && !s.Latency {
			d.Rate = "that of the trial"
		}
		if m.plan.traffic.scenario == nil {
			d.Flows = int64(m.plan.traffic.flows)
		} else if s.Replay == nil {
			d.Size = result.Size{Name: s.Size.String(), Mean: mean(s.Size.Lens), Min: slices.Min(s.Size.Lens), Max: slices.Max(s.Size.Lens)}
		}
		t.Streams = append(t.Streams, d)
	}
}

// packet names the headers of a stream.
func packet(s *traffic.Stream) string {
	if s.Replay != nil {
		return "capture " + s.Replay.File
	}
	var kinds []string
	for _, l := range s.Packet {
		kinds = append(kinds, l.Kind())
	}
	return strings.Join(kinds, "/")
}

// fields says what varies in the packets of a stream.
func fields(s *traffic.Stream) string {
	var words []string
	for _, f := range s.Fields {
		words = append(words, f.Name+" "+f.Op.String())
	}
	return strings.Join(words, ", ")
}

func mean(lens []int) float64 {
	sum := 0
	for _, n := range lens {
		sum += n
	}
	return float64(sum) / float64(len(lens))
}

// mask returns the feature bits as one number.
func mask(f virtio.Features) string {
	digits := ""
	for i := len(f) - 1; i >= 0; i-- {
		digits += fmt.Sprintf("%016x", f[i])
	}
	digits = strings.TrimLeft(digits, "0")
	return "0x" + cmp.Or(digits, "0")
}
