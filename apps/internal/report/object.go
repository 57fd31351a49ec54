package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/version"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// Object is what --json prints.
type Object struct {
	App      string  `json:"app"`
	Version  string  `json:"version"`
	Duration float64 `json:"duration_s"`
	// Period is for an object before the last one: the time since the object before it,
	// over which its rates are averages.
	Period float64      `json:"period_s,omitempty"`
	Ports  []PortObject `json:"ports"`
	Total  Totals       `json:"total"`
	Cycles *Cycles      `json:"core_cycles,omitempty"` // if they were recorded
	// Asleep is how long the pollers have slept together, if they are adaptive.
	Asleep *float64 `json:"asleep_s,omitempty"`
}

// Cycles says how many clock cycles a packet took, for a command that was asked to
// record them.
type Cycles struct {
	Mode      string  `json:"-"`           // in which the packets were counted
	Clock     string  `json:"clock"`       // that counted: TSC
	MHz       float64 `json:"clock_mhz"`   // its rate
	Busy      uint64  `json:"busy_cycles"` // spent in bursts
	Packets   uint64  `json:"packets"`
	PerPacket float64 `json:"cycles_per_packet"`
}

// Totals are the counters of a port, or of all. Rates are averages over the duration.
// What was to be sent by a port is TxPackets, TxDropped and TxErrors together.
type Totals struct {
	RxPackets  uint64 `json:"rx_packets"`
	RxBytes    uint64 `json:"rx_bytes"`
	TxPackets  uint64 `json:"tx_packets"`
	TxBytes    uint64 `json:"tx_bytes"`
	TxDropped  uint64 `json:"tx_dropped"`
	TxErrors   uint64 `json:"tx_errors"`
	RxErrors   uint64 `json:"rx_errors"`
	RxMissed   uint64 `json:"rx_missed"`
	RxFiltered uint64 `json:"rx_filtered"`
	RxNoMbuf   uint64 `json:"rx_nombuf"`
	RxPPS      uint64 `json:"rx_pps"`
	TxPPS      uint64 `json:"tx_pps"`
	Polls      uint64 `json:"polls"`
	EmptyPolls uint64 `json:"empty_polls"`
	Kicks      uint64 `json:"kicks"`
	// Suppressed are notifications that were not sent, because the device did not ask.
	Suppressed uint64 `json:"kicks_suppressed"`
	// Waits are sleeps of receivers, and Interrupts those of them that the device ended.
	Waits      uint64 `json:"waits"`
	Interrupts uint64 `json:"interrupts"`
	Resets     uint64 `json:"resets"`
	Faults     uint64 `json:"faults"` // reasons for resets, and for a failure
	// TxLost are those of TxPackets that the device had when it was reset, sent or not.
	TxLost      uint64 `json:"tx_lost"`
	Disconnects uint64 `json:"disconnects"`
	// Refusals are the times that a back end that connected again could not be set up.
	Refusals uint64 `json:"refusals"`
}

// PortObject is one port in an Object.
type PortObject struct {
	Port     string   `json:"port"`
	Path     string   `json:"path"`
	Features []string `json:"features"`
	Totals
	// Unsent says why packets were dropped or refused: the parts of TxDropped and
	// TxErrors.
	Unsent Unsent `json:"tx_unsent"`
	// Offloads are counters of what is done for packets, if there is something.
	Offloads Offloads `json:"offloads,omitzero"`
	// Queues is there if the port has more than one queue pair.
	Queues []QueueObject `json:"queues,omitempty"`
	// XStats are the extended statistics and Info the [driver.Info] of the port, if they were
	// asked for.
	XStats map[string]uint64 `json:"xstats,omitempty"`
	Info   any               `json:"info,omitempty"`
}

// QueueObject is one queue pair in a PortObject. What was to leave by it is TxPackets and
// TxDropped together. A device says for all queues together how many packets it has dropped:
// those are among TxPackets here.
type QueueObject struct {
	RxPackets  uint64 `json:"rx_packets"`
	RxBytes    uint64 `json:"rx_bytes"`
	RxErrors   uint64 `json:"rx_errors"`
	RxNoMbuf   uint64 `json:"rx_nombuf"`
	TxPackets  uint64 `json:"tx_packets"`
	TxBytes    uint64 `json:"tx_bytes"`
	TxDropped  uint64 `json:"tx_dropped"` // for any reason
	RingFull   uint64 `json:"tx_ring_full"`
	Kicks      uint64 `json:"kicks"`
	Suppressed uint64 `json:"kicks_suppressed"`
}

// Offloads says of how many packets work was left to the device, or was done for it.
type Offloads struct {
	RxChecksumGood      uint64 `json:"rx_checksum_good"`    // verified by the device
	RxChecksumPartial   uint64 `json:"rx_checksum_partial"` // to be completed
	RxLarge             uint64 `json:"rx_large"`            // would be several frames on a cable
	TxChecksums         uint64 `json:"tx_checksums"`        // completed by the device
	TxLarge             uint64 `json:"tx_large"`            // cut by the device
	TxSoftwareChecksums uint64 `json:"tx_software_checksums"`
	TxSoftwareLarge     uint64 `json:"tx_software_large"`
}

func offloads(n driver.Stats) Offloads {
	var o Offloads
	for _, q := range n.Queues {
		o.RxChecksumGood += q.Rx.ChecksumGood
		o.RxChecksumPartial += q.Rx.ChecksumPartial
		o.RxLarge += q.Rx.LargePackets
		o.TxChecksums += q.Tx.Checksums
		o.TxLarge += q.Tx.LargePackets
		o.TxSoftwareChecksums += q.Tx.SoftwareChecksums
		o.TxSoftwareLarge += q.Tx.SoftwareLarge
	}
	return o
}

func queues(n driver.Stats) []QueueObject {
	if len(n.Queues) < 2 {
		return nil
	}
	var list []QueueObject
	for _, q := range n.Queues {
		list = append(list, QueueObject{
			RxPackets: q.Rx.Packets, RxBytes: q.Rx.Bytes, RxErrors: q.Rx.Dropped, RxNoMbuf: q.Rx.NoMbuf,
			TxPackets: q.Tx.Packets, TxBytes: q.Tx.Bytes, TxDropped: q.Tx.Dropped, RingFull: q.Tx.Full,
			Kicks: q.Rx.Kicks + q.Tx.Kicks, Suppressed: q.Rx.Suppressed + q.Tx.Suppressed,
		})
	}
	return list
}

// object returns counters, for packets that flowed for elapsed.
func (r *Report) object(elapsed time.Duration, all []counts) Object {
	o := Object{
		App: r.App, Version: version.String(), Ports: []PortObject{}, Cycles: r.Cycles,
		Duration: inSeconds(elapsed),
	}
	for i, p := range r.Ports {
		o.Ports = append(o.Ports, PortObject{
			Port: p.Name, Path: p.Path, Features: append([]string{}, p.Features...),
			Totals: all[i].totals(elapsed), Unsent: all[i].unsent(), Queues: queues(all[i].Stats),
			Offloads: offloads(all[i].Stats),
		})
	}
	o.Total = sum(all).totals(elapsed)
	if r.Asleep != nil {
		asleep := inSeconds(r.Asleep())
		o.Asleep = &asleep
	}
	return o
}

// inSeconds returns a time in seconds, to the millisecond.
func inSeconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

func (n counts) totals(elapsed time.Duration) Totals {
	return Totals{
		RxPackets: n.RxPackets, RxBytes: n.RxBytes, TxPackets: n.TxPackets, TxBytes: n.TxBytes,
		TxDropped: n.TxDropped, TxErrors: n.TxErrors, RxErrors: n.RxErrors, RxMissed: n.RxMissed, RxFiltered: n.RxFiltered,
		RxNoMbuf: n.RxNoMbuf, TxLost: n.TxLost, Disconnects: n.Disconnects, Refusals: n.Refusals,
		RxPPS: perSecond(n.RxPackets, elapsed), TxPPS: perSecond(n.TxPackets, elapsed),
		Polls: n.Polls, EmptyPolls: n.EmptyPolls, Kicks: n.Kicks, Resets: n.Resets,
		Waits: n.Waits, Interrupts: n.Interrupts, Suppressed: n.Suppressed, Faults: n.Faults.Total(),
	}
}

// writeJSON writes the object on one line.
func (o Object) writeJSON(w io.Writer) error {
	return json.NewEncoder(w).Encode(o)
}
