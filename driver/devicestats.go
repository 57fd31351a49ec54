package driver

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// DeviceCounter is what a device counted itself on one of its virtqueues (5.1.9.5, Device
// Statistics).
type DeviceCounter struct {
	Virtqueue int    // its number: 2i receives and 2i+1 transmits for pair i
	Name      string // as in the specification: "rx_packets", "tx_drop_malformed", …
	Value     uint64 // it wraps around
}

// recordType is one type of statistics.
type recordType struct {
	bit   int
	needs virtio.Features // any of them; empty for none
	names []string        // of the counters, in their order
}

var (
	rxRecords = []recordType{
		{bit: virtio.StatsRxBasic, names: []string{"rx_notifications", "rx_packets", "rx_bytes",
			"rx_interrupts", "rx_drops", "rx_drop_overruns"}},
		{bit: virtio.StatsRxCsum, needs: virtio.FeatureSet(virtio.NetGuestCSUM),
			names: []string{"rx_csum_valid", "rx_needs_csum", "rx_csum_none", "rx_csum_bad"}},
		{bit: virtio.StatsRxGSO, needs: virtio.FeatureSet(virtio.NetGuestTSO4, virtio.NetGuestTSO6),
			names: []string{"rx_gso_packets", "rx_gso_bytes", "rx_gso_packets_coalesced",
				"rx_gso_bytes_coalesced"}},
		{bit: virtio.StatsRxSpeed, needs: virtio.FeatureSet(virtio.NetSpeedDuplex),
			names: []string{"rx_packets_allowance_exceeded", "rx_bytes_allowance_exceeded"}},
	}
	txRecords = []recordType{
		{bit: virtio.StatsTxBasic, names: []string{"tx_notifications", "tx_packets", "tx_bytes",
			"tx_interrupts", "tx_drops", "tx_drop_malformed"}},
		{bit: virtio.StatsTxCsum, needs: virtio.FeatureSet(virtio.NetCSUM),
			names: []string{"tx_csum_none", "tx_needs_csum"}},
		{bit: virtio.StatsTxGSO,
			needs: virtio.FeatureSet(virtio.NetHostTSO4, virtio.NetHostTSO6, virtio.NetHostUSO),
			names: []string{"tx_gso_packets", "tx_gso_bytes", "tx_gso_segments",
				"tx_gso_segments_bytes", "tx_gso_packets_noseg", "tx_gso_bytes_noseg"}},
		{bit: virtio.StatsTxSpeed, needs: virtio.FeatureSet(virtio.NetSpeedDuplex),
			names: []string{"tx_packets_allowance_exceeded", "tx_bytes_allowance_exceeded"}},
	}
	ctrlRecords = []recordType{
		{bit: virtio.StatsCtrl, names: []string{"command_num", "ok_num"}},
	}
)

const counterBytes = 8

// available returns those types that the device has and that may be asked for.
func available(types []recordType, has uint64, f virtio.Features) []recordType {
	var list []recordType
	for _, t := range types {
		if has>>t.bit&1 != 0 && (t.needs.Empty() || !t.needs.And(f).Empty()) {
			list = append(list, t)
		}
	}
	return list
}

// DeviceStats returns what the device counted since it was made or reset, for each
// virtqueue in use and the control queue last: the types of statistics that it has and
// whose features were negotiated. It needs DEVICE_STATS. Errors are those of
// [Port.SetPromiscuous].
func (p *Port) DeviceStats(ctx context.Context) ([]DeviceCounter, error) {
	var counters []DeviceCounter
	err := p.device.configure(ctx, "device statistics", func(c *commander) error {
		if err := c.require(virtio.FeatureSet(virtio.NetDeviceStats)); err != nil {
			return err
		}
		has, err := c.queryStats()
		if err != nil {
			return err
		}
		for i := range p.device.rx {
			for _, q := range []struct {
				virtqueue int
				types     []recordType
			}{{virtio.RxQueueIndex(i), rxRecords}, {virtio.TxQueueIndex(i), txRecords}} {
				if counters, err = c.getStats(counters, q.virtqueue, available(q.types, has, c.n.features)); err != nil {
					return err
				}
			}
		}
		counters, err = c.getStats(counters, p.device.ctrl.Index(), available(ctrlRecords, has, c.n.features))
		return err
	})
	if err != nil {
		return nil, err
	}
	return counters, nil
}

// queryStats asks the device which types of statistics it has.
func (c *commander) queryStats() (uint64, error) {
	var answer [8]byte
	n, err := c.send(virtio.CtrlStats, virtio.CtrlStatsQuery, nil, answer[:])
	if err != nil {
		return 0, err
	}
	if n < len(answer) {
		return 0, c.badStats("bytes of answer", n, "the types of statistics take 8")
	}
	return binary.LittleEndian.Uint64(answer[:]), nil
}

// getStats appends the counters of some types of a virtqueue to list.
func (c *commander) getStats(list []DeviceCounter, virtqueue int, types []recordType) ([]DeviceCounter, error) {
	if len(types) == 0 {
		return list, nil
	}
	var set uint64
	room := 0
	for _, t := range types {
		set |= 1 << t.bit
		room += virtio.StatsHeaderLen + counterBytes*len(t.names)
	}
	// A device of a later specification may answer with more counters of a type.
	answer := make([]byte, 2*room)
	data := binary.LittleEndian.AppendUint64(nil, uint64(uint16(virtqueue)))
	data = binary.LittleEndian.AppendUint64(data, set)
	n, err := c.send(virtio.CtrlStats, virtio.CtrlStatsGet, data, answer)
	if err != nil {
		return list, err
	}
	records, err := c.splitRecords(answer[:n], virtqueue)
	if err != nil {
		return list, err
	}
	for _, t := range types {
		counters, ok := records[t.bit]
		if !ok {
			return list, c.badStats("type", t.bit, "asked for and not in the answer")
		}
		for i, name := range t.names {
			if len(counters) < counterBytes*(i+1) {
				return list, c.badStats("type", t.bit, fmt.Sprintf("its record ends before %s", name))
			}
			list = append(list, DeviceCounter{Virtqueue: virtqueue, Name: name,
				Value: binary.LittleEndian.Uint64(counters[counterBytes*i:])})
		}
	}
	return list, nil
}

// splitRecords returns the counters of each record of an answer by its type.
func (c *commander) splitRecords(answer []byte, virtqueue int) (map[int][]byte, error) {
	records := make(map[int][]byte)
	for len(answer) >= virtio.StatsHeaderLen {
		queue := int(binary.LittleEndian.Uint16(answer[2:]))
		size := int(binary.LittleEndian.Uint16(answer[6:]))
		if queue != virtqueue {
			return nil, c.badStats("virtqueue", queue, fmt.Sprintf("virtqueue %d was asked for", virtqueue))
		}
		if size < virtio.StatsHeaderLen || size > len(answer) {
			return nil, c.badStats("bytes of record", size,
				fmt.Sprintf("not between %d and what is left of the answer", virtio.StatsHeaderLen))
		}
		records[int(answer[0])] = answer[virtio.StatsHeaderLen:size]
		answer = answer[size:]
	}
	return records, nil
}

// badStats is the error of an answer that makes no sense.
func (c *commander) badStats(field string, value any, reason string) error {
	return &Error{Device: c.device.name, Op: c.op, Field: field, Value: value, Reason: reason,
		Remedy: "the device is at fault: look for a newer version of it"}
}
