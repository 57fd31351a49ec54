package driver

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
)

// statsRecord is a record of an answer to STATS_GET.
func statsRecord(kind byte, virtqueue, size int, counters ...uint64) []byte {
	b := []byte{kind, 0}
	b = binary.LittleEndian.AppendUint16(b, uint16(virtqueue))
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(size))
	for _, c := range counters {
		b = binary.LittleEndian.AppendUint64(b, c)
	}
	return b
}

// FuzzStatsRecords: whatever a device answers, records are parts of the answer of at least
// the bytes of their header, or there is an error.
func FuzzStatsRecords(f *testing.F) {
	f.Add(statsRecord(0, 2, 24, 1, 2))
	f.Add(append(statsRecord(0, 2, 16, 1), statsRecord(3, 2, 24, 2, 3)...))
	f.Add(statsRecord(0, 2, 7, 1))
	f.Add(statsRecord(0, 2, 17, 1))
	f.Add(statsRecord(0, 3, 16, 1))
	f.Add([]byte{0, 0, 2})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, answer []byte) {
		c := &commander{device: &device{name: "fuzzed"}, op: "device statistics"}
		records, err := c.splitRecords(answer, 2)
		var why *Error
		if err != nil && (!errors.As(err, &why) || why.Remedy == "" || records != nil) {
			t.Errorf("%v %v", records, err)
		}
		sum := 0
		for _, counters := range records {
			sum += len(counters) + 8
		}
		if sum > len(answer) {
			t.Errorf("%d bytes of records in an answer of %d", sum, len(answer))
		}
	})
}

// TestStatsRecords: the seeds above that are good are read, and the others refused.
func TestStatsRecords(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	c := &commander{device: r.port.device, op: "device statistics"}
	records, err := c.splitRecords(append(statsRecord(0, 2, 16, 1), statsRecord(3, 2, 24, 2, 3)...), 2)
	if err != nil || len(records) != 2 || binary.LittleEndian.Uint64(records[3][8:]) != 3 {
		t.Errorf("%v %v", records, err)
	}
	for what, answer := range map[string][]byte{
		"shorter than its header": statsRecord(0, 2, 7, 1), "longer than the answer": statsRecord(0, 2, 17, 1),
		"of another virtqueue": statsRecord(0, 3, 16, 1),
	} {
		if records, err := c.splitRecords(answer, 2); err == nil {
			t.Errorf("a record %s: %v", what, records)
		}
	}
}
