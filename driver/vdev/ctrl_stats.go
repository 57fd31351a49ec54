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

// Numbers of the types of statistics. The bits of a bitmap have the same ones.
const (
	statsRxBasic = 0
	statsTxBasic = 16
	statsCtrl    = 32
)

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
	d.ctrl.result = binary.LittleEndian.AppendUint64(d.ctrl.result, 1<<statsRxBasic|1<<statsTxBasic|1<<statsCtrl)
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
	have := uint64(0)
	switch {
	case i == q.index:
		have = 1 << statsCtrl
	case i < virtio.CtrlQueueIndex(d.accepted, d.cfg.Pairs) && d.queue(i) != nil:
		have = 1 << (16 * (i % 2)) // RX_BASIC or TX_BASIC
	}
	if types == 0 || types&^have != 0 {
		d.violate("net/stats/2", q.index, "STATS_GET of virtqueue %d with types %#x, it has %#x", i, types, have)
		return false
	}
	of := d.queues[i]
	c := &of.counts
	switch have {
	case 1 << statsCtrl:
		// This command counts, as one that succeeds: it does if its answer is seen.
		d.appendStat(statsCtrl, i, d.ctrl.stats.received, d.ctrl.stats.ok+1)
	case 1 << statsRxBasic:
		d.appendStat(statsRxBasic, i, of.doorbells.Load(), c.packets, c.bytes, of.stats.Interrupts, c.drops, c.overruns)
	case 1 << statsTxBasic:
		d.appendStat(statsTxBasic, i, of.doorbells.Load(), c.packets, c.bytes, of.stats.Interrupts, c.drops, c.overruns)
	}
	return len(d.ctrl.result) <= maxStats
}

// appendStat appends a statistic: u8 type, a reserved byte, le16 virtqueue, 2 reserved
// bytes, le16 size with these, and the counters.
func (d *Device) appendStat(kind byte, i int, counters ...uint64) {
	b := append(d.ctrl.result, kind, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(i))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(statsHeader+8*len(counters)))
	for _, c := range counters {
		b = binary.LittleEndian.AppendUint64(b, c)
	}
	d.ctrl.result = b
}
