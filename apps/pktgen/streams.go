package main

import (
	"fmt"
	"net"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// port is what streams have to know of a port.
type port struct{ mac, peer net.HardwareAddr }

// streams returns the streams of ports, of which with oneWay only the first of each pair
// sends.
func (t *template) streams(ports []port, size traffic.Size, oneWay bool) []*traffic.Stream {
	var list []*traffic.Stream
	for i, p := range ports {
		if oneWay && i%2 == 1 {
			continue
		}
		load := t.stream(i, p, size)
		list = append(list, load)
		if t.latency > 0 {
			probe := *load
			probe.Name, probe.Latency, probe.Track = load.Name+" latency", true, traffic.TrackOn
			probe.Rate, probe.Pattern = t.latencyText, traffic.Pattern{}
			probe.Size = roomy(load)
			list = append(list, &probe)
		}
	}
	return list
}

// roomy returns the size of a stream, or the smallest that has room for a signature where
// some of its packets have none.
func roomy(s *traffic.Stream) traffic.Size {
	p, err := s.Compile(traffic.Options{})
	if err != nil || p.Tracked() {
		return s.Size // what is wrong is said about the load
	}
	return traffic.FixedSize(p.Payload() + traffic.SignatureLen)
}

// stream returns the load of port i.
func (t *template) stream(i int, p port, size traffic.Size) *traffic.Stream {
	ethernet := t.layers[0].(traffic.Ethernet)
	copy(ethernet.Src[:], p.mac)
	copy(ethernet.Dst[:], p.peer)
	if t.ownSrc {
		ethernet.Src = t.srcMAC
	}
	if t.ownDst {
		ethernet.Dst = t.dstMAC
	}
	s := &traffic.Stream{
		Name: fmt.Sprintf("port %d", i), Port: i, Pattern: t.pattern, Size: size, Payload: t.payload,
		Packet: append(traffic.Layers{ethernet}, t.layers[1:]...),
	}
	if t.flows > 1 {
		field := t.l4 + ".src"
		if t.flows > portFlows {
			field = t.layers[len(t.layers)-2].Kind() + ".src"
		}
		s.Fields = []traffic.Field{{Name: field, Op: traffic.Increment, Count: uint64(t.flows)}}
	}
	return s
}
