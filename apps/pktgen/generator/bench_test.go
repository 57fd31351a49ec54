package generator

import (
	"math"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// BenchmarkSend is what a packet costs, the clock and an emulated device that discards it
// included: one stream at the highest rate, and ten that share it at a rate each.
func BenchmarkSend(b *testing.B) {
	for name, edit := range map[string]func(*Config){
		"max":    func(c *Config) { c.Ports[0].Streams = []Stream{udp(b, 0, math.Inf(1))} },
		"10Mpps": func(c *Config) { c.Ports[0].Streams = []Stream{udp(b, 0, 1e7)} },
		"10streams": func(c *Config) {
			for i := range 10 {
				c.Ports[0].Streams = append(c.Ports[0].Streams, udp(b, i, math.Inf(1)))
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, 1, []string{"emu:null"}, edit)
			r.begin(b, Run{Duration: 1000 * time.Hour})
			p := r.Pollers()[0]
			before := r.sent()
			b.ReportAllocs()
			for b.Loop() {
				p.Poll()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(r.sent()-before), "ns/packet")
		})
	}
}

// udp is a stream of UDP packets of 1,000 flows.
func udp(b *testing.B, id int, pps float64) Stream {
	b.Helper()
	program, err := traffic.Flows(60, 1000).Compile(traffic.Options{ID: uint16(id)})
	if err != nil {
		b.Fatal(err)
	}
	return Stream{Source: program, PPS: pps}
}
