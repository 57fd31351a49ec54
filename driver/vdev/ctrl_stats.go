package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

var deviceStats = []virtio.Feature{virtio.NetDeviceStats}

// statsCommands are those of device statistics (5.1.9.5, Device Statistics).
var statsCommands = []ctrlCommand{
	{virtio.CtrlStats, virtio.CtrlStatsQuery, "STATS_QUERY", deviceStats, ruleFeature, 0, (*Device).queryStats},
	{virtio.CtrlStats, virtio.CtrlStatsGet, "STATS_GET", deviceStats, ruleFeature, -1, (*Device).getStats},
}

// Sets of the types of statistics, by kinds of virtqueues.
const (
	rxStats   = 1<<virtio.StatsRxBasic | 1<<virtio.StatsRxCsum | 1<<virtio.StatsRxGSO
	txStats   = 1<<virtio.StatsTxBasic | 1<<virtio.StatsTxCsum | 1<<virtio.StatsTxGSO
	ctrlStats = 1 << virtio.StatsCtrl
)

// statsFeatures are those of which one has to be negotiated for a type.
var statsFeatures = map[int]virtio.Features{
	virtio.StatsRxCsum: virtio.FeatureSet(virtio.NetGuestCSUM),
	virtio.StatsRxGSO:  virtio.FeatureSet(virtio.NetGuestTSO4, virtio.NetGuestTSO6),
	virtio.StatsTxCsum: virtio.FeatureSet(virtio.NetCSUM),
	virtio.StatsTxGSO:  virtio.FeatureSet(virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostUSO),
}

const (
	statsRequest = 16 // bytes that ask for the statistics of a queue
	statsHeader  = 8  // bytes before a statistic
	maxStats     = 64 << 10
)

// queueCounts are what the statistics of a receiveq or a transmitq need besides QueueStats.
type queueCounts struct {
	packets, bytes uint64 // received or transmitted, without headers
	drops          uint64
	// overruns are the drops for want of buffers of a receiveq, and those because of what
	// the driver made of the packet of a transmitq.
	overruns uint64
}

// queryStats is STATS_QUERY: the types that the device has.
func (d *Device) queryStats(q *queue, _ []byte) bool {
	if room := d.resultRoom(); room < 8 {
		d.violate("x/net/ctrl-result", q.index, "STATS_QUERY with %d bytes for its result of 8", room)
		return false
	}
	d.ctrl.queried = true
	d.ctrl.result = binary.LittleEndian.AppendUint64(d.ctrl.result, rxStats|txStats|ctrlStats)
	return true
}

// getStats is STATS_GET: for each queue le16 virtqueue, 6 reserved bytes, and a le64 of
// types. One mistake is an error for all of it.
func (d *Device) getStats(q *queue, data []byte) bool {
	if len(data) == 0 || len(data)%statsRequest != 0 {
		d.violate(ruleLength, q.index, "STATS_GET with %d bytes of data, which is no multiple of %d", len(data), statsRequest)
		return false
	}
	if !d.ctrl.queried {
		d.violate("net/stats/1", q.index, "STATS_GET before STATS_QUERY")
	}
	for ; len(data) > 0; data = data[statsRequest:] {
		i, types := int(binary.LittleEndian.Uint16(data)), binary.LittleEndian.Uint64(data[8:])
		if !d.appendStats(q, i, types) {
			return false
		}
	}
	if room := d.resultRoom(); room < len(d.ctrl.result) {
		d.violate("net/stats/3", q.index, "STATS_GET with %d bytes for a result of %d", room, len(d.ctrl.result))
	}
	return true
}

// appendStats appends the statistics of virtqueue i.
func (d *Device) appendStats(q *queue, i int, types uint64) bool {
	if have := d.statsOf(q, i); types == 0 || types&^have != 0 {
		d.violate("net/stats/2", q.index, "STATS_GET of virtqueue %d with types %#x, it has %#x", i, types, have)
		return false
	}
	of := d.queues[i]
	c, o := &of.counts, &of.offloads
	for kind := range 64 {
		if types>>kind&1 == 0 {
			continue
		}
		switch kind {
		case virtio.StatsCtrl:
			// This command counts, as one that succeeds: it does if its answer is seen.
			d.appendStat(kind, i, d.ctrl.stats.received, d.ctrl.stats.ok+1)
		case virtio.StatsRxBasic, virtio.StatsTxBasic:
			d.appendStat(kind, i, of.doorbells.Load(), c.packets, c.bytes, of.stats.Interrupts, c.drops, c.overruns)
		case virtio.StatsRxCsum:
			d.appendStat(kind, i, o.valid, o.partial, o.none, o.wrong)
		case virtio.StatsRxGSO: // none of them are merged here
			d.appendStat(kind, i, o.large.packets, o.large.bytes, 0, 0)
		case virtio.StatsTxCsum:
			d.appendStat(kind, i, o.none, o.partial)
		case virtio.StatsTxGSO:
			d.appendStat(kind, i, o.large.packets, o.large.bytes, o.cut.packets, o.cut.bytes, o.passed.packets, o.passed.bytes)
		}
	}
	return len(d.ctrl.result) <= maxStats
}

// statsOf returns the types of statistics that virtqueue i has with what was negotiated.
func (d *Device) statsOf(q *queue, i int) (types uint64) {
	switch {
	case i == q.index:
		return ctrlStats
	case i > q.index || d.queue(i) == nil:
		return 0
	case i%2 == 0:
		types = rxStats
	default:
		types = txStats
	}
	for kind, features := range statsFeatures {
		if d.accepted.And(features).Empty() {
			types &^= 1 << kind
		}
	}
	return types
}

// appendStat appends a statistic: u8 type, a reserved byte, le16 virtqueue, 2 reserved
// bytes, le16 size with these, and the counters.
func (d *Device) appendStat(kind, i int, counters ...uint64) {
	b := append(d.ctrl.result, byte(kind), 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(i))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(statsHeader+8*len(counters)))
	for _, c := range counters {
		b = binary.LittleEndian.AppendUint64(b, c)
	}
	d.ctrl.result = b
}
