package report

import (
	"bytes"
	"fmt"
	"io"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// WriteInfo writes a page about each port that can be described.
func (r *Report) WriteInfo(w io.Writer) error {
	var b bytes.Buffer
	for _, p := range r.Ports {
		if p.Info == nil {
			continue
		}
		fmt.Fprintf(&b, "%s: port %d: %s %s\n%v\n", r.App, p.Number, p.Name, p.Role, p.Info())
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeXStats writes the extended statistics of a port.
func (p *Port) writeXStats(b *bytes.Buffer, n counts) {
	fmt.Fprintf(b, "\n  ###### NIC extended statistics for port %d\n", p.Number)
	for _, c := range n.extendedStats() {
		fmt.Fprintf(b, "  %s: %d\n", c.Name, c.Value)
	}
}

// extendedStats returns the extended statistics, in which tx_dropped is the port's own.
func (n counts) extendedStats() []driver.ExtendedStat {
	if n.extended != nil {
		return n.extended
	}
	stats := n.Stats
	stats.TxDropped -= n.full
	return stats.Extended()
}

// describe adds to the last object what was asked for beside counters.
func (r *Report) describe(o *Object, all []counts) {
	for i := range o.Ports {
		if r.XStats {
			o.Ports[i].XStats = map[string]uint64{}
			for _, c := range all[i].extendedStats() {
				o.Ports[i].XStats[c.Name] = c.Value
			}
		}
		if info := r.Ports[i].Info; r.ShowInfo && info != nil {
			o.Ports[i].Info = info()
		}
	}
}
